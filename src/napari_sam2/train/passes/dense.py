"""A dense task beside the prompts: every pixel says to which cell it belongs.

Prompted masks teach the trunk only what a few dozen objects need. A small head, used
in training alone, predicts for each low-resolution pixel whether it lies in a cell, on
an outline, and where its cell's centre is; all pixels of all cells teach at once.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from napari_sam2.model.config import LOGIT_STRIDE, Sam2Config
from napari_sam2.model.sam2 import ImageEmbedding

WIDTH = 32
OFFSET_UNIT = 8.0
"""Low-resolution pixels that count as 1 in the predicted way to the centre."""


class DenseHead(nn.Module):
    """Predict inside, outline and the way to the centre from an embedding."""

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        fine, coarse = config.high_res_dims
        self.tokens = nn.Conv2d(config.hidden_dim, WIDTH, 1)
        self.coarse = nn.Conv2d(coarse, WIDTH, 1)
        self.fine = nn.Conv2d(fine, WIDTH, 1)
        self.out = nn.Conv2d(WIDTH, 4, 3, padding=1)

    def forward(self, embedding: ImageEmbedding) -> torch.Tensor:
        """Return ``(frames, 4, S/4, S/4)``: two logits, then x and y to the centre."""
        fine, coarse = embedding.high_res
        size = fine.shape[-2:]
        mixed = self.fine(fine)
        for part in (self.coarse(coarse), self.tokens(embedding.features)):
            mixed = mixed + functional.interpolate(part, size, mode="bilinear")
        out: torch.Tensor = self.out(functional.gelu(mixed))
        return out


def dense_targets(labels: np.ndarray) -> torch.Tensor:
    """Return ``(frames, 4, S/4, S/4)`` targets of ``(frames, S, S)`` labels.

    Inside 0/1, outline 0/1, and the way to the centre in units of `OFFSET_UNIT`. The
    first two are NaN where it is not known what is there.
    """
    half = LOGIT_STRIDE // 2
    small = labels[:, half::LOGIT_STRIDE, half::LOGIT_STRIDE]
    targets = np.zeros((len(small), 4, *small.shape[1:]), np.float32)
    targets[:, 0] = small > 0
    outline = np.zeros(small.shape, bool)
    outline[:, 1:] |= small[:, 1:] != small[:, :-1]
    outline[:, :, 1:] |= small[:, :, 1:] != small[:, :, :-1]
    targets[:, 1] = outline
    y, x = np.indices(small.shape[1:])
    for frame, ids in enumerate(small):
        _, compact = np.unique(ids, return_inverse=True)
        compact = compact.reshape(ids.shape)
        area = np.bincount(compact.ravel())
        for channel, place in ((2, x), (3, y)):
            centre = np.bincount(compact.ravel(), place.ravel()) / area
            way = (centre[compact] - place) / OFFSET_UNIT
            targets[frame, channel] = np.where(ids > 0, way, 0.0)
    unknown = np.broadcast_to((small < 0)[:, None], targets[:, :2].shape)
    targets[:, :2][unknown] = np.nan
    return torch.from_numpy(targets)


def dense_loss(predicted: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the scalar loss: cross-entropies, and smooth L1 inside cells."""
    known = targets[:, :2].isfinite()
    flags = functional.binary_cross_entropy_with_logits(
        predicted[:, :2], targets[:, :2].nan_to_num(), reduction="none"
    )
    flags = (flags * known).sum() / known.sum().clamp(min=1)
    inside = targets[:, :1].nan_to_num()
    way = functional.smooth_l1_loss(
        predicted[:, 2:], targets[:, 2:], beta=0.3, reduction="none"
    )
    return 2.0 * flags + (way * inside).sum() / (2.0 * inside.sum()).clamp(min=1.0)
