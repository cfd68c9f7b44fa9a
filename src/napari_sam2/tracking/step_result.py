"""What a step of the tracker tells: masks and scores of one frame, as numpy arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from napari_sam2.interfaces import DivisionEvidence, StoredAnchor
from napari_sam2.model.sam2 import Decoded
from napari_sam2.tracking.batching import Batch, BatchKind
from napari_sam2.tracking.division_evidence import (
    chosen_evidence,
    joined_evidence,
    unknown_evidence,
)
from napari_sam2.tracking.postprocess import OUTSIDE_LOGIT, stability


@dataclass(frozen=True, slots=True, eq=False)
class StepResult:
    """Masks and scores of the objects of one frame.

    Attributes
    ----------
    frame_index
        Frame that was shown.
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
class Prediction:
    """What the network said about one batch.

    Attributes
    ----------
    batch
        The objects.
    decoded
        The network's answer, on its device.
    logits, object_score, predicted_iou, pointers
        The same as float32 numpy arrays, holes filled.
    division
        Of tracked objects, what the raw masks say; unknown for others.
    """

    batch: Batch
    decoded: Decoded
    logits: np.ndarray
    object_score: np.ndarray
    predicted_iou: np.ndarray
    pointers: np.ndarray
    division: DivisionEvidence

    def without(self, pixels: np.ndarray) -> Prediction:
        """Return the same without ``(objects, h, w)`` bool pixels of the masks."""
        if not pixels.any():
            return self
        logits = self.decoded.logits
        outside = torch.from_numpy(pixels).to(logits.device)
        decoded = replace(
            self.decoded, logits=logits.masked_fill(outside, OUTSIDE_LOGIT)
        )
        kept = np.where(pixels, np.float32(OUTSIDE_LOGIT), self.logits)
        return replace(self, decoded=decoded, logits=kept)

    def stored_anchors(self) -> list[StoredAnchor]:
        """Return what a person sees, one per prompted object."""
        if self.batch.kind is BatchKind.TRACKED:
            return []
        return [
            StoredAnchor(
                object_id=object_id,
                frame_index=self.batch.frame_index,
                logits=self.logits[row].copy(),
                pointer=self.pointers[row].copy(),
                object_score=float(self.object_score[row]),
                predicted_iou=float(self.predicted_iou[row]),
                tile=self.batch.tile,
            )
            for row, object_id in enumerate(self.batch.object_ids)
        ]


def to_numpy(tensor: Tensor) -> np.ndarray:
    """Bring a tensor to the host as float32."""
    array: np.ndarray = tensor.float().cpu().numpy()
    return array


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
        (part.logits for part in seen),
        (logit_side, logit_side),
    )
    anchors = [anchor for part in seen for anchor in part.stored_anchors()]
    evidence = [unknown_evidence(len(replayed)), *(part.division for part in seen)]
    return StepResult(
        frame_index=frame_index,
        object_ids=tuple(ids[row] for row in order),
        logits=logits,
        object_score=joined(
            (anchor.object_score for anchor in replayed),
            (part.object_score for part in seen),
        ),
        predicted_iou=joined(
            (anchor.predicted_iou for anchor in replayed),
            (part.predicted_iou for part in seen),
        ),
        stability=stability(logits),
        pointers=joined(
            (anchor.pointer for anchor in replayed),
            (part.pointers for part in seen),
            (pointer_dim,),
        ),
        anchors=tuple(sorted(anchors, key=lambda anchor: anchor.object_id)),
        tiles=np.asarray(tiles, dtype=np.int64)[order],
        division=chosen_evidence(joined_evidence(evidence), order),
    )
