"""Scores of masklets on disk against a truth on disk, two label images at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from napari_sam2.batch.prompting.policies import UserPath
from napari_sam2.batch.volumes.stack_pair import StackPair
from napari_sam2.errors import InputError
from napari_sam2.io.label_store.store import DEFAULT_NAME, OmeZarrLabelStore
from napari_sam2.io.label_store.volume import is_of_stacks
from napari_sam2.io.movies.label_frames import (
    EVERYTHING,
    LabelFrames,
    LabelSelection,
    cut_label_frames,
)
from napari_sam2.io.movies.label_images import VOID, marks_void, refuse_intensities
from napari_sam2.io.sessions.folder import label_names
from napari_sam2.metrics import MovieScore, MovieScorer, evaluate, match_objects
from napari_sam2.metrics.matching import Match, match_overlaps


class EvaluationJob(BaseModel):
    """A request to score masklets.

    Attributes
    ----------
    labels, truth
        Label movies: our OME-Zarr, or any label images. Those in colour have a number
        for each colour, which is no other file's. Where ``labels`` are our stacks over
        time, the truth is ``(T, Z, Y, X)``, and J is that of volumes, without F.
    truth_axes, truth_t, truth_z, truth_channel
        Which part of the truth's file is the movie; see `FrameOptions`.
    name
        Label group, where ``labels`` or ``truth`` is an OME-Zarr of ours.
    match
        Label image, or stack, of ``match_frame`` with the ids of ``labels`` (such as
        the prompts that these were tracked from), by which objects are paired with the
        truth; None where both have the same ids.
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
    truth_axes: str | None = None
    truth_t: int | None = None
    truth_z: int | None = None
    truth_channel: int | None = None
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
        If a file cannot be read, the movies do not fit each other, no object of the
        truth is matched, or none has a number that is in the labels.
    """
    if OmeZarrLabelStore.is_ours(job.labels, job.name) and is_of_stacks(
        job.labels, job.name
    ):
        return _evaluate_stacks(job)
    part = LabelSelection(job.truth_axes, job.truth_t, job.truth_z, job.truth_channel)
    with (
        closing(open_labels(job.truth, job.name, part)) as truth,
        closing(open_labels(job.labels, job.name)) as labels,
    ):
        for side in (truth, labels):
            refuse_intensities(side.read(0), f"{side.name}, frame 0")
        objects = _objects(job, truth)
        score = evaluate(
            _each(truth),
            _each(labels),
            objects=objects,
            frames=_chosen_frames(job, truth.frame_count),
        )
        _check_colors(job, truth, labels)
        _check_void(job, truth, [one.object_id for one in score.objects])
        if job.match is None and not score.region:
            _check_ids(job, truth, labels)
    return score


def _evaluate_stacks(job: EvaluationJob) -> MovieScore:
    """Score stacks over time: J of volumes, at each time point."""
    _refuse_parts_of_truth(job)
    with closing(StackPair(job.truth, job.labels, job.name)) as pair:
        objects: Collection[int] | Mapping[int, int | None] | None = job.objects
        if job.match is not None:
            _check_match_frame(job, pair.frame_count)
            with closing(
                StackPair(job.truth, job.match, job.name, pair.shape)
            ) as known:
                overlaps = known.overlaps(job.match_frame)
            objects = _paired(job, match_overlaps(overlaps, job.minimum_overlap))
        scorer = MovieScorer(objects, boundary=False)
        everything = range(pair.frame_count)
        for frame_index in _chosen_frames(job, pair.frame_count) or everything:
            scorer.add_overlaps(frame_index, pair.overlaps(frame_index))
        return scorer.result()


def _refuse_parts_of_truth(job: EvaluationJob) -> None:
    given = {
        "axes": job.truth_axes,
        "t": job.truth_t,
        "z": job.truth_z,
        "channels": job.truth_channel,
    }
    if chosen := [name for name, value in given.items() if value is not None]:
        raise InputError(
            f"--{chosen[0]} chooses a part of the truth, but {job.labels} holds stacks "
            "over time, which are scored whole: leave it out"
        )


def open_labels(
    path: Path, name: str = DEFAULT_NAME, selection: LabelSelection = EVERYTHING
) -> LabelFrames:
    """Open a label movie: a group of an OME-Zarr, or any label images.

    Raises
    ------
    InputError
        If it cannot be read as labels, or has more planes or channels than one and
        none was chosen.
    """
    if OmeZarrLabelStore.is_ours(path, name):
        store = OmeZarrLabelStore.open(path, name, "r")
        return LabelFrames(
            str(path), store.frame_count, store.frame_shape, store.read_labels
        )
    if OmeZarrLabelStore.exists(path, name):
        return cut_label_frames(path / "labels" / name, selection)
    if there := label_names(path):
        # Beside them lies the image that they are of, whose pixels are no labels.
        raise InputError(
            f"{path}: holds no labels named {name!r}; it holds {', '.join(there)}",
            settings=("name",),
        )
    return cut_label_frames(path, selection)


def _check_colors(job: EvaluationJob, truth: LabelFrames, labels: LabelFrames) -> None:
    """Refuse to compare colours with numbers, unless places paired them."""
    if job.match is None and truth.saw_colors != labels.saw_colors:
        path = job.truth if truth.saw_colors else job.labels
        raise InputError(
            f"{path} is in colour, and a colour is not the number of an object: pair "
            "them by overlap with --match, or save the labels as numbers"
        )


def _check_void(job: EvaluationJob, truth: LabelFrames, ids: list[int]) -> None:
    """Refuse to score as an object what may mark pixels that nobody decided on."""
    if job.objects is None and marks_void(ids) and truth.dtype == np.uint8:
        others = ",".join(str(one) for one in ids if one != VOID)
        raise InputError(
            f"{job.truth}: {VOID} is an object, or marks pixels that nobody decided "
            f"on, as in VOC and DAVIS: say whom to score: --objects {others[:40]}"
        )


def _check_ids(job: EvaluationJob, truth: LabelFrames, labels: LabelFrames) -> None:
    """Refuse to score labels that are numbered otherwise than the truth: all fail."""
    wanted, found = (
        {one for frame in _each(side) for one in np.unique(frame).tolist() if one}
        for side in (truth, labels)
    )
    if found and not wanted & found:
        raise InputError(
            f"{job.labels} has none of the numbers that objects have in {job.truth}: "
            "pair them by overlap with --match"
        )


def _each(labels: LabelFrames) -> Iterator[np.ndarray]:
    for frame_index in range(labels.frame_count):
        yield labels.read(frame_index)


def _objects(
    job: EvaluationJob, truth: LabelFrames
) -> Collection[int] | Mapping[int, int | None] | None:
    """Pair the truth with the labels by a frame on which both are known."""
    if job.match is None:
        return job.objects
    if not 0 < job.minimum_overlap <= 1:
        raise InputError(
            f"--minimum-overlap {job.minimum_overlap:g}: an IoU is above 0, at most 1"
        )
    with closing(open_labels(job.match, job.name)) as known:
        _check_match(job, truth, known)
        matches = match_objects(
            truth.read(job.match_frame),
            known.read(job.match_frame if known.frame_count > 1 else 0),
            job.minimum_overlap,
        )
    return _paired(job, matches)


def _paired(job: EvaluationJob, matches: Iterable[Match]) -> dict[int, int | None]:
    """Return who of the truth is scored, and as whom; refuse to score nobody."""
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


def _check_match(job: EvaluationJob, truth: LabelFrames, known: LabelFrames) -> None:
    """Refuse a frame that is not there, and labels of another movie."""
    _check_match_frame(job, truth.frame_count)
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


def _check_match_frame(job: EvaluationJob, frame_count: int) -> None:
    if not 0 <= job.match_frame < frame_count:
        raise InputError(
            f"--match-frame {job.match_frame}: {job.truth} has frames 0 to "
            f"{frame_count - 1}"
        )


def _chosen_frames(job: EvaluationJob, frame_count: int) -> range | None:
    if job.frames is None:
        return None
    first, stop = job.frames
    first, stop = first or 0, frame_count if stop is None else stop
    if not 0 <= first < stop <= frame_count:
        raise InputError(
            f"--frames {first}:{stop}: {job.truth} has frames 0:{frame_count}"
        )
    return range(first, stop)
