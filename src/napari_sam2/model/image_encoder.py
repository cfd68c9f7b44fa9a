"""Image encoder: trunk, then a feature pyramid neck of common width (spec §1.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam2.model.config import Sam2Config
from napari_sam2.model.layers import conv_pair
from napari_sam2.model.trunk import build_trunk


class FeaturePyramidNeck(nn.Module):
    """Bring the trunk's maps to one width; the coarsest is added to the next finer.

    Parameters
    ----------
    channels
        Channels of the trunk's maps, fine to coarse.
    dim
        Channels of the neck's maps.
    free_order
        See `Sam2Config.free_order`.
    """

    def __init__(
        self, channels: tuple[int, ...], dim: int, *, free_order: bool = False
    ) -> None:
        super().__init__()
        self.free_order = free_order
        # Coarse to fine, as official checkpoints count them.
        self.laterals = nn.ModuleList(nn.Conv2d(c, dim, 1) for c in reversed(channels))

    def forward(
        self, maps: list[Tensor], narrowing: tuple[nn.Conv2d, nn.Conv2d]
    ) -> tuple[
        Float[Tensor, "frames c4 h4 w4"],
        Float[Tensor, "frames c8 h8 w8"],
        Float[Tensor, "frames dim h16 w16"],
    ]:
        """Return the maps at strides 4, 8 and 16; stride 32 is used up in the last.

        Parameters
        ----------
        maps
            Of the trunk, fine to coarse.
        narrowing
            1 × 1 convolutions that the maps at strides 4 and 8 go through at last.
        """
        laterals = cast(Iterable[nn.Conv2d], self.laterals)
        to_coarsest, to_coarse, to_fine, to_finest = laterals
        pairs = ((maps[0], to_finest, narrowing[0]), (maps[1], to_fine, narrowing[1]))
        if self.free_order and not torch.is_grad_enabled():
            finest, fine = (conv_pair(*pair) for pair in pairs)
        else:
            finest, fine = (narrow(lateral(x)) for x, lateral, narrow in pairs)
        coarse, coarsest = to_coarse(maps[2]), to_coarsest(maps[3])
        # float32: nearest interpolation in half precision would round the sum twice.
        top_down = F.interpolate(coarsest.float(), scale_factor=2.0, mode="nearest")
        return finest, fine, coarse + top_down.to(coarse.dtype)


class ImageEncoder(nn.Module):
    """Trunk and neck."""

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        self.trunk = build_trunk(config.trunk)
        self.neck = FeaturePyramidNeck(
            config.trunk.channels, config.hidden_dim, free_order=config.free_order
        )

    def forward(
        self,
        images: Float[Tensor, "frames 3 S S"],
        narrowing: tuple[nn.Conv2d, nn.Conv2d],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Encode normalised images; maps of stride 4 and 8, narrowed, and of 16."""
        out: tuple[Tensor, Tensor, Tensor] = self.neck(self.trunk(images), narrowing)
        return out
