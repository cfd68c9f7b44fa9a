"""A movie of stacks from a request to labels ``(t, z, y, x)``.

Three stages, each made of runs of single movies, which are resumed as such:

1. Each prompted stack is a movie along z: its objects are followed from the prompted
   planes to both sides.
2. Each plane is a movie in time, prompted by what these stacks show of it.
3. At each time point the planes vote (`vote`), and the stack is written.

Planes come one after the other, so that memory holds one plane's predictor and one
plane of one time point, however many there are.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from napari_sam2.batch.job import (
    Run,
    TrackJob,
    TrackReport,
    frame_range,
    open_run,
    prompts_with_hashes,
)
from napari_sam2.batch.prompting.policies import PlanePrompts, StackPrompts
from napari_sam2.batch.resources import peak_memory
from napari_sam2.batch.volumes.anchors import (
    AnchorStack,
    look_at,
    prompts_on,
    thin_objects,
)
from napari_sam2.batch.volumes.request import (
    VolumeRequest,
    all_planes,
    frames_at,
    measured_mapping,
    read_request,
)
from napari_sam2.batch.volumes.vote import settled
from napari_sam2.errors import InputError
from napari_sam2.io.label_store.volume import VolumeLabels, VolumeSpec
from napari_sam2.io.movies.intensity import IntensityMapping
from napari_sam2.io.ome_zarr.embedded_image import embed_image, holds_image
from napari_sam2.session.planning.plan import Direction, FrameRange, Mode
from napari_sam2.session.session import FrameDone, damaged_again

Steps = Generator[FrameDone, None, None]


def open_job(job: TrackJob) -> Run | VolumeRun:
    """Open a job of either mode: movie, prompts, store, and what tracks.

    Raises
    ------
    InputError, ModelError, OutputError
        If one of them cannot be used; nothing was written then.
    """
    return open_volume(job) if job.mode is Mode.TZYX else open_run(job)


def open_volume(job: TrackJob) -> VolumeRun:
    """Open a job on a movie of stacks.

    Raises
    ------
    InputError, OutputError
        If movie, prompts or labels cannot be used; nothing was written then.
    """
    job.output.check()
    request = read_request(job)
    frames = frame_range(job.frames, request.counts[0])
    if not reaches(request.times, frames, job.direction):
        raise InputError(
            f"{job.movie}: no prompt reaches frames {frames.first}:{frames.stop} in "
            f"direction {job.direction}; change --frames or --direction"
        )
    mapping = measured_mapping(request)
    if job.resume and job.output.exists:
        volume = VolumeLabels.open(job.out, job.name)
    else:
        volume = _created(request, mapping)
    if job.sync:
        volume.sync_commits()
    return VolumeRun(request, frames, mapping, volume)


def reaches(times: Sequence[int], frames: FrameRange, direction: Direction) -> bool:
    """Return whether some frames lie where a direction leads to from prompts."""
    if direction is Direction.FORWARD:
        return min(times) < frames.stop
    if direction is Direction.BACKWARD:
        return max(times) >= frames.first
    return True


class VolumeRun:
    """A job on a movie of stacks, ready to go; used as `napari_sam2.batch.job.Run` is.

    Parameters
    ----------
    frames
        Time points to write.
    mapping
        How intensities are seen, on all planes.

    Attributes
    ----------
    reading, remark
        What people should be told before it begins.
    is_finished
        Whether the labels were complete before.
    mended
        As `napari_sam2.batch.job.Run.mended`, of all parts.
    """

    def __init__(
        self,
        request: VolumeRequest,
        frames: FrameRange,
        mapping: IntensityMapping,
        volume: VolumeLabels,
    ) -> None:
        self.request, self.volume = request, volume
        self.reading = request.movie.reading
        self.remark: str | None = None
        self.mended: str | None = None
        self.is_finished = volume.is_complete
        self._frames, self._mapping = frames, mapping
        self._last_frames = request.last_frames()
        self._computed, self._seconds = 0, 0.0
        self._memory: int | None = None
        self._visibility: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.volume.close()

    def frames(self) -> Steps:
        """Track, and let the planes vote; what was done before is passed over.

        Raises
        ------
        OutputError
            If what is there was made of another request, before anything is written.
        """
        begin = time.perf_counter()
        for done in self._stages():
            self._seconds = time.perf_counter() - begin
            yield done

    def visibility_remark(self) -> str | None:
        """Say whether the network saw the objects, and well, as far as tracked now."""
        return self._visibility

    def report(self) -> TrackReport:
        """Say what was done so far; frames are planes."""
        labels = self.volume.path / "labels" / self.volume.name
        length = self._frames.stop - self._frames.first
        return TrackReport(
            labels=str(labels),
            objects=len(self.request.objects),
            frames_total=length * self.request.counts[1],
            frames_computed=self._computed,
            seconds=self._seconds,
            frames_per_second=self._computed / self._seconds if self._seconds else 0.0,
            peak_memory_bytes=max(peak_memory(), self._memory or 0),
            memory_after_loading_bytes=self._memory,
        )

    # --- the three stages

    def _stages(self) -> Steps:
        stacks = list(self.request.stacks)
        for number, frame in enumerate(self._prompted_frames):
            part, share = self._stack_job(frame), self.request.counts[1]
            yield from self._follow(part, number * share, share)
            stacks.append(self._stack_of(frame, part.name))
        self._visibility = self._unseen(stacks)
        for plane, prompts in self._planes(stacks):
            yield from self._follow(
                self._plane_job(plane, prompts), self._before(plane), self._length
            )
        yield from self._vote(stacks)

    def _follow(self, part: TrackJob, before: int, share: int) -> Steps:
        """Run one part, counting its steps as a share of all."""
        with open_run(part) as run:
            if self.volume.provenance is None:
                self.volume.record_provenance(self._made_by(run))
            with closing(run.frames()) as steps:
                for done in steps:
                    position = before + share * done.position // done.total
                    yield replace(
                        done, position=position, total=self._total, result=None
                    )
            self._computed += run.frames_computed
            self._told_of(run.mended)
            self._memory = self._memory or run.memory_after_loading
            if not run.is_finished and self._visibility is None:
                self._visibility = run.visibility_remark()

    def _vote(self, stacks: Sequence[AnchorStack]) -> Steps:
        if self._computed and self.volume.whole_frames.any():
            self.volume.begin_again()
        if self.volume.is_complete:
            return
        yield from self._settle(stacks)
        if told := self.volume.mend():
            self._told_of(told)
            yield from self._settle(stacks)
            if again := self.volume.mend():
                raise damaged_again(again)
        self.volume.finish()

    def _told_of(self, mended: str | None) -> None:
        self.mended = "; ".join(filter(None, (self.mended, mended))) or None

    def _settle(self, stacks: Sequence[AnchorStack]) -> Steps:
        """Let the planes vote on each time point that is not written yet."""
        followed = {plane for plane, _ in self._planes(stacks)}
        thin = thin_objects(stacks)
        whole = self.volume.whole_frames
        ids = tuple(one.object_id for one in self.request.objects)
        for frame in range(self._frames.first, self._frames.stop):
            if not whole[frame]:
                self.volume.write(frame, settled(self._tracked(frame, followed), thin))
            position = self._total - self._frames.stop + frame + 1
            yield FrameDone(
                frame, ids, written=True, position=position, total=self._total
            )

    # --- parts

    @property
    def _prompted_frames(self) -> tuple[int, ...]:
        """Time points whose stacks are still to be followed along z."""
        return () if self.request.stacks else self.request.times

    @property
    def _length(self) -> int:
        return self._frames.stop - self._frames.first

    @property
    def _total(self) -> int:
        return self._before(self.request.counts[1]) + self._length

    def _before(self, plane: int) -> int:
        """Return the steps before a plane is followed in time."""
        planes = self.request.counts[1]
        return len(self._prompted_frames) * planes + plane * self._length

    def _part(self, name: str, **changes: Any) -> TrackJob:
        """Return the job of one part: a movie of single frames, which is resumed."""
        as_part = {
            "mode": Mode.FRAMES,
            "out": self.volume.parts,
            "name": name,
            "resume": True,
            "overwrite": False,
            "embed_image": False,
        }
        return self.request.job.model_copy(update=as_part | changes)

    def _stack_job(self, frame: int) -> TrackJob:
        request = self.request
        options = request.job.frame_options
        return self._part(
            f"t{frame}",
            prompts=StackPrompts(
                path=request.prompts_path,
                frame=request.prompt_frames[0],
                plane=options.z,
            ),
            frame_options=frames_at(options, self._mapping, t=frame),
            frames=None,
            direction=Direction.BOTH,
        )

    def _plane_job(self, plane: int, prompts: PlanePrompts) -> TrackJob:
        options = self.request.job.frame_options
        return self._part(
            f"z{plane}",
            prompts=prompts,
            frame_options=frames_at(options, self._mapping, z=plane),
        )

    def _stack_of(self, frame: int, name: str) -> AnchorStack:
        prompts = self.request.prompts
        prompted = prompts.stacks[frame] if prompts else ()
        labels = self.volume.parts / "labels" / name
        return look_at(labels, frame, self.request.movie.shape, prompted)

    def _unseen(self, stacks: Sequence[AnchorStack]) -> str | None:
        """Say which objects are on no plane of the stacks that they are prompted in."""
        seen = {one for stack in stacks for one in stack.object_ids}
        prompts = self.request.prompts
        prompted = prompts.stacks.values() if prompts else ()
        lost = {one.object_id for stack in prompted for one in stack} - seen
        if not lost:
            return None
        named = ", ".join(map(str, sorted(lost)))
        return f"not seen where they were prompted, and not tracked: objects {named}"

    def _planes(
        self, stacks: Sequence[AnchorStack]
    ) -> Iterator[tuple[int, PlanePrompts]]:
        """Yield planes on which something is to be followed, and its prompts."""
        for plane in range(self.request.counts[1]):
            prompts = prompts_on(plane, stacks, self.request.parents)
            if prompts is None:
                continue
            times = [one.frame for one in prompts.anchors if one.object_ids]
            if reaches(times, self._frames, self.request.job.direction):
                yield plane, prompts

    def _tracked(self, frame: int, followed: set[int]) -> Iterator[np.ndarray]:
        """Yield the planes of a time point as they were tracked, without the dead."""
        dead = [one for one, last in self._last_frames.items() if frame > last]
        nothing = np.zeros(self.request.movie.shape[2:], np.uint16)
        for plane in range(self.request.counts[1]):
            if plane not in followed:
                yield nothing
                continue
            labels = self.volume.read_part(f"z{plane}", frame)
            yield np.where(np.isin(labels, dead), 0, labels) if dead else labels

    def _made_by(self, run: Run) -> dict[str, Any]:
        """Return what makes the labels: what the first part knows, of the whole."""
        facts = run.store.provenance.model_dump(mode="json", exclude={"plan_key"})
        prompts = self.request.prompts
        if prompts is None:
            facts["prompts"] = {"labels": self.request.prompts_path.name}
        else:
            facts["prompts"] = {
                str(frame): prompts_with_hashes(list(stack))
                for frame, stack in prompts.stacks.items()
            }
        asked = self.request.job.model_dump(
            mode="json", include={"mode", "frames", "direction"}
        )
        facts["settings"] = {**facts["settings"], **asked}
        return facts


def _created(request: VolumeRequest, mapping: IntensityMapping) -> VolumeLabels:
    job, movie = request.job, request.movie
    # A run that was killed may have got as far as its movie.
    if job.embed_image and not (job.resume and holds_image(job.out)):
        embed_image(
            job.out,
            all_planes(job, movie.shape, mapping),
            frame_count=movie.shape[0],
            calibration=movie.calibration,
            name=Path(job.movie).stem,
            planes=movie.planes,
        )
    spec = VolumeSpec(
        job.name, movie.shape, request.objects, movie.calibration, movie.planes
    )
    return VolumeLabels.create(job.out, spec, overwrite=job.overwrite)
