"""Single frames of the masklets: what prompts put into them, what is taken out.

Runs in the worker. What a prompt shows is written as tracking would write it: label
image, logits and scores of the frame fit together at any moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2.interfaces import FrameResult, ObjectScores
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.metrics.regions import areas
from napari_sam2.prompts import PromptedObject
from napari_sam2.session.book.state import BookState
from napari_sam2.session.composition import Composer
from napari_sam2.session.planning.plan import FrameRange, Plan, object_lives

if TYPE_CHECKING:
    from napari_sam2.tracking.step_result import StepResult

ABSENT = np.float32(-1024.0)
"""Logit, and object score, of what is not there; as the network gates it."""


class FrameMasks:
    """Composes single frames of a label store as the book has them; writes nothing.

    Parameters
    ----------
    store
        Where masklets are.
    book
        All objects, with their drawn masks and locks.
    """

    def __init__(self, store: OmeZarrLabelStore, book: BookState) -> None:
        self._store = store
        objects = [thing.as_prompted() for thing in book.objects]
        lives = object_lives(objects, store.frame_count)
        # What was removed from the book is still ours, where its masks are left.
        objects += [PromptedObject(one) for one in store.object_ids if one not in book]
        locks = {one.object_id: one.locked for one in book.objects if one.locked}
        plan = Plan(FrameRange(0, store.frame_count), locks=locks)
        self._composer = Composer(store, objects, lives, plan, has_foreign_labels=True)

    def with_step(self, step: StepResult) -> FrameResult:
        """Return a frame with the masks of a step among the others."""
        return self._composer.result(step, step.object_ids)

    def lives_on(self, frame_index: int, object_id: int) -> bool:
        """Whether an object can exist on a frame."""
        return self._composer.lives_on(frame_index, object_id)

    def absent_logits(self) -> np.ndarray:
        """Return ``(h, w)`` float32 logits of an object that is not there."""
        return np.full(self._store.logits_shape, ABSENT, np.float32)

    def without(self, frame_index: int, object_ids: Sequence[int]) -> FrameResult:
        """Return a frame on which some objects are absent."""
        count = len(object_ids)
        logits = np.repeat(self.absent_logits()[None], count, axis=0)
        absent, zeros = np.full(count, ABSENT, np.float32), np.zeros(count, np.float32)
        labels = self._composer.labels(frame_index, tuple(object_ids), logits)
        scores = ObjectScores(absent, zeros, zeros, np.zeros(count, np.int64))
        return FrameResult(frame_index, labels, tuple(object_ids), logits, scores)

    def with_logits(
        self, frame_index: int, logits: Mapping[int, np.ndarray]
    ) -> FrameResult:
        """Return a frame on which objects have other masks, and keep their scores.

        Parameters
        ----------
        frame_index
            The frame.
        logits
            By object: ``(h, w)`` float32.
        """
        ids = tuple(sorted(logits))
        stacked = np.stack([logits[one] for one in ids])
        labels = self._composer.labels(frame_index, ids, stacked)
        known_ids, known = self._store.read_scores(frame_index)
        rows = {one: row for row, one in enumerate(known_ids)}

        def kept(values: np.ndarray) -> np.ndarray:
            found = [values[rows[one]] if one in rows else 0.0 for one in ids]
            return np.asarray(found, np.float32)

        scores = ObjectScores(
            kept(known.object_score),
            kept(known.predicted_iou),
            kept(known.stability),
            areas(labels, ids),
        )
        return FrameResult(frame_index, labels, ids, stacked, scores)


def frames_of(
    store: OmeZarrLabelStore, object_ids: Sequence[int]
) -> dict[int, tuple[int, ...]]:
    """Return the frames that have a mask of any of the objects, and of which."""
    known = list(store.object_ids)
    sought = np.array([one for one in object_ids if one in known], np.int64)
    columns = [known.index(one) for one in sought.tolist()]
    has_mask = store.read_score_table("area")[:, columns] > 0
    return {
        frame: tuple(sought[has_mask[frame]].tolist())
        for frame in np.flatnonzero(has_mask.any(axis=1)).tolist()
    }
