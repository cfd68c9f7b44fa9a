"""EfficientNet-Lite as trunk (nano_lite's): four maps, of strides 4, 8, 16 and 32.

Inverted residual blocks: a map is widened, each channel is looked through by itself,
and the map is narrowed again. What batch norms have counted is a scale and a shift for
each channel, and both are trained. Source: Tan and Le, "EfficientNet" (2019), and the
rows of its Lite0.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam2.model.config import EfficientNetLiteConfig, LiteStage


class EfficientNetLite(nn.Module):
    """A stem, and stages of blocks; all but the first one see strides of 4 and more."""

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__()
        self.maps = config.maps
        self.stem = ScaledConv(3, config.stem, 3, stride=2)
        self.blocks = nn.ModuleList()
        before, growth = config.stem, 1
        for stage in config.stages:
            self.blocks.append(_stage(before, stage, growth))
            before, growth = stage.channels, config.growth

    def forward(self, images: Float[Tensor, "b 3 S S"]) -> list[Tensor]:
        """Return the maps of the last stage at each stride, fine to coarse."""
        x = self.stem(images.contiguous(memory_format=torch.channels_last))
        seen = []
        for stage in self.blocks:
            x = stage(x)
            seen.append(x)
        return [seen[number] for number in self.maps]


def _stage(before: int, stage: LiteStage, growth: int) -> nn.Sequential:
    """Return the blocks of a stage, of which the first one may halve the map."""
    first = Block(before, stage.channels, stage.kernel, growth, stage.stride)
    others = (
        Block(stage.channels, stage.channels, stage.kernel, growth, 1)
        for _ in range(stage.depth - 1)
    )
    return nn.Sequential(first, *others)


class Block(nn.Module):
    """Widen, look around, narrow; added to what came in, where that has the shape."""

    def __init__(
        self, before: int, dim: int, kernel: int, growth: int, stride: int
    ) -> None:
        super().__init__()
        wide = growth * before
        self.widen = ScaledConv(before, wide, 1) if growth > 1 else nn.Identity()
        self.look = ScaledConv(wide, wide, kernel, stride=stride, groups=wide)
        self.narrow = ScaledConv(wide, dim, 1, clipped=False)
        self.is_residual = stride == 1 and before == dim
        self.drop_path = nn.Identity()  # training may drop the branch here

    def forward(self, x: Float[Tensor, "b before h w"]) -> Float[Tensor, "b dim h2 w2"]:
        """Update a map."""
        out: Tensor = self.narrow(self.look(self.widen(x)))
        return x + self.drop_path(out) if self.is_residual else out


class ScaledConv(nn.Module):
    """A convolution, scaled and shifted by channel, and clipped to 0…6.

    Of an even number of places the kernels of stride 2 see one more after the last than
    before the first, as TensorFlow lays them, where the weights come from.
    """

    def __init__(
        self,
        before: int,
        dim: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        clipped: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(dim, before // groups, kernel, kernel))
        self.scale = nn.Parameter(torch.ones(dim))
        self.shift = nn.Parameter(torch.zeros(dim))
        self.stride, self.groups, self.clipped = stride, groups, clipped
        first = (kernel - stride) // 2
        self.padding = first, kernel - stride - first
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Convolve a map."""
        first, last = self.padding
        if first != last:
            x = F.pad(x, (first, last, first, last))
            first = 0
        weight = self.weight * self.scale[:, None, None, None]
        out = F.conv2d(x, weight, self.shift, self.stride, first, groups=self.groups)
        return F.relu6(out) if self.clipped else out
