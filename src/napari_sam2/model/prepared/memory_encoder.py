"""The memory encoder with its maps channels last: norms and products in one call each.

Behind a convolution of one or few channels the planes are kept, where that is faster.
"""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam2.model.encoders.memory_encoder import FuserLayer, MemoryEncoder
from napari_sam2.model.layers import LayerNorm2d

LEAST_CHANNELS = 64
"""From so many on, maps lie channels last when they are normed."""


class PreparedMemoryEncoder(nn.Module):
    """Compute what a `MemoryEncoder` does.

    Parameters
    ----------
    encoder
        With the weights it shall have for good: some are taken from it now.
    """

    def __init__(self, encoder: MemoryEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        *halvings, self._last = cast(list[nn.Module], list(encoder.mask_downsampler))
        self._halvings = [
            _Halving(cast(nn.Conv2d, halvings[at]), cast(LayerNorm2d, halvings[at + 1]))
            for at in range(0, len(halvings), 3)
        ]
        self._fuser = [_Fuser(cast(FuserLayer, layer)) for layer in encoder.fuser]

    def forward(
        self,
        features: Float[Tensor, "#objects dim h w"],
        masks: Float[Tensor, "objects 1 S S"],
    ) -> Float[Tensor, "objects mem h w"]:
        """Encode scaled masks (probability × 20 − 10) on a frame's raw embedding."""
        x = masks
        for halve in self._halvings:
            x = halve(x)
        fused = _pointwise(x, cast(nn.Conv2d, self._last))
        fused += _pointwise(features, self.encoder.pix_feat_proj)
        for fuse in self._fuser:
            fused = fuse(fused)
        return _pointwise(fused, self.encoder.out_proj).contiguous()


class _Halving:
    """A convolution that halves a map, a norm over channels, and GELU."""

    def __init__(self, conv: nn.Conv2d, norm: LayerNorm2d) -> None:
        self.conv, self.norm = conv, norm
        self.channels, self.weight = (conv.out_channels,), conv.weight.detach()
        if conv.out_channels >= LEAST_CHANNELS:
            self.weight = self.weight.contiguous(memory_format=torch.channels_last)

    def __call__(self, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.weight, self.conv.bias, self.conv.stride, 1)
        if self.channels[0] < LEAST_CHANNELS:
            return F.gelu(self.norm(x))
        norm, x = self.norm, x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.channels, norm.weight, norm.bias, norm.eps)
        return F.gelu(x).permute(0, 3, 1, 2)


class _Fuser:
    """A `FuserLayer` whose last scale lies in its last product."""

    def __init__(self, layer: FuserLayer) -> None:
        self.layer = layer
        conv, last = layer.dwconv, layer.pwconv2
        weight, scale = conv.weight.detach(), layer.gamma.detach()
        self.weight = weight.contiguous(memory_format=torch.channels_last)
        self.last = (scale * last.weight.detach().t()).contiguous()
        self.last_bias = scale * cast(Tensor, last.bias).detach()

    def __call__(self, x: Tensor) -> Tensor:
        norm, conv = self.layer.norm, self.layer.dwconv
        channels = x.shape[1]
        rows = x.permute(0, 2, 3, 1).reshape(-1, channels)
        y = F.conv2d(x, self.weight, conv.bias, padding=3, groups=channels)
        y = y.permute(0, 2, 3, 1)
        y = F.layer_norm(y, (channels,), norm.weight, norm.bias, norm.eps)
        y = F.gelu(self.layer.pwconv1(y.reshape(-1, channels)))
        y = torch.addmm(rows + self.last_bias, y, self.last)
        return y.view(len(x), *x.shape[2:], channels).permute(0, 3, 1, 2)


def _pointwise(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """Apply a 1 × 1 convolution; the result lies channels last."""
    rows = F.linear(x.permute(0, 2, 3, 1), conv.weight.flatten(1), conv.bias)
    return rows.permute(0, 3, 1, 2)
