"""Scores and measurements of all objects on all frames, and what to look at first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np

from napari_sam2.interfaces import FrameResult
from napari_sam2.metrics.regions import measure
from napari_sam2.session.book.changes import BookChanges
from napari_sam2.session.book.state import BookState
from napari_sam2.session.scores.trust_model import FrameScores
from napari_sam2.session.scores.trust_rule import (
    REACH,
    TrustFunction,
    blinks,
    for_frames,
    in_blocks,
    neighbour_trust,
)

ScoreName = Literal["object_score", "predicted_iou", "stability"]
SCORES: tuple[ScoreName, ...] = ("object_score", "predicted_iou", "stability")
MEASURES = ("area", "y", "x", "intensity")
SIGNS_OF_TWO = ("second_part", "sister_iou")
COLUMNS = (*SCORES, *MEASURES, *SIGNS_OF_TWO)

DOUBTFUL = 0.5
"""Frames of less trust need review."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoreRow:
    """What became known of some objects on one frame.

    Attributes
    ----------
    object_ids
        Objects, in the order of the arrays.
    values
        ``(objects,)`` by the name of a column of `ScoreTables`; what is left out stays
        as it was.
    """

    frame_index: int
    object_ids: tuple[int, ...]
    values: dict[str, np.ndarray]

    @classmethod
    def of(cls, result: FrameResult, image: np.ndarray | None = None) -> Self:
        """Return scores and measurements of the objects of one step of the tracker.

        Parameters
        ----------
        image
            ``(Y, X)`` intensities, if the result carries none.
        """
        image = result.image if image is None else image
        scores = {name: getattr(result.scores, name) for name in SCORES}
        found = measure(result.labels, result.object_ids, image)
        measures = {"area": found.area, "y": found.centroid_y, "x": found.centroid_x}
        if image is not None:
            measures["intensity"] = found.mean_intensity
        values = scores | measures | _signs_of_two(result)
        return cls(result.frame_index, result.object_ids, values)


def _signs_of_two(result: FrameResult) -> dict[str, np.ndarray]:
    said = result.scores.division
    if said is not None:
        return {name: getattr(said, name) for name in SIGNS_OF_TWO}
    unknown = np.full(len(result.object_ids), np.nan, np.float32)
    return dict.fromkeys(SIGNS_OF_TWO, unknown)


@dataclass(eq=False)
class ScoreTables:
    """Scores and measurements by frame and object; NaN where unknown.

    `write` changes a table in place; its objects and its length never change.

    Attributes
    ----------
    object_ids
        Of the columns.
    frame_count
        T, the length of the movie.
    object_score, predicted_iou, stability
        ``(T, objects)`` float32, as in `ObjectScores`.
    area
        ``(T, objects)`` float32 pixels; 0 for an empty mask, NaN if never computed.
    y, x
        ``(T, objects)`` float32 centroid in pixels; NaN if there is no mask.
    intensity
        ``(T, objects)`` float32 mean over the mask, in the units of the movie.
    second_part, sister_iou
        ``(T, objects)`` float32, see `DivisionEvidence`; NaN where an object was
        prompted.
    trust_function
        Gives trust from the rest; `neighbour_trust` unless a fitted model is there.
    """

    object_ids: tuple[int, ...]
    frame_count: int
    object_score: np.ndarray
    predicted_iou: np.ndarray
    stability: np.ndarray
    area: np.ndarray
    y: np.ndarray
    x: np.ndarray
    intensity: np.ndarray
    second_part: np.ndarray
    sister_iou: np.ndarray
    trust_function: TrustFunction = neighbour_trust
    _known: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        shape = (self.frame_count, len(self.object_ids))
        for name in COLUMNS:
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{name} has shape {getattr(self, name).shape}, not {shape}"
                )

    @classmethod
    def empty(
        cls,
        object_ids: Sequence[int],
        frame_count: int,
        trust_function: TrustFunction = neighbour_trust,
    ) -> Self:
        """Return a table in which nothing is known."""
        shape = (frame_count, len(object_ids))

        unknown: dict[str, Any] = {
            name: np.full(shape, np.nan, np.float32) for name in COLUMNS
        }
        return cls(
            object_ids=tuple(object_ids),
            frame_count=frame_count,
            trust_function=trust_function,
            **unknown,
        )

    @cached_property
    def columns(self) -> dict[int, int]:
        """Column of each object."""
        return {one: column for column, one in enumerate(self.object_ids)}

    def with_objects(self, object_ids: Sequence[int]) -> ScoreTables:
        """Return a table of these objects; of new ones nothing is known.

        Copies all arrays, unless the objects are the same.
        """
        ids = tuple(object_ids)
        if ids == self.object_ids:
            return self
        kept = [object_id for object_id in ids if object_id in self.columns]
        old = [self.columns[object_id] for object_id in kept]
        new = [column for column, one in enumerate(ids) if one in self.columns]
        tables = ScoreTables.empty(ids, self.frame_count, self.trust_function)
        for name in COLUMNS:
            getattr(tables, name)[:, new] = getattr(self, name)[:, old]
        return tables

    def with_trust(self, trust_function: TrustFunction) -> ScoreTables:
        """Return the same scores, judged by another function."""
        return replace(self, trust_function=trust_function, _known={})

    def write(self, row: ScoreRow) -> None:
        """Write a frame's values of objects that have columns, in place.

        Costs nothing that grows with the movie.
        """
        columns = [self.columns[object_id] for object_id in row.object_ids]
        for name, values in row.values.items():
            getattr(self, name)[row.frame_index, columns] = values
        trust = self._known.get("trust")
        self._known.clear()
        if trust is not None:
            first = max(0, row.frame_index - REACH)
            stop = min(self.frame_count, row.frame_index + REACH + 1)
            trust[first:stop] = for_frames(
                self.trust_function, self.as_scores(), first, stop
            )
            self._known["trust"] = trust

    def as_scores(self) -> FrameScores:
        """Return what trust is judged by."""
        scores = {one.name: getattr(self, one.name) for one in fields(FrameScores)}
        return FrameScores(**scores)

    # --- Presence and trust

    def computed(self) -> np.ndarray:
        """Return ``(T, objects)`` bool: a mask is known, if only an empty one."""
        return self._once("computed", lambda: ~np.isnan(self.area))

    def presence(self) -> np.ndarray:
        """Return ``(T, objects)`` bool: the object has pixels."""
        return self._once("presence", lambda: self.area > 0)

    def trust(self) -> np.ndarray:
        """Return ``(T, objects)`` float32 in 0…1; NaN where never computed."""
        return self._once(
            "trust", lambda: in_blocks(self.trust_function, self.as_scores())
        )

    def mean_trust(self, object_ids: Sequence[int] | None = None) -> np.ndarray:
        """Return ``(objects,)`` mean trust where the object is; NaN if it never is."""
        _, columns = self._chosen(object_ids)
        present = self.presence()[:, columns]
        trust = self.trust()[:, columns]
        total = np.where(present, trust, 0).sum(axis=0, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            mean: np.ndarray = total / present.sum(axis=0)
        return mean

    def spans(
        self, object_ids: Sequence[int] | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return first and last frame with the object (−1: never) and their number.

        Each is ``(objects,)`` int.
        """
        _, columns = self._chosen(object_ids)
        present = self.presence()[:, columns]
        count = np.count_nonzero(present, axis=0)
        if self.frame_count == 0:
            return np.full_like(count, -1), np.full_like(count, -1), count
        first = np.where(count > 0, present.argmax(axis=0), -1)
        last = self.frame_count - 1 - present[::-1].argmax(axis=0)
        return first, np.where(count > 0, last, -1), count

    def displacement(
        self,
        scale: tuple[float, float] = (1.0, 1.0),
        object_ids: Sequence[int] | None = None,
    ) -> np.ndarray:
        """Return ``(T, objects)`` distance from the frame before; NaN if unknown.

        Parameters
        ----------
        scale
            Height and width of a pixel; the result is in the same unit.
        object_ids
            Which objects; all if left out.
        """
        _, columns = self._chosen(object_ids)
        y, x = self.y[:, columns] * scale[0], self.x[:, columns] * scale[1]
        moved = np.full_like(y, np.nan)
        moved[1:] = np.hypot(np.diff(y, axis=0), np.diff(x, axis=0))
        return moved

    # --- Review

    def unreviewed(
        self, book: BookState, object_ids: Sequence[int] | None = None
    ) -> np.ndarray:
        """Return ``(T, objects)`` bool: frames that only the tracker vouches for.

        The object is there, or it blinked; the frame is neither reviewed nor locked,
        and no anchor.

        Parameters
        ----------
        object_ids
            Which objects; all if left out.
        """
        ids, columns = self._chosen(object_ids)
        presence = self.presence()[:, columns]
        found: np.ndarray = presence | blinks(presence)
        for column, object_id in enumerate(ids):
            state = book.get(object_id)
            if state is None:
                found[:, column] = False
                continue
            for first, stop in (*state.reviewed.runs, *state.locked.runs):
                found[first:stop, column] = False
            found[list(state.anchors), column] = False
        return found

    def doubtful(
        self, book: BookState, object_ids: Sequence[int] | None = None
    ) -> np.ndarray:
        """Return ``(T, objects)`` bool: unreviewed frames of little trust."""
        _, columns = self._chosen(object_ids)
        with np.errstate(invalid="ignore"):
            is_low = self.trust()[:, columns] < DOUBTFUL
        return self.unreviewed(book, object_ids) & is_low

    def unanswered(self, state: BookState, changes: BookChanges) -> set[int]:
        """Return objects that were prompted, and of which nothing was found there.

        Parameters
        ----------
        state
            What is said after the changes.
        """

        def is_empty(object_id: int, frame_index: int) -> bool:
            prompt = state[object_id].prompt_at(frame_index)
            is_absence = prompt is not None and prompt.is_absence
            column = self.columns.get(object_id)
            found = column is None or self.area[frame_index, column] != 0
            return not (found or is_absence)

        return {
            object_id
            for object_id, frames in changes.prompted.items()
            if all(is_empty(object_id, frame_index) for frame_index in frames)
        }

    def worst_unreviewed(self, state: BookState) -> tuple[int, int] | None:
        """Return object and frame of least trust among those to be reviewed.

        Of equals the earliest frame; None if there is nothing to review.
        """
        open_ones = self.unreviewed(state)
        if not open_ones.any():
            return None
        trust = np.where(open_ones, self.trust(), np.inf)
        frame, column = np.unravel_index(int(np.argmin(trust)), trust.shape)
        return self.object_ids[int(column)], int(frame)

    def _chosen(
        self, object_ids: Sequence[int] | None
    ) -> tuple[Sequence[int], list[int] | slice]:
        """Return ids and columns of objects; of all if none are named."""
        if object_ids is None:
            return self.object_ids, slice(None)
        return object_ids, [self.columns[object_id] for object_id in object_ids]

    def _once(self, name: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        if name not in self._known:
            self._known[name] = compute()
        return self._known[name]
