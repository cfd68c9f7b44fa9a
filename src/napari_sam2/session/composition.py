"""The label image of a frame: all its objects, what people drew, what is locked.

What was locked comes first, then what was drawn, then the highest logit; labels that
nobody of the session owns meet the merge policy at last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np

from napari_sam2.interfaces import ABSENT_LOGIT, FrameResult, LabelStore, ObjectScores
from napari_sam2.metrics.regions import areas
from napari_sam2.prompts import PromptedObject
from napari_sam2.session.book.state import BookState
from napari_sam2.session.planning.plan import (
    FrameRange,
    MergePolicy,
    ObjectLife,
    Plan,
    object_lives,
)
from napari_sam2.tracking.division_evidence import chosen_evidence
from napari_sam2.tracking.postprocess import label_image

if TYPE_CHECKING:
    from napari_sam2.tracking.step_result import StepResult

LABEL_DTYPE = np.dtype(np.uint32)
"""Of composed label images; a store narrows them to its own type."""


Intensities = Callable[[int], np.ndarray]
"""Returns a frame in the movie's own units, ``(Y, X)``."""


class Composer:
    """Composes the frames of one plan, or of what is edited; writes nothing.

    Parameters
    ----------
    store
        Where the other masks of a frame are.
    objects
        All objects of the session: whoever competes for pixels.
    lives
        Their lives; an object does not compete where it cannot exist.
    plan
        Locks and merge policy.
    has_foreign_labels
        Whether the store may hold labels that no object of the session owns.
    intensities
        What the objects are measured by; None if they are not.
    painter
        Who makes label images of masks: `label_image`, or a tracker's own.
    """

    def __init__(  # noqa: PLR0913 - what a label image is made of
        self,
        store: LabelStore,
        objects: Sequence[PromptedObject],
        lives: Sequence[ObjectLife],
        plan: Plan,
        *,
        has_foreign_labels: bool,
        intensities: Intensities | None = None,
        painter: Callable[..., np.ndarray] = label_image,
    ) -> None:
        self.store, self.plan = store, plan
        self._paint = painter
        self.has_foreign_labels = has_foreign_labels
        self._intensities = intensities
        self._owned = sorted(
            {prompted.object_id for prompted in objects} | set(plan.locks)
        )
        self._lives = {life.object_id: life for life in lives}
        self._drawn: dict[int, dict[int, np.ndarray]] = {}
        for tracked in objects:
            for prompt in tracked.prompts:
                if prompt.mask is not None:
                    on_frame = self._drawn.setdefault(prompt.frame_index, {})
                    on_frame[tracked.object_id] = prompt.mask.mask

    @classmethod
    def for_book(
        cls,
        store: LabelStore,
        frame_count: int,
        book: BookState,
        intensities: Intensities,
    ) -> Self:
        """Return who composes single frames as the book has them."""
        objects = [state.as_prompted() for state in book.objects]
        lives = object_lives(objects, frame_count)
        # What was removed from the book is still ours, where its masks are left.
        removed = [
            PromptedObject(object_id)
            for object_id in store.object_ids
            if object_id not in book
        ]
        locks = {o.object_id: o.locked for o in book.objects if o.locked}
        return cls(
            store,
            [*objects, *removed],
            lives,
            Plan(FrameRange(0, frame_count), locks=locks),
            has_foreign_labels=True,
            intensities=intensities,
        )

    def result(self, step: StepResult, object_ids: Sequence[int]) -> FrameResult:
        """Return what is to be written of a step: only some of its objects.

        Areas are pixels of the label image.
        """
        rows = [step.object_ids.index(object_id) for object_id in object_ids]
        logits = step.logits[rows]
        tiles = step.tiles[rows]
        labels = self.labels(step.frame_index, tuple(object_ids), logits, tiles)
        scores = ObjectScores(
            object_score=step.object_score[rows],
            predicted_iou=step.predicted_iou[rows],
            stability=step.stability[rows],
            area=areas(labels, object_ids),
            division=chosen_evidence(step.division, rows),
        )
        ids = tuple(object_ids)
        return self._measurable(
            FrameResult(step.frame_index, labels, ids, logits, scores, tiles=tiles)
        )

    def absent_logits(self) -> np.ndarray:
        """Return ``(h, w)`` float32 logits of an object that is not there."""
        return np.full(self.store.logits_shape, ABSENT_LOGIT, np.float32)

    def without(self, frame_index: int, object_ids: tuple[int, ...]) -> FrameResult:
        """Return a frame on which some objects are absent.

        It is measured anew only where others come to light.
        """
        count = len(object_ids)
        logits = np.repeat(self.absent_logits()[None], count, axis=0)
        absent = np.full(count, ABSENT_LOGIT, np.float32)
        zeros = np.zeros(count, np.float32)
        labels = self.labels(frame_index, object_ids, logits)
        scores = ObjectScores(absent, zeros, zeros, np.zeros(count, np.int64))
        result = FrameResult(frame_index, labels, object_ids, logits, scores)
        before = self.store.read_labels(frame_index)
        is_uncovered = (labels != before) & (labels != 0)
        return self._measurable(result) if is_uncovered.any() else result

    def with_logits(
        self,
        frame_index: int,
        logits: Mapping[int, np.ndarray],
        tiles: Mapping[int, int] | None = None,
    ) -> FrameResult:
        """Return a frame on which objects have other masks, and keep their scores.

        Parameters
        ----------
        logits
            By object: ``(h, w)`` float32.
        tiles
            By object: which tile they cover; None for the first one.
        """
        ids = tuple(sorted(logits))
        stacked = np.stack([logits[object_id] for object_id in ids])
        covered = np.asarray([(tiles or {}).get(one, 0) for one in ids], np.int64)
        labels = self.labels(frame_index, ids, stacked, covered)
        known_ids, known = self.store.read_scores(frame_index)
        rows = {object_id: row for row, object_id in enumerate(known_ids)}

        def kept(values: np.ndarray) -> np.ndarray:
            found = [
                values[rows[object_id]] if object_id in rows else 0.0
                for object_id in ids
            ]
            return np.asarray(found, np.float32)

        scores = ObjectScores(
            kept(known.object_score),
            kept(known.predicted_iou),
            kept(known.stability),
            areas(labels, ids),
        )
        return self._measurable(
            FrameResult(frame_index, labels, ids, stacked, scores, tiles=covered)
        )

    def _measurable(self, result: FrameResult) -> FrameResult:
        """Return a frame with the intensities that its objects are measured by."""
        if self._intensities is None:
            return result
        return replace(result, image=self._intensities(result.frame_index))

    def labels(
        self,
        frame_index: int,
        object_ids: tuple[int, ...],
        logits: np.ndarray,
        tiles: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the label image of a frame with new masks of some of its objects.

        Parameters
        ----------
        frame_index
            The frame; the masks of its other objects are read from the store.
        object_ids
            Objects with new masks, none of them locked there.
        logits
            ``(objects, h, w)`` float32, theirs.
        tiles
            ``(objects,)`` integer, what each map covers; None for the first tile.

        Returns
        -------
        numpy.ndarray
            ``(Y, X)`` uint32.
        """
        locked = self._locked_at(frame_index)
        if tiles is None:
            tiles = np.zeros(len(object_ids), np.int64)
        labels = self._by_logits(frame_index, object_ids, logits, tiles)
        drawn = self._drawn.get(frame_index, {})
        for object_id in sorted(drawn, reverse=True):  # the lower id comes to lie above
            if object_id not in locked:
                labels[drawn[object_id]] = object_id
        if not (locked or self.has_foreign_labels):
            return labels
        existing = self.store.read_labels(frame_index)
        if locked:
            np.copyto(labels, existing, where=np.isin(existing, locked))
        if not self.has_foreign_labels:
            return labels
        return merge_labels(existing, labels, self._owned, self.plan.merge)

    def _by_logits(
        self,
        frame_index: int,
        object_ids: tuple[int, ...],
        logits: np.ndarray,
        tiles: np.ndarray,
    ) -> np.ndarray:
        """Let the masks compete that were neither drawn nor locked."""
        settled = {*self._drawn.get(frame_index, {}), *self._locked_at(frame_index)}
        rows = [row for row, one in enumerate(object_ids) if one not in settled]
        competing = [object_ids[row] for row in rows]
        others, other_logits = self.store.read_logits(
            frame_index, without=(*object_ids, *settled)
        )
        rivals = [
            row for row, one in enumerate(others) if self.lives_on(frame_index, one)
        ]
        rival_ids = [others[row] for row in rivals]
        if rivals or len(rows) < len(object_ids):
            competing += rival_ids
            logits = np.concatenate((logits[rows], other_logits[rivals]))
        layout, windows = self.store.layout, None
        if not layout.is_whole:
            of_rivals = self.store.read_tiles(frame_index, rival_ids)
            windows = layout.windows(np.concatenate((tiles[rows], of_rivals)))
        shape = self.store.frame_shape
        return self._paint(
            competing, logits, shape, LABEL_DTYPE, windows, layout.region
        )

    def lives_on(self, frame_index: int, object_id: int) -> bool:
        """Whether an object can exist on a frame."""
        life = self._lives.get(object_id)
        return life is not None and life.first <= frame_index <= life.last

    def _locked_at(self, frame_index: int) -> list[int]:
        return [one for one, frames in self.plan.locks.items() if frame_index in frames]


def merge_labels(
    existing: np.ndarray, tracked: np.ndarray, owned: Sequence[int], policy: MergePolicy
) -> np.ndarray:
    """Combine a frame's existing labels with the tracker's.

    Parameters
    ----------
    existing
        ``(Y, X)`` labels on disk; those of ``owned`` ids are the tracker's own earlier
        ones and are replaced.
    tracked
        ``(Y, X)`` new labels of all owned objects.
    owned
        Ids that belong to the tracker.
    policy
        What happens to the others.

    Returns
    -------
    np.ndarray
        ``(Y, X)`` labels to write.
    """
    foreign = np.where(np.isin(existing, list(owned)), 0, existing)
    if policy is MergePolicy.FILL and foreign.any():
        return existing
    if policy is MergePolicy.REPLACE:
        return np.where(tracked > 0, tracked, foreign)
    return np.where(foreign > 0, foreign, tracked)
