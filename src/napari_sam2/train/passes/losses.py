"""Losses of SAM 2: the best of the masks, predicted IoU, presence.

They compare logits with soft targets (the covered share of each pixel), either at the
low resolution of the logits, which costs a sixteenth, or at that of the model's input.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from napari_sam2.train.recipe.loss_weights import LossWeights, PixelLoss

FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 2.0

NEAR = 8
"""Pixels from an object up to which its neighbours' pixels count more."""


def soft_targets(masks: torch.Tensor, stride: int = 4) -> torch.Tensor:
    """Return ``(..., S/4, S/4)`` float: the share of each block inside the mask."""
    flat = masks.reshape(-1, 1, *masks.shape[-2:]).float()
    pooled = functional.avg_pool2d(flat, stride)
    return pooled.reshape(*masks.shape[:-2], *pooled.shape[-2:])


def pixel_weights(
    targets: torch.Tensor, others: torch.Tensor, weights: LossWeights
) -> torch.Tensor | None:
    """Return ``(objects, h, w)`` factors of the pixel loss; None if all are 1.

    Parameters
    ----------
    targets
        ``(objects, h, w)`` in 0…1.
    others
        ``(objects, h, w)`` in 0…1: where other labelled objects are.
    weights
        `LossWeights.neighbours` and `LossWeights.outline`.
    """
    if weights.neighbours == weights.outline == 1:
        return None
    near = functional.max_pool2d(targets, 2 * NEAR + 1, stride=1, padding=NEAR)
    factors = 1 + (weights.neighbours - 1) * others * (near > 0)
    grown = functional.max_pool2d(targets, 3, stride=1, padding=1)
    shrunk = -functional.max_pool2d(-targets, 3, stride=1, padding=1)
    return factors + (weights.outline - 1) * (grown - shrunk)


def pixel_loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    kind: PixelLoss = "cross-entropy",
    factors: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return ``(objects, masks)``: cross-entropy or focal loss, mean over pixels.

    With ``(objects, h, w)`` factors each pixel's loss is multiplied before the mean.
    """
    wide = targets.unsqueeze(1).expand_as(logits)
    loss = functional.binary_cross_entropy_with_logits(logits, wide, reduction="none")
    if kind == "focal":
        probability = logits.sigmoid()
        miss = probability * (1 - wide) + (1 - probability) * wide
        balance = FOCAL_ALPHA * wide + (1 - FOCAL_ALPHA) * (1 - wide)
        loss = balance * miss**FOCAL_GAMMA * loss
    if factors is not None:
        loss = loss * factors.unsqueeze(1)
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
    factors: torch.Tensor | None = None,
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
    factors
        Of each pixel, see `pixel_weights`.
    """
    present = targets.flatten(1).amax(dim=1) > 0
    pixels = pixel_loss(candidates, targets, weights.pixel_loss, factors)
    shape = weights.pixel * pixels
    shape = shape + weights.dice * dice_loss(candidates, targets)
    with torch.no_grad():
        actual = mask_iou(candidates, targets)
    quality = (candidate_iou - actual).abs().mean(dim=1)
    total = shape.amin(dim=1)
    if weights.every:
        total = total + weights.every * shape.mean(dim=1)
    total = total + weights.iou * quality
    presence = functional.binary_cross_entropy_with_logits(
        object_score, present.float(), reduction="none"
    )
    presence = torch.where(present, presence, weights.absent * presence)
    return torch.where(present, total, 0.0) + weights.presence * presence


def at_target_size(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Resize ``(objects, masks, h, w)`` logits to the size of the targets."""
    size = targets.shape[-2:]
    if logits.shape[-2:] == size:
        return logits
    return functional.interpolate(
        logits.float(), size, mode="bilinear", align_corners=False
    )
