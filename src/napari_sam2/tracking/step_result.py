"""What a step of the tracker tells: masks and scores of one frame, as numpy arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from napari_sam2.interfaces import ABSENT_LOGIT, DivisionEvidence, StoredAnchor
from napari_sam2.model.sam2 import Decoded
from napari_sam2.tiles import Window
from napari_sam2.tracking.batching import Batch, BatchKind
from napari_sam2.tracking.device.transfer import to_device
from napari_sam2.tracking.division_evidence import (
    chosen_evidence,
    joined_evidence,
    placed_apart,
    unknown_evidence,
)
from napari_sam2.tracking.postprocess import OUTSIDE_LOGIT, stability


@dataclass(frozen=True, slots=True, eq=False)
class StepResult:
    """Masks and scores of the objects of one frame.

    Attributes
    ----------
    object_ids
        Objects that were computed or replayed, ascending; the rows of all arrays.
    logits
        ``(objects, h, w)`` float32 low-resolution mask logits, holes filled.
    object_score
        ``(objects,)`` float32 presence logit.
    predicted_iou
        ``(objects,)`` float32 in 0…1.
    stability
        ``(objects,)`` float32 in 0…1, area at logit > +1 over area at logit > −1.
    pointers
        ``(objects, C)`` float32 object pointers.
    anchors
        What the person saw, of the objects that were prompted in this step.
    tiles
        ``(objects,)`` int64, the tile that each logit map covers.
    division
        What the raw masks said of divisions, before anything was cut off.
    """

    frame_index: int
    object_ids: tuple[int, ...]
    logits: np.ndarray
    object_score: np.ndarray
    predicted_iou: np.ndarray
    stability: np.ndarray
    pointers: np.ndarray
    anchors: tuple[StoredAnchor, ...]
    tiles: np.ndarray
    division: DivisionEvidence


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What the network said about one batch, on the host.

    Attributes
    ----------
    logits, object_score, predicted_iou, pointers
        As in `StepResult`.
    division
        Of tracked objects, what the raw masks say; unknown for others.
    window
        Rows and columns of the frame that the masks cover.
    """

    logits: np.ndarray
    object_score: np.ndarray
    predicted_iou: np.ndarray
    pointers: np.ndarray
    division: DivisionEvidence
    window: Window


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the network said about one batch.

    Attributes
    ----------
    decoded
        The network's answer, on its device.
    arrive
        Waits for what the host is told.
    """

    batch: Batch
    decoded: Decoded
    arrive: Callable[[], Heard]

    @cached_property
    def heard(self) -> Heard:
        """The same on the host, holes filled; the first to ask waits for it.

        Raises
        ------
        ModelError
            If the answer is not finite.
        """
        return self.arrive()

    def without(self, pixels: np.ndarray) -> Prediction:
        """Return the same without ``(objects, h, w)`` bool pixels of the masks.

        What is cut off may be a daughter: she is where the object is not.
        """
        if not pixels.any():
            return self
        logits = self.decoded.logits
        outside = to_device(pixels, logits.device)
        decoded = replace(
            self.decoded, logits=logits.masked_fill(outside, OUTSIDE_LOGIT)
        )
        kept = np.where(pixels, np.float32(OUTSIDE_LOGIT), self.heard.logits)
        division = placed_apart(self.heard.division, pixels, self.heard.window)
        heard = replace(self.heard, logits=kept, division=division)
        return Prediction(self.batch, decoded, lambda: heard)

    def lowered(self, is_away: np.ndarray, by: float) -> Prediction:
        """Return the same with ``(objects,)`` bool of them away, however sure it was.

        Parameters
        ----------
        by
            Taken off their presence scores.
        """
        rows = to_device(is_away, self.decoded.logits.device)
        decoded = replace(
            self.decoded,
            logits=self.decoded.logits.masked_fill(rows[:, None, None], ABSENT_LOGIT),
            object_score=self.decoded.object_score - by * rows,
        )
        heard = replace(
            self.heard,
            logits=np.where(
                is_away[:, None, None], np.float32(ABSENT_LOGIT), self.heard.logits
            ),
            object_score=self.heard.object_score - np.float32(by) * is_away,
        )
        return Prediction(self.batch, decoded, lambda: heard)

    def stored_anchors(self) -> list[StoredAnchor]:
        """Return what a person sees, one per prompted object."""
        if self.batch.kind is BatchKind.TRACKED:
            return []
        heard = self.heard
        return [
            StoredAnchor(
                object_id=object_id,
                frame_index=self.batch.frame_index,
                logits=heard.logits[row].copy(),
                pointer=heard.pointers[row].copy(),
                object_score=float(heard.object_score[row]),
                predicted_iou=float(heard.predicted_iou[row]),
                tile=self.batch.tile,
            )
            for row, object_id in enumerate(self.batch.object_ids)
        ]


def step_result(
    frame_index: int,
    replayed: Sequence[StoredAnchor],
    seen: Sequence[Prediction],
    *,
    logit_side: int,
    pointer_dim: int,
) -> StepResult:
    """Join anchors that were replayed and batches that were computed, by object id."""
    ids = [anchor.object_id for anchor in replayed]
    ids += [object_id for part in seen for object_id in part.batch.object_ids]
    tiles = [anchor.tile for anchor in replayed]
    tiles += [part.batch.tile for part in seen for _ in part.batch.object_ids]
    order = np.argsort(np.asarray(ids, dtype=np.int64))

    def joined(
        stored: Iterable[np.ndarray | float],
        computed: Iterable[np.ndarray],
        shape: tuple[int, ...] = (),
    ) -> np.ndarray:
        parts = [*(np.asarray(value)[None] for value in stored), *computed]
        if not parts:
            return np.zeros((0, *shape), dtype=np.float32)
        if len(parts) == 1:
            return np.asarray(parts[0], dtype=np.float32)
        return np.concatenate(parts).astype(np.float32)[order]

    logits = joined(
        (anchor.logits for anchor in replayed),
        (part.heard.logits for part in seen),
        (logit_side, logit_side),
    )
    anchors = [anchor for part in seen for anchor in part.stored_anchors()]
    evidence = [
        unknown_evidence(len(replayed)),
        *(part.heard.division for part in seen),
    ]
    return StepResult(
        frame_index=frame_index,
        object_ids=tuple(ids[row] for row in order),
        logits=logits,
        object_score=joined(
            (anchor.object_score for anchor in replayed),
            (part.heard.object_score for part in seen),
        ),
        predicted_iou=joined(
            (anchor.predicted_iou for anchor in replayed),
            (part.heard.predicted_iou for part in seen),
        ),
        stability=stability(logits),
        pointers=joined(
            (anchor.pointer for anchor in replayed),
            (part.heard.pointers for part in seen),
            (pointer_dim,),
        ),
        anchors=tuple(sorted(anchors, key=lambda anchor: anchor.object_id)),
        tiles=np.asarray(tiles, dtype=np.int64)[order],
        division=chosen_evidence(joined_evidence(evidence), order),
    )
