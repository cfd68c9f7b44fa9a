"""Candidate masks beside the chosen one, counted where they are.

What they say of divisions is in `division_evidence`, which knows no tensors.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_sam2.model.mask_decoder import RawMasks
from napari_sam2.tracking.division_evidence import APART, LIKE_SIZE


@dataclass(frozen=True, slots=True)
class Sisters:
    """Of each object the best candidate mask that lies apart, as sums.

    Attributes
    ----------
    iou
        ``(objects,)`` float32 predicted IoU, 0 where no candidate is a sister.
    pixels
        ``(objects, 3)`` int64: how many pixels the best candidate has, and the sums of
        their rows and of their columns.
    """

    iou: Tensor
    pixels: Tensor


def sisters(masks: Tensor, raw: RawMasks) -> Sisters:
    """Look for sisters where the masks are; nothing is waited for.

    Parameters
    ----------
    masks
        ``(objects, h, w)`` bool, the masks as the network gave them.
    """
    candidates = raw.logits[:, 1:] > 0
    common, areas = _areas(candidates & masks[:, None]), _areas(candidates)
    own_area = _areas(masks)[:, None]
    smaller, larger = areas.minimum(own_area), areas.maximum(own_area)
    is_sister = (common <= APART * smaller) & (smaller >= LIKE_SIZE * larger)
    is_sister &= (smaller > 0) & (raw.object_score > 0)[:, None]
    iou, best = raw.predicted_iou[:, 1:].float().mul(is_sister).max(dim=1)
    chosen = candidates[torch.arange(len(best), device=best.device), best]
    in_rows = chosen.view(torch.uint8).sum(2, dtype=torch.int64)
    in_columns = chosen.view(torch.uint8).sum(1, dtype=torch.int64)
    sums = [
        (counted * torch.arange(counted.shape[1], device=best.device)).sum(1)
        for counted in (in_rows, in_columns)
    ]
    return Sisters(iou, torch.stack((in_rows.sum(1), *sums), dim=1))


def _areas(masks: Tensor) -> Tensor:
    """Count the pixels of bool masks, as bytes: bools are slow to count on CPUs."""
    return masks.view(torch.uint8).sum((-2, -1), dtype=torch.int32)
