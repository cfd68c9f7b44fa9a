"""Image encoder: trunk, then a feature pyramid neck of common width (spec §1.1)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam2.model.config import Sam2Config
from napari_sam2.model.encoders.trunk import build_trunk
from napari_sam2.model.layers import LayerNorm2d, conv_pair


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
        self, maps: list[Tensor], narrowing: Sequence[nn.Conv2d]
    ) -> tuple[Float[Tensor, "frames dim h16 w16"], tuple[Tensor, ...]]:
        """Return the map at stride 16, and those at strides 4 and 8.

        That of stride 32 is used up in the first.

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
        return coarse + top_down.to(coarse.dtype), (finest, fine)


class PlainNeck(nn.Module):
    """Bring a trunk's one map to the width of the embedding.

    Parameters
    ----------
    channels, dim
        Channels of the trunk's map, and of the embedding.
    """

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            OrderedDict(
                conv_1x1=nn.Conv2d(channels, dim, 1, bias=False),
                norm_0=LayerNorm2d(dim),
                conv_3x3=nn.Conv2d(dim, dim, 3, padding=1, bias=False),
                norm_1=LayerNorm2d(dim),
            )
        )

    def forward(
        self, maps: list[Tensor], narrowing: Sequence[nn.Conv2d]
    ) -> tuple[Float[Tensor, "frames dim h16 w16"], tuple[Tensor, ...]]:
        """Return the embedding, and no finer maps, for there are none."""
        return self.layers(maps[0]), ()


class ImageEncoder(nn.Module):
    """Trunk and neck."""

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        self.trunk = build_trunk(config.trunk)
        channels, dim = config.trunk.channels, config.hidden_dim
        self.neck: nn.Module = (
            FeaturePyramidNeck(channels, dim, free_order=config.free_order)
            if config.has_fine_maps
            else PlainNeck(channels[0], dim)
        )

    def forward(
        self, images: Float[Tensor, "frames 3 S S"], narrowing: Sequence[nn.Conv2d]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Encode normalised images; map of stride 16, those of 4 and 8, narrowed."""
        out: tuple[Tensor, tuple[Tensor, ...]] = self.neck(
            self.trunk(images), narrowing
        )
        return out
