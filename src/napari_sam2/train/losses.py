"""Losses of SAM 2: the best of the masks, predicted IoU, presence.

All work on low-resolution logits against soft targets (the covered share of each
low-resolution pixel), which costs a sixteenth of comparing at full size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the parts.

    ``every`` is the share that the mean over masks gets; ``dense`` belongs to the task
    of `napari_sam2.train.dense`.
    """

    pixel: float = 5.0
    dice: float = 1.0
    every: float = 0.1
    iou: float = 1.0
    presence: float = 0.4
    dense: float = 1.0


def soft_targets(masks: torch.Tensor, stride: int = 4) -> torch.Tensor:
    """Return ``(..., S/4, S/4)`` float: the share of each block inside the mask."""
    flat = masks.reshape(-1, 1, *masks.shape[-2:]).float()
    pooled = functional.avg_pool2d(flat, stride)
    return pooled.reshape(*masks.shape[:-2], *pooled.shape[-2:])


def pixel_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return ``(objects, masks)``: binary cross-entropy, mean over pixels."""
    wide = targets.unsqueeze(1).expand_as(logits)
    loss = functional.binary_cross_entropy_with_logits(logits, wide, reduction="none")
    return loss.mean(dim=(-2, -1))


def dice_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return ``(objects, masks)``: 1 − (2·overlap + 1) / (sum of both + 1)."""
    probability = logits.sigmoid()
    wide = targets.unsqueeze(1)
    overlap = (probability * wide).sum(dim=(-2, -1))
    total = probability.sum(dim=(-2, -1)) + wide.sum(dim=(-2, -1))
    return 1.0 - (2.0 * overlap + 1.0) / (total + 1.0)


def mask_iou(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return ``(objects, masks)``: IoU of logit > 0 and target ≥ 0.5."""
    guess = logits > 0  # two empty masks are equal: 1
    truth = (targets >= 0.5).unsqueeze(1)
    overlap = (guess & truth).sum(dim=(-2, -1)).float()
    union = (guess | truth).sum(dim=(-2, -1)).float()
    return torch.where(union > 0, overlap / union.clamp(min=1), torch.ones_like(union))


def prompt_losses(
    candidates: torch.Tensor,
    candidate_iou: torch.Tensor,
    object_score: torch.Tensor,
    targets: torch.Tensor,
    weights: LossWeights,
) -> torch.Tensor:
    """Return ``(objects,)``: the weighted loss of each object.

    Only the candidate with the least pixel + dice loss is taught its shape in full;
    the predicted IoU of all is. Where the object is absent (an empty target) only
    presence counts.

    Parameters
    ----------
    candidates
        ``(objects, m, h, w)`` ungated logits.
    candidate_iou
        ``(objects, m)`` predicted IoU.
    object_score
        ``(objects,)`` presence logits.
    targets
        ``(objects, h, w)`` in 0…1.
    weights
        Of the parts.
    """
    present = targets.flatten(1).amax(dim=1) > 0
    shape = weights.pixel * pixel_loss(candidates, targets)
    shape = shape + weights.dice * dice_loss(candidates, targets)
    with torch.no_grad():
        actual = mask_iou(candidates, targets)
    quality = (candidate_iou - actual).abs().mean(dim=1)
    total = shape.amin(dim=1) + weights.every * shape.mean(dim=1)
    total = total + weights.iou * quality
    presence = functional.binary_cross_entropy_with_logits(
        object_score, present.float(), reduction="none"
    )
    return torch.where(present, total, 0.0) + weights.presence * presence
