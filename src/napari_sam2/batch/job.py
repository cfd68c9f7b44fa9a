"""One movie, from a request to masklets: where all parts are put together.

The command line and the cluster run a `TrackJob`; the viewer composes the same parts
from its layers. This module constructs what `napari_sam2.session` is given.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from napari_sam2 import __version__
from napari_sam2.batch.models import ModelOptions, loaded_model
from napari_sam2.batch.output import Output
from napari_sam2.batch.prompting.policies import (
    PartPolicy,
    PromptPolicy,
    Prompts,
    ReadsPrompts,
    SamePrompts,
    UserPath,
)
from napari_sam2.batch.resources import current_memory, peak_memory
from napari_sam2.batch.threads import use_threads
from napari_sam2.batch.tile_choice import chosen_side
from napari_sam2.errors import InputError
from napari_sam2.interfaces import FrameSource, TrackerSettings
from napari_sam2.io.label_store.group import check_length
from napari_sam2.io.label_store.store import DEFAULT_NAME, OmeZarrLabelStore
from napari_sam2.io.label_store.volume import VolumeLabels
from napari_sam2.io.movies.fingerprint import fingerprint_of
from napari_sam2.io.movies.frame_sources import StackFrames, open_frames
from napari_sam2.io.movies.intensity import IntensityMapping
from napari_sam2.io.movies.prefetch import PrefetchingFrameSource
from napari_sam2.io.prompts.json_file import document_of
from napari_sam2.io.sessions.provenance import Provenance, settings_entry
from napari_sam2.prompts import PromptedObject
from napari_sam2.session.planning.plan import (
    Direction,
    FrameRange,
    MergePolicy,
    Mode,
    Plan,
    check_beginnings,
    object_lives,
)
from napari_sam2.session.planning.walks import walks
from napari_sam2.session.session import FrameDone, Session
from napari_sam2.session.visibility import visibility_remark
from napari_sam2.tracking.hard_cases.names import chosen_cases
from napari_sam2.tracking.memory.slots import ROW_BLOCK
from napari_sam2.tracking.postprocess import FILL_HOLES

if TYPE_CHECKING:
    from napari_sam2.tracking.predictor import StreamingPredictor

MEASURED_FRAMES = 20
"""Most prompted frames that are looked at for how large objects are."""


class FrameOptions(BaseModel):
    """Which part of a file is the movie, and how its intensities are mapped.

    Attributes are those of `napari_sam2.io.movies.frame_sources.open_frames`; a
    ``mapping``, such as a session keeps, stands for the four before it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    axes: str | None = None
    files: str | None = None
    t: int | None = None
    z: int | None = None
    position: int | None = None
    channels: tuple[int, ...] | None = None
    contrast_limits: tuple[tuple[float, float], ...] | None = None
    percentiles: tuple[float, float] | None = None
    gamma: float = 1.0
    invert: bool = False
    mapping: IntensityMapping | None = None


class TrackJob(BaseModel):
    """A request to track prompted objects through one movie.

    Attributes
    ----------
    movie, prompts, out
        What to track in; a file of what to track, or a policy that finds it; where
        masklets go.
    prompt_frame
        Frame that a file with a label image or a 2D table of prompts belongs to.
    name
        Name of the label group.
    frame_options, model_options
        How the movie is read; what tracks.
    frames
        First frame and the one after the last; None for all.
    direction
        See `napari_sam2.session.planning.plan`.
    resume, overwrite, merge
        What to do about an existing label group of that name: go on, replace it, or
        add these objects to it and settle conflicts as the policy says.
    embed_image
        Copy the movie into the new OME-Zarr.
    accept_movie
        Resume or merge though the movie has other pixels than it had.
    sync
        Wait at each commit until all is on the disk, so that power may be lost.
    mode
        Movies of stacks are tracked by `napari_sam2.batch.volumes.run.open_job`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    movie: UserPath
    prompts: UserPath | PromptPolicy | PartPolicy
    out: UserPath
    prompt_frame: int = 0
    name: str = DEFAULT_NAME
    frame_options: FrameOptions = FrameOptions()
    model_options: ModelOptions = ModelOptions()
    frames: tuple[int | None, int | None] | None = None
    direction: Direction = Direction.BOTH
    merge: MergePolicy | None = None
    resume: bool = False
    overwrite: bool = False
    embed_image: bool = False
    accept_movie: bool = False
    sync: bool = False
    mode: Mode = Mode.FRAMES

    @property
    def policy(self) -> ReadsPrompts:
        """Who finds the prompts."""
        asked = self.prompts
        if isinstance(asked, Path):
            return SamePrompts(path=asked, frame=self.prompt_frame)
        return asked

    @property
    def prompt_files(self) -> list[Path]:
        """Files that the prompts come from, as far as they are there."""
        return self.policy.files(self.movie)

    def read_prompts(self, source: StackFrames) -> Prompts:
        """Return what is to be tracked in the open movie.

        Raises
        ------
        InputError
            If it cannot be read, does not fit, or begins with negative clicks.
        """
        prompts = self.policy.read(self.movie, source)
        check_beginnings(prompts.objects)
        return prompts

    @property
    def output(self) -> Output:
        """The label group that the job asks for."""
        return Output(
            self.out,
            self.name,
            resume=self.resume,
            overwrite=self.overwrite,
            merge=self.merge is not None,
            embed_image=self.embed_image,
            accept_movie=self.accept_movie,
        )

    @property
    def is_complete(self) -> bool:
        """Whether the label group, which is there, is finished.

        Raises
        ------
        OutputError
            If it cannot be read, or is of another mode.
        """
        if self.mode is Mode.TZYX:
            return VolumeLabels.open(self.out, self.name, mode="r").is_complete
        return OmeZarrLabelStore.open(self.out, self.name, mode="r").is_complete


@dataclass(frozen=True, slots=True)
class TrackReport:
    """What a finished (or cancelled) run did.

    Attributes
    ----------
    labels
        Folder of the label group.
    objects, frames_total, frames_computed
        How many objects; frames of the movie in the plan; frames that this run wrote:
        fewer than planned when it resumed another, up to twice as many when objects
        were prompted on different frames, because both walks write then.
    seconds, frames_per_second
        Wall time of the propagation, model loading not counted.
    peak_memory_bytes, memory_after_loading_bytes
        Resident memory of the process; what tracking itself takes is the difference.
    """

    labels: str
    objects: int
    frames_total: int
    frames_computed: int
    seconds: float
    frames_per_second: float
    peak_memory_bytes: int
    memory_after_loading_bytes: int | None

    def as_json(self) -> dict[str, object]:
        """Return the report as a JSON-able mapping."""
        return asdict(self)


@dataclass(slots=True)
class Run:
    """A job whose parts are put together, ready to go.

    A context manager: leaving it closes files and threads. Without a session nothing is
    left to do: the same run was finished before. ``remark`` is what people should be
    told before it begins. ``image_size`` is the side of the network's input.
    """

    session: Session | None
    object_count: int
    plan: Plan
    source: FrameSource
    store: OmeZarrLabelStore
    remark: str | None = None
    frames_computed: int = 0
    seconds: float = 0.0
    memory_after_loading: int | None = None
    reading: str = ""
    image_size: int | None = None
    prompted_frames: tuple[int, ...] = ()

    @property
    def is_finished(self) -> bool:
        """Whether the same run was finished before."""
        return self.session is None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()
        self.store.close()

    def frames(self) -> Generator[FrameDone, None, None]:
        """Track, counting frames and time; a run that was finished stays as it is."""
        self.memory_after_loading = current_memory()
        if self.session is None:
            return
        begin = time.perf_counter()
        # Closed here, not when it is collected: its last commit may fail.
        with closing(self.session.propagate(self.plan)) as steps:
            for done in steps:
                self.frames_computed += done.written
                self.seconds = time.perf_counter() - begin
                yield done

    @property
    def mended(self) -> str | None:
        """What was damaged at the end, and computed again; known after `frames`."""
        return None if self.session is None else self.session.mended

    def visibility_remark(self) -> str | None:
        """Say whether the network saw the prompted objects well, once they were seen.

        Known from the masks on their frames, so ask after `frames`.
        """
        if self.image_size is None:
            return None
        areas: dict[int, float] = {}
        for frame_index in self.prompted_frames[:MEASURED_FRAMES]:
            ids, scores = self.store.read_scores(frame_index)
            for object_id, area in zip(ids, scores.area.tolist(), strict=True):
                areas[object_id] = max(area, areas.get(object_id, 0))
        seen_at_once = self.store.layout.tile_shape
        return visibility_remark(seen_at_once, self.image_size, [*areas.values()])

    def report(self) -> TrackReport:
        """Say what was done so far."""
        rate = self.frames_computed / self.seconds if self.seconds else 0.0
        return TrackReport(
            labels=str(self.store.path / "labels" / self.store.name),
            objects=self.object_count,
            frames_total=self.plan.frames.stop - self.plan.frames.first,
            frames_computed=self.frames_computed,
            seconds=self.seconds,
            frames_per_second=rate,
            # Linux notes a peak a little late: it may be below what was seen.
            peak_memory_bytes=max(peak_memory(), self.memory_after_loading or 0),
            memory_after_loading_bytes=self.memory_after_loading,
        )


def open_run(job: TrackJob) -> Run:
    """Open the movie, read the prompts, load the model and open the store.

    Raises
    ------
    InputError, ModelError, OutputError
        If one of them cannot be used; nothing was written then.
    """
    job.output.check()
    with ExitStack() as opened:
        source = opened.enter_context(
            closing(open_frames(job.movie, **dict(job.frame_options)))
        )
        run = _compose(job, source)
        run.reading = source.reading
        opened.pop_all()  # from here on the run closes it
    return run


def _compose(job: TrackJob, source: StackFrames) -> Run:
    """Put the parts of a run together around an open movie."""
    check_length(source.frame_count)
    prompts = job.read_prompts(source)
    objects = prompts.objects
    frames = frame_range(job.frames, source.frame_count)
    merge = job.merge or MergePolicy.KEEP
    plan = Plan(frames, job.direction, merge)
    if not walks(object_lives(objects, source.frame_count), plan):
        raise InputError(
            f"{job.movie}: no prompt reaches frames {frames.first}:{frames.stop} in "
            f"direction {job.direction}; change --frames or --direction"
        )
    job = _settled(job, source, objects)
    finished = _finished(job, source, objects)
    if finished is not None:
        return Run(None, len(objects), plan, source, *finished)
    predictor = load_predictor(job.model_options, source, len(objects))
    provenance = _provenance(
        job, source, objects, _computed_by(predictor), predictor.settings
    )
    store, remark = job.output.open(
        source, objects, provenance, predictor.logits_shape, predictor.layout
    )
    if job.sync:
        store.sync_commits()
    plan = replace(plan, key=store.provenance.plan_key)
    prefetching = PrefetchingFrameSource(source)
    session = Session(
        prefetching,
        store,
        predictor,
        objects,
        anchors=prompts.anchors,
        has_foreign_labels=job.merge is not None,
    )
    run = Run(session, len(objects), plan, prefetching, store, remark)
    run.image_size = predictor.network.geometry.image_size
    prompted = {prompt.frame_index for item in objects for prompt in item.prompts}
    run.prompted_frames = tuple(sorted(one for one in prompted if one in frames))
    return run


def _finished(
    job: TrackJob, source: StackFrames, objects: list[PromptedObject]
) -> tuple[OmeZarrLabelStore, str | None] | None:
    """Return store and remark if this run was finished; told without the network."""
    if not (job.resume and job.output.exists):
        return None
    store = OmeZarrLabelStore.open(job.out, job.name, mode="r")
    if not store.is_complete:
        return None
    expected = _expected(job, source, objects, store.provenance)
    if store.provenance.differences(expected):
        return None  # what differs is said once the network is known
    return job.output.open_known(expected)


def holds_run(job: TrackJob) -> bool:
    """Whether the label group of a job is what it began, or made, before.

    Told without the network. Raises as `open_run` does.
    """
    if not job.output.exists:
        return False
    stored = OmeZarrLabelStore.open(job.out, job.name, mode="r").provenance
    with closing(open_frames(job.movie, **dict(job.frame_options))) as source:
        objects = job.read_prompts(source).objects
        job = _settled(job, source, objects)
        return not stored.differences(_expected(job, source, objects, stored))


def _settled(
    job: TrackJob, source: StackFrames, objects: list[PromptedObject]
) -> TrackJob:
    """Return the job with the side of its tiles as a number, if it has any.

    Threads and memory are what they were where a label group is gone on with.
    """
    from napari_sam2.model.checkpoints.weights_file import trained_image_size

    options, changes = job.model_options, {}
    if options.tiles is not None:
        size = options.image_size or trained_image_size(options.model)
        side = chosen_side(options.tiles, source.frame_shape, size, objects)
        changes["tiles"] = side
    if job.output.exists and not job.overwrite:
        stored = OmeZarrLabelStore.open(job.out, job.name, mode="r").provenance
        if options.threads == "auto":
            changes["threads"] = stored.threads
        changes["memory_bytes"] = options.memory_bytes or stored.memory_bytes
    options = options.model_copy(update=changes)
    return job.model_copy(update={"model_options": options})


def _expected(
    job: TrackJob,
    source: StackFrames,
    objects: list[PromptedObject],
    stored: Provenance,
) -> Provenance:
    """Return the provenance of a job, where it leaves the choice as it was made."""
    from napari_sam2.model.checkpoints.weights_file import (
        follows_one_component,
        trained_image_size,
    )

    options = job.model_options
    computed = {
        "image_size": options.image_size or trained_image_size(options.model),
        "device": stored.device,
        "precision": (
            stored.precision if options.precision == "auto" else options.precision
        ),
        "threads": stored.threads,
    }
    tracker = TrackerSettings(
        raw_masks=options.raw_masks,
        one_component=(
            follows_one_component(options.model)
            if options.one_component is None
            else options.one_component
        ),
        tiles=options.tiles if isinstance(options.tiles, int) else None,
        hard_cases=tuple(str(case) for case in chosen_cases(options.hard_cases)),
    )
    return _provenance(job, source, objects, computed, tracker)


def frame_range(
    frames: tuple[int | None, int | None] | None, frame_count: int
) -> FrameRange:
    """Return the frames asked for, all by default, or say what the movie has."""
    first, stop = frames or (None, None)
    first, stop = first or 0, frame_count if stop is None else stop
    if not 0 <= first < stop <= frame_count:
        raise InputError(
            f"--frames {first}:{stop}: the movie has frames 0:{frame_count}; give "
            "FIRST:STOP inside"
        )
    return FrameRange(first, stop)


def load_predictor(
    options: ModelOptions, source: FrameSource, objects: int = ROW_BLOCK
) -> StreamingPredictor:
    """Load a model for the frames of a movie, and so many objects in its memory.

    Raises
    ------
    InputError
        If they take more than the memory that was allowed.
    """
    from napari_sam2.tracking.predictor import StreamingPredictor

    use_threads(options.threads, options.model)
    model = loaded_model(options.model)
    budget = options.budget(model.config)
    if budget is not None:
        budget.check(objects)
    return StreamingPredictor(
        model,
        frame_shape=source.frame_shape,
        frame_count=source.frame_count,
        image_size=options.image_size,
        device=_device_here(options),
        precision=options.precision,
        object_batch=None if budget is None else budget.at_once(objects),
        cached_bytes=None if budget is None else budget.cached_bytes(objects),
        fill_holes=0 if options.raw_masks else FILL_HOLES,
        one_component=options.one_component,
        tile_size=options.tiles if isinstance(options.tiles, int) else None,
        hard_cases=options.hard_cases,
    )


def _device_here(options: ModelOptions) -> str:
    """Return the device to compute on: the CPU for one that is missing, if asked."""
    from napari_sam2.tracking.precision import choose_device, is_device

    if options.cpu_without_gpu and is_device(options.device):
        try:
            choose_device(options.device)
        except InputError:
            return "cpu"
    return options.device


def _computed_by(predictor: StreamingPredictor) -> dict[str, Any]:
    """Return what decides the result besides the request."""
    import torch

    return {
        "image_size": predictor.network.geometry.image_size,
        "device": str(predictor.device),
        "precision": predictor.precision.name,
        "threads": torch.get_num_threads(),
    }


def _provenance(
    job: TrackJob,
    source: StackFrames,
    objects: list[PromptedObject],
    computed: dict[str, Any],
    tracker: TrackerSettings,
) -> Provenance:
    from napari_sam2.model.checkpoints.weights_file import weights_sha256

    asked = job.model_dump(mode="json", include={"frames", "direction", "merge"})
    return Provenance(
        model=job.model_options.model,
        weights_sha256=weights_sha256(job.model_options.model),
        prompts=prompts_with_hashes(objects),
        frames=dict(source.provenance),
        fingerprint=fingerprint_of(source),
        memory_bytes=job.model_options.memory_bytes,
        settings=asked | settings_entry(tracker),
        plugin_version=__version__,
        **computed,
    )


def prompts_with_hashes(objects: list[PromptedObject]) -> dict[str, Any]:
    """Return the prompts as their file has them, masks by the hash of their pixels."""
    document, masks = document_of(objects, "masks")
    return {
        **document.model_dump(mode="json", exclude_none=True),
        "masks": {
            name: hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()
            for name, mask in masks.items()
        },
    }
