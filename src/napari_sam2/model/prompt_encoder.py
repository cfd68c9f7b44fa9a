"""Prompt encoder: clicks, boxes, coarse masks as tokens and a map (spec §1.6)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from napari_sam2.model.config import STRIDE
from napari_sam2.model.layers import LayerNorm2d
from napari_sam2.model.position import FourierPosition

MASK_CHANNELS = 16


class PointLabel(IntEnum):
    """What a point means to the prompt encoder."""

    PADDING = -1
    NEGATIVE = 0
    POSITIVE = 1
    BOX_FIRST = 2
    BOX_LAST = 3


@dataclass(frozen=True, slots=True)
class PromptTensors:
    """Prompts of a batch of objects, in the network's coordinates.

    Attributes
    ----------
    points
        ``(objects, n, 2)`` float ``(x, y)`` in pixels of the model's input, n may be 0.
        A box is two points, before the clicks.
    labels
        ``(objects, n)`` integer `PointLabel`.
    mask_logits
        ``(objects, 1, S/4, S/4)`` float mask logits, or None.
    """

    points: Float[Tensor, "objects n 2"]
    labels: Int[Tensor, "objects n"]
    mask_logits: Float[Tensor, "objects 1 h w"] | None = None

    @classmethod
    def empty(cls, objects: int, device: torch.device) -> PromptTensors:
        """No prompt at all: what tracked objects give."""
        return cls(
            torch.zeros(objects, 0, 2, device=device),
            torch.zeros(objects, 0, dtype=torch.long, device=device),
        )


class PromptEncoder(nn.Module):
    """Encode points as sparse tokens and mask logits as a dense map."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.position = FourierPosition(dim)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, dim) for _ in range(4))
        self.not_a_point = nn.Embedding(1, dim)
        self.no_mask = nn.Embedding(1, dim)
        quarter = MASK_CHANNELS // 4
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, quarter, 2, stride=2),
            LayerNorm2d(quarter),
            nn.GELU(),
            nn.Conv2d(quarter, MASK_CHANNELS, 2, stride=2),
            LayerNorm2d(MASK_CHANNELS),
            nn.GELU(),
            nn.Conv2d(MASK_CHANNELS, dim, 1),
        )

    def forward(
        self, prompts: PromptTensors, grid: int
    ) -> tuple[Float[Tensor, "objects tokens dim"], Tensor]:
        """Encode the prompts of all objects.

        Parameters
        ----------
        prompts
            Prompts in the network's coordinates.
        grid
            Side of the embedding, S / 16.

        Returns
        -------
        sparse, dense
            ``(objects, tokens, dim)`` and ``(objects or 1, dim, grid, grid)``.
        """
        sparse = self._encode_points(prompts.points, prompts.labels, grid * STRIDE)
        if prompts.mask_logits is None:
            dense = self.no_mask.weight[:, :, None, None].expand(-1, -1, grid, grid)
        else:
            dense = self.mask_downscaling(prompts.mask_logits)
        return sparse, dense

    def dense_position(self, grid: int) -> Float[Tensor, "1 dim grid grid"]:
        """Position encoding of the embedding's tokens."""
        return self.position.grid(grid, grid)

    def _encode_points(self, points: Tensor, labels: Tensor, image_size: int) -> Tensor:
        """Add the half-pixel shift and the padding point, then encode."""
        if points.shape[1] == 0:  # a tracked object: SAM 2 gives it a point of no kind
            points = points.new_zeros(points.shape[0], 1, 2)
            labels = labels.new_full((labels.shape[0], 1), PointLabel.PADDING)
        points = torch.cat((points + 0.5, points.new_zeros(len(points), 1, 2)), dim=1)
        labels = torch.cat(
            (labels, labels.new_full((len(labels), 1), PointLabel.PADDING)), dim=1
        )
        encoded = self.position(points / image_size)
        kind = labels[..., None]
        encoded = torch.where(
            kind == PointLabel.PADDING, self.not_a_point.weight, encoded
        )
        for label, embedding in enumerate(self.point_embeddings):
            weight = cast(nn.Embedding, embedding).weight
            encoded = torch.where(kind == label, encoded + weight, encoded)
        return encoded
