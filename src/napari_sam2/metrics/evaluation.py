"""Score a predicted movie against the truth, frame by frame.

Two label images are in memory at a time, and two numbers per object and frame.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Protocol

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.metrics.masks import boundary_similarity
from napari_sam2.metrics.matching import Overlaps, count_overlaps
from napari_sam2.metrics.scores import MovieScore, ObjectScore


class TrackLike(Protocol):
    """What is needed of a track: its id, its mother's, and its last frame."""

    @property
    def object_id(self) -> int: ...  # noqa: D102

    @property
    def parent(self) -> int | None: ...  # noqa: D102

    @property
    def last_frame(self) -> int: ...  # noqa: D102


def last_frames_before_division(tracks: Iterable[TrackLike]) -> dict[int, int]:
    """Return the last frame of each mother; cells that do not divide are left out."""
    tracks = list(tracks)
    mothers = {track.parent for track in tracks}
    return {
        track.object_id: track.last_frame
        for track in tracks
        if track.object_id in mothers
    }


def evaluate(
    truth: Iterable[np.ndarray],
    prediction: Iterable[np.ndarray],
    *,
    objects: Collection[int] | Mapping[int, int | None] | None = None,
    frames: Collection[int] | None = None,
    last_frames: Mapping[int, int] | None = None,
    boundary: bool = True,
) -> MovieScore:
    """Compute J and F of every object over a movie, as the DAVIS benchmark does.

    Where truth and prediction are both empty J and F are 1 (an object that left and was
    let go), where one of them is empty they are 0.

    Parameters
    ----------
    truth, prediction
        ``(Y, X)`` integer label images, one a frame from frame 0 on; read one by one.
    objects
        Ids of the truth to score over all ``frames``, predicted under the same ids; or
        a mapping of such ids to the predicted ones (found by `match_objects` on one
        frame, say), None for an object that was not predicted. None: every object of
        the truth, each from the frame on which it first appears.
    frames
        Frames to score, e.g. ``range(1, 20)`` to leave out a prompted frame 0; None for
        all.
    last_frames
        Last frame to score for some objects, e.g. `last_frames_before_division`: what
        a mother's label should be after her division is a matter of taste.
    boundary
        Whether to compute F (most of the time goes there).

    Raises
    ------
    TypeError
        If ``objects`` maps ids to anything but ids.
    InputError
        If the movies differ in length or frame shape, if nothing is left to score, or
        if one of ``objects`` is nowhere in the scored frames of the truth.
    """
    scorer = MovieScorer(objects, last_frames=last_frames, boundary=boundary)
    both = zip_longest(truth, prediction)
    for frame_index, (true_labels, predicted_labels) in enumerate(both):
        if true_labels is None or predicted_labels is None:
            shorter = "truth" if true_labels is None else "prediction"
            raise InputError(
                f"the {shorter} ends after {frame_index} frames, before the other: "
                "give two movies of equal length"
            )
        if frames is None or frame_index in frames:
            scorer.add(frame_index, true_labels, predicted_labels)
    return scorer.result()


@dataclass(slots=True)
class _Record:
    """Scores of one object so far."""

    predicted_id: int | None
    frame_indices: list[int] = field(default_factory=list)
    present: list[bool] = field(default_factory=list)
    regions: list[float] = field(default_factory=list)
    boundaries: list[float] = field(default_factory=list)


class MovieScorer:
    """Collects scores while frames come by; `evaluate` is the usual way to drive it.

    Parameters
    ----------
    objects
    objects, last_frames, boundary
        As for `evaluate`.
    """

    def __init__(
        self,
        objects: Collection[int] | Mapping[int, int | None] | None = None,
        *,
        last_frames: Mapping[int, int] | None = None,
        boundary: bool = True,
    ) -> None:
        self._open_end = objects is None
        self._last_frames = dict(last_frames or {})
        self._boundary = boundary
        if not isinstance(objects, Mapping):
            objects = {object_id: object_id for object_id in objects or ()}
        _check_ids(objects)
        self._records = {
            object_id: _Record(predicted_id)
            for object_id, predicted_id in objects.items()
        }
        self._frame_count = 0

    def add(self, frame_index: int, truth: np.ndarray, prediction: np.ndarray) -> None:
        """Score one frame of ``(Y, X)`` integer label images."""
        _check(frame_index, truth, prediction)
        overlaps = count_overlaps(truth, prediction)
        for object_id, record in self._noted(frame_index, overlaps):
            if self._boundary:
                # No label is −1: nothing was predicted.
                wanted = -1 if record.predicted_id is None else record.predicted_id
                value = boundary_similarity(truth == object_id, prediction == wanted)
                record.boundaries.append(value)

    def add_overlaps(self, frame_index: int, overlaps: Overlaps) -> None:
        """Score J alone, of one frame or stack, by what was counted there."""
        for _ in self._noted(frame_index, overlaps):
            pass

    def _noted(
        self, frame_index: int, overlaps: Overlaps
    ) -> Iterator[tuple[int, _Record]]:
        """Note J of each object, and yield who is scored on the frame."""
        self._frame_count += 1
        if self._open_end:
            for object_id in overlaps.truth_area:
                self._records.setdefault(object_id, _Record(object_id))
        for object_id, record in self._records.items():
            if frame_index > self._last_frames.get(object_id, frame_index):
                continue
            record.frame_indices.append(frame_index)
            record.present.append(object_id in overlaps.truth_area)
            record.regions.append(overlaps.region(object_id, record.predicted_id))
            yield object_id, record

    def result(self) -> MovieScore:
        """Return the scores so far.

        Raises
        ------
        InputError
            If nothing was scored, or a wanted object was in no frame of the truth.
        """
        for object_id, record in self._records.items():
            if not self._open_end and not any(record.present):
                raise InputError(
                    f"object {object_id} is in no scored frame of the truth: leave it "
                    "out, or check the frames"
                )
        scored = {
            key: value for key, value in self._records.items() if any(value.present)
        }
        if not scored:
            raise InputError(
                "nothing to score: the truth holds no object in the chosen frames, or "
                "no object was chosen"
            )
        scores = [
            ObjectScore(
                object_id=object_id,
                predicted_id=record.predicted_id,
                frame_indices=tuple(record.frame_indices),
                present=tuple(record.present),
                region_by_frame=tuple(record.regions),
                boundary_by_frame=tuple(record.boundaries),
            )
            for object_id, record in sorted(scored.items())
        ]
        return MovieScore(tuple(scores), self._frame_count)


def _check_ids(pairs: Mapping[int, int | None]) -> None:
    """Refuse a mapping of ids to anything else, which would score 0 in silence."""
    for object_id, predicted_id in pairs.items():
        if not isinstance(predicted_id, (int, np.integer, type(None))):
            raise TypeError(
                f"object {object_id} is mapped to {predicted_id!r}, not to a predicted "
                "id; give list(mapping) where only the ids are meant"
            )


def _check(frame_index: int, truth: np.ndarray, prediction: np.ndarray) -> None:
    if truth.shape != prediction.shape or truth.ndim != 2:
        raise InputError(
            f"frame {frame_index}: the truth is {truth.shape}, the prediction "
            f"{prediction.shape}; both must be (Y, X) of the same movie"
        )
    for name, labels in (("truth", truth), ("prediction", prediction)):
        if labels.dtype.kind not in "ui":
            raise InputError(
                f"frame {frame_index}: the {name} is {labels.dtype}, not an integer "
                "label image"
            )
