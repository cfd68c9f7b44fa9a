"""Scores of masklets on disk against a truth on disk, two frames at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from napari_sam2.errors import InputError
from napari_sam2.io.label_store.store import DEFAULT_NAME, OmeZarrLabelStore
from napari_sam2.io.movies.frame_sources import StackFrames, open_frames
from napari_sam2.io.movies.intensity import IntensityMapping
from napari_sam2.metrics import MovieScore, evaluate, match_objects

UNUSED_MAPPING = IntensityMapping(limits=((0.0, 1.0),))
"""Labels are read raw; a given mapping saves measuring one."""


class EvaluationJob(BaseModel):
    """A request to score masklets.

    Attributes
    ----------
    labels, truth
        Label movies: our OME-Zarr, or anything that a movie can be read from.
    name
        Label group, where ``labels`` or ``truth`` is an OME-Zarr of ours.
    match
        Label image of ``match_frame`` with the ids of ``labels`` (such as the prompts
        that these were tracked from), by which objects are paired with the truth; None
        where both have the same ids.
    minimum_overlap
        Least IoU of such a pair.
    objects
        Ids of the truth to score; None for all that are matched.
    frames
        First frame to score and the one after the last; None for all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: UserPath
    truth: UserPath
    name: str = DEFAULT_NAME
    match: UserPath | None = None
    match_frame: int = 0
    minimum_overlap: float = 0.5
    objects: tuple[int, ...] | None = None
    frames: tuple[int | None, int | None] | None = None


def run_evaluation(job: EvaluationJob) -> MovieScore:
    """Score masklets against the truth.

    Raises
    ------
    InputError
        If a file cannot be read, the movies do not fit each other, or no object of the
        truth is matched.
    """
    with (
        closing(open_labels(job.truth, job.name)) as truth,
        closing(open_labels(job.labels, job.name)) as labels,
    ):
        return evaluate(
            _each(truth),
            _each(labels),
            objects=_objects(job, truth),
            frames=_chosen_frames(job, truth),
        )


def open_labels(path: Path, name: str = DEFAULT_NAME) -> StackFrames:
    """Open a label movie: a group of our OME-Zarr, or any movie of integers."""
    where = path / "labels" / name
    is_ours = OmeZarrLabelStore.exists(path, name)
    frames = open_frames(where if is_ours else path, mapping=UNUSED_MAPPING)
    if not np.issubdtype(frames.dtype, np.integer):
        frames.close()
        raise InputError(f"{path}: labels are integers, these are {frames.dtype}")
    return frames


def _each(labels: StackFrames) -> Iterator[np.ndarray]:
    for frame_index in range(labels.frame_count):
        yield labels.read_raw(frame_index)[0]


def _objects(
    job: EvaluationJob, truth: StackFrames
) -> Collection[int] | Mapping[int, int | None] | None:
    """Pair the truth with the labels by a frame on which both are known."""
    if job.match is None:
        return job.objects
    with closing(open_labels(job.match, job.name)) as known:
        _check_match(job, truth, known)
        matches = match_objects(
            truth.read_raw(job.match_frame)[0],
            known.read_raw(job.match_frame if known.frame_count > 1 else 0)[0],
            job.minimum_overlap,
        )
    paired: dict[int, int | None] = {
        match.object_id: match.predicted_id
        for match in matches
        if job.objects is None or match.object_id in job.objects
    }
    if not paired:
        raise InputError(
            f"{job.match}: none of its objects overlaps one of the truth by "
            f"{job.minimum_overlap} on frame {job.match_frame}"
        )
    return paired


def _check_match(job: EvaluationJob, truth: StackFrames, known: StackFrames) -> None:
    """Refuse a frame that is not there, and labels of another movie."""
    if not 0 <= job.match_frame < truth.frame_count:
        raise InputError(
            f"--match-frame {job.match_frame}: {job.truth} has frames 0 to "
            f"{truth.frame_count - 1}"
        )
    if known.frame_shape != truth.frame_shape:
        raise InputError(
            f"{job.match}: frames of {known.frame_shape} pixels do not fit the truth's "
            f"of {truth.frame_shape}; --match needs labels of the same movie"
        )
    if known.frame_count not in (1, truth.frame_count):
        raise InputError(
            f"{job.match}: holds {known.frame_count} label images, the truth "
            f"{truth.frame_count}; give one, or one for each frame"
        )


def _chosen_frames(job: EvaluationJob, truth: StackFrames) -> range | None:
    if job.frames is None:
        return None
    first, stop = job.frames
    first, stop = first or 0, truth.frame_count if stop is None else stop
    if not 0 <= first < stop <= truth.frame_count:
        raise InputError(
            f"--frames {first}:{stop}: {job.truth} has frames 0:{truth.frame_count}"
        )
    return range(first, stop)
