"""What a job on a movie of stacks asks for, read before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_sam2.batch.job import FrameOptions, TrackJob
from napari_sam2.batch.prompting.policies import (
    PromptsBeside,
    PromptsInside,
    SamePrompts,
)
from napari_sam2.batch.volumes.anchors import AnchorStack, look_at
from napari_sam2.errors import InputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.movies.frame_sources import StackFrames, open_frames
from napari_sam2.io.movies.intensity import IntensityMapping
from napari_sam2.io.ome_zarr.volume_axes import PlaneAxis
from napari_sam2.io.prompts.bounds import PlaneBounds, PromptBounds
from napari_sam2.io.prompts.stacks import (
    VolumePrompts,
    holds_label_volume,
    read_volume_prompts,
)
from napari_sam2.prompts import FramePrompt, PromptedObject
from napari_sam2.session.planning.plan import object_lives


@dataclass(frozen=True, slots=True)
class MovieOfStacks:
    """A movie with time and z.

    Attributes
    ----------
    shape
        ``(T, Z, Y, X)``.
    reading
        In one line, how its file was understood.
    """

    shape: tuple[int, int, int, int]
    calibration: Calibration
    planes: PlaneAxis
    reading: str


@dataclass(frozen=True, slots=True, eq=False)
class VolumeRequest:
    """A job on a movie of stacks.

    Attributes
    ----------
    prompts_path, prompt_frames
        Where prompts come from, and time points of those that do not say theirs.
    prompts
        What was prompted; None where labels of whole stacks are given.
    stacks
        These labels; none where they are still to be made.
    objects
        Who is tracked, with name and mother, without prompts.
    """

    job: TrackJob
    movie: MovieOfStacks
    prompts_path: Path
    prompt_frames: tuple[int, ...]
    prompts: VolumePrompts | None
    stacks: tuple[AnchorStack, ...]
    objects: tuple[PromptedObject, ...]

    @property
    def counts(self) -> tuple[int, int]:
        """Time points, and planes of each."""
        return self.movie.shape[:2]

    @property
    def parents(self) -> dict[int, int]:
        """Mother of each daughter."""
        return {one.object_id: one.parent for one in self.objects if one.parent}

    @property
    def times(self) -> tuple[int, ...]:
        """Time points of all prompts."""
        found = [stack.frame for stack in self.stacks]
        return tuple(sorted(self.prompts.stacks if self.prompts else found))

    def last_frames(self) -> dict[int, int]:
        """Return the last time point of each mother, which is the one before birth.

        Raises
        ------
        InputError
            If a mother is prompted later.
        """
        if self.prompts is None:
            return {}
        mothers = set(self.parents.values())
        in_time = [
            replace(one, prompts=_in_time(one.object_id, self.prompts))
            for one in self.objects
        ]
        lives = object_lives([one for one in in_time if one.prompts], self.counts[0])
        return {one.object_id: one.last for one in lives if one.object_id in mothers}


def read_request(job: TrackJob) -> VolumeRequest:
    """Look at the movie and the prompts of a job; no pixel of the movie is read.

    Raises
    ------
    InputError
        If the movie has no stacks over time, the job asks for what is not done with
        such, or the prompts do not fit.
    """
    _refuse_unknown(job)
    movie = _look_at_movie(job)
    path, frames = _prompts_of(job)
    frame_count, plane_count, *_ = movie.shape
    bounds = PromptBounds(movie.shape[2:], frame_count)
    for frame in frames:
        bounds.check_frame(frame, str(path))
    if holds_label_volume(path):
        stacks = tuple(
            look_at(path, frame, movie.shape) for frame in sorted(set(frames))
        )
        ids = sorted(frozenset().union(*(stack.object_ids for stack in stacks)))
        if not ids:
            raise InputError(f"{path}: there is no label at time point {frames[0]}")
        objects = tuple(map(PromptedObject, ids))
        return VolumeRequest(job, movie, path, frames, None, stacks, objects)
    planes = PlaneBounds(plane_count, job.frame_options.z)
    prompts = read_volume_prompts(path, frame=frames[0], bounds=bounds, planes=planes)
    request = VolumeRequest(job, movie, path, frames, prompts, (), prompts.objects)
    request.last_frames()
    return request


def frames_at(
    options: FrameOptions, mapping: IntensityMapping, **place: int
) -> FrameOptions:
    """Return how frames are read at a time point (``t``), or on a plane (``z``)."""
    changes = {"t": None, "z": None, "contrast_limits": None, "percentiles": None}
    return options.model_copy(update=changes | {"mapping": mapping} | place)


def measured_mapping(request: VolumeRequest) -> IntensityMapping:
    """Return what is black and white on all planes: of the first prompted stack.

    Raises
    ------
    InputError
        If the stack cannot be read, or options do not fit.
    """
    options = request.job.frame_options
    first = options.model_copy(update={"t": request.times[0], "z": None})
    with closing(open_frames(request.job.movie, **dict(first))) as stack:
        return stack.mapping


def all_planes(
    job: TrackJob, shape: Sequence[int], mapping: IntensityMapping
) -> Iterator[np.ndarray]:
    """Yield all planes, those of the first time point first: to be embedded.

    One channel as it is stored, several as the RGB that is shown.
    """
    for frame in range(shape[0]):
        options = frames_at(job.frame_options, mapping, t=frame)
        with closing(open_frames(job.movie, **dict(options))) as stack:
            is_grey = len(stack.layout.channels) == 1
            for plane in range(shape[1]):
                yield stack.read_raw(plane)[0] if is_grey else stack.read(plane)


def _refuse_unknown(job: TrackJob) -> None:
    if job.merge is not None:
        raise InputError(
            "--merge adds objects to masklets of single frames: track stacks into a "
            "label group of their own, with another --name"
        )
    if job.model_options.hard_cases:
        raise InputError(
            "--hard-case is for movies of single frames: leave it or --mode tzyx out"
        )
    if job.frame_options.t is not None:
        raise InputError(
            "--t stays at one time point, but --mode tzyx goes through all: leave one "
            "of them out"
        )


def _look_at_movie(job: TrackJob) -> MovieOfStacks:
    try:
        with closing(_unmeasured(job, t=0)) as stack:
            layout, along_z = stack.layout, stack.calibration
    except InputError as error:
        if error.settings != ("t",):
            raise
        raise _no_stacks(job.movie) from error
    if layout.frame_axis != "Z" or min(layout.frame_count, layout.length("T")) < 2:
        raise _no_stacks(job.movie)
    frames, planes = layout.length("T"), layout.frame_count
    axis = PlaneAxis(planes, along_z.scale[0], along_z.translation[0], along_z.units[0])
    with closing(_unmeasured(job, z=0)) as plane:
        name, _, _ = plane.reading.partition(": ")
        return MovieOfStacks(
            (frames, planes, *layout.frame_shape),
            plane.calibration,
            axis,
            f"{name}: {frames} stacks of {planes} planes",
        )


def _unmeasured(job: TrackJob, **place: int) -> StackFrames:
    """Open a movie without measuring its intensities: no frame is read."""
    options = job.frame_options.model_copy(update={"t": None, "z": None} | place)
    if options.mapping is None:
        given = {"contrast_limits": ((0.0, 1.0),), "percentiles": None}
        options = options.model_copy(update=given)
    return open_frames(job.movie, **dict(options))


def _no_stacks(movie: Path) -> InputError:
    return InputError(
        f"{movie}: --mode tzyx needs several time points of several z planes each; "
        "track a movie of single frames without it, or say with --axes what its axes "
        "are"
    )


def _prompts_of(job: TrackJob) -> tuple[Path, tuple[int, ...]]:
    policy = job.policy
    if isinstance(policy, SamePrompts):
        return policy.path, (policy.frame,)
    if isinstance(policy, PromptsBeside | PromptsInside):
        found = policy.files(job.movie)
        if not found:
            raise InputError(f"{job.movie}: there are no prompts beside it")
        return found[0], policy.frames
    raise InputError(
        f"{job.movie}: sessions and automatic prompts are for movies of single frames: "
        "prompt stacks by a prompts file, points or labels"
    )


def _in_time(object_id: int, prompts: VolumePrompts) -> tuple[FramePrompt, ...]:
    """Return one prompt for each time point at which an object is prompted."""
    return tuple(
        replace(one.prompts[0], frame_index=frame)
        for frame, stack in sorted(prompts.stacks.items())
        for one in stack
        if one.object_id == object_id
    )
