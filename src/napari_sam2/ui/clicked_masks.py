"""Masks of clicked frames in the label store, and what is taken out of it again.

Runs in the worker. What a click shows is written as tracking would write it: label
image, logits and scores of the frame fit together at any moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2.interfaces import FrameResult, ObjectScores, Progress
from napari_sam2.io.ome_zarr_labels import OmeZarrLabelStore
from napari_sam2.session.merge import merge_labels
from napari_sam2.session.plan import MergePolicy
from napari_sam2.tracking.postprocess import label_image

if TYPE_CHECKING:
    from napari_sam2.tracking.step_result import StepResult

ABSENT = np.float32(-1024.0)
"""Logit, and object score, of what is not there; as the network gates it."""

NO_RUN = Progress(stage=0, next_frame=None, plan_key="")
"""No plan has this key: a run that was stopped begins anew after a click."""


class ClickedMasks:
    """Writes single frames of a label store.

    Parameters
    ----------
    store
        Where masklets go.
    """

    def __init__(self, store: OmeZarrLabelStore) -> None:
        self._store = store

    def write(self, step: StepResult) -> None:
        """Put the masks of a step among the other masks of its frame."""
        scores = (step.object_score, step.predicted_iou, step.stability)
        self._write(step.frame_index, step.object_ids, step.logits, scores)

    def clear(self, frame_index: int, object_ids: Sequence[int]) -> None:
        """Take objects out of a frame."""
        count = len(object_ids)
        logits = np.full((count, *self._store.logits_shape), ABSENT, np.float32)
        absent = np.full(count, ABSENT, np.float32)
        zeros = np.zeros(count, np.float32)
        self._write(frame_index, tuple(object_ids), logits, (absent, zeros, zeros))

    def commit(self) -> None:
        """Make what was written durable, scores included."""
        self._store.commit(NO_RUN, None)

    def remove(self, object_ids: Sequence[int]) -> Iterator[int]:
        """Take objects out of all frames; yield each frame that has changed."""
        known = list(self._store.object_ids)
        gone = [one for one in object_ids if one in known]
        columns = [known.index(one) for one in gone]
        areas = self._store.read_score_table("area")[:, columns]
        for frame_index in np.flatnonzero((areas >= 0).any(axis=1)).tolist():
            self.clear(frame_index, gone)
            yield frame_index
        self.commit()

    def _write(
        self,
        frame_index: int,
        object_ids: Sequence[int],
        logits: np.ndarray,
        scores: tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> None:
        store = self._store
        others, other_logits = store.read_logits(frame_index, without=object_ids)
        tracked = label_image(
            (*object_ids, *others),
            np.concatenate((logits, other_logits)),
            store.frame_shape,
            store.array.dtype,
        )
        existing = store.read_labels(frame_index)
        labels = merge_labels(existing, tracked, store.object_ids, MergePolicy.KEEP)
        object_score, predicted_iou, stability = scores
        counts = np.bincount(labels.ravel(), minlength=max(object_ids) + 1)
        area = counts[list(object_ids)].astype(np.int64)
        result = ObjectScores(object_score, predicted_iou, stability, area)
        store.write(FrameResult(frame_index, labels, tuple(object_ids), logits, result))
