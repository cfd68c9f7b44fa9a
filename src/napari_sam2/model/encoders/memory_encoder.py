"""Memory encoder: a mask and the frame it lies on become a spatial memory (§1.10)."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from napari_sam2.model.config import Sam2Config
from napari_sam2.model.layers import LayerNorm2d

DOWNSAMPLER_CHANNELS = (1, 4, 16, 64, 256)
FUSER_LAYERS = 2
LAYER_SCALE = 1e-6


def _mask_downsampler(dim: int) -> nn.Sequential:
    """Four halvings of the mask, then a projection to the embedding's width."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(DOWNSAMPLER_CHANNELS):
        layers += [
            nn.Conv2d(n_in, n_out, 3, stride=2, padding=1),
            LayerNorm2d(n_out),
            nn.GELU(),
        ]
    return nn.Sequential(*layers, nn.Conv2d(DOWNSAMPLER_CHANNELS[-1], dim, 1))


class FuserLayer(nn.Module):
    """A ConvNeXt block: depth-wise 7 × 7, then an MLP over channels."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(dim, dim, 7, padding=3, groups=dim)
        self.norm = LayerNorm2d(dim)
        self.pwconv1 = nn.Linear(dim, 4 * dim)
        self.act = nn.GELU()
        self.pwconv2 = nn.Linear(4 * dim, dim)
        self.gamma = nn.Parameter(torch.full((dim,), LAYER_SCALE))

    def forward(self, x: Float[Tensor, "b dim h w"]) -> Float[Tensor, "b dim h w"]:
        """Add the block's output to its input."""
        y = self.norm(self.dwconv(x)).permute(0, 2, 3, 1)  # (b, h, w, dim)
        y = self.gamma * self.pwconv2(self.act(self.pwconv1(y)))
        out: Tensor = x + y.permute(0, 3, 1, 2)
        return out


class MemoryEncoder(nn.Module):
    """Fuse a mask with the frame's embedding and shrink it to memory channels."""

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        dim = config.hidden_dim
        self.mask_downsampler = _mask_downsampler(dim)
        self.pix_feat_proj = nn.Conv2d(dim, dim, 1)
        self.fuser = nn.Sequential(*(FuserLayer(dim) for _ in range(FUSER_LAYERS)))
        self.out_proj = nn.Conv2d(dim, config.memory_dim, 1)

    def forward(
        self,
        features: Float[Tensor, "#objects dim h w"],
        masks: Float[Tensor, "objects 1 S S"],
    ) -> Float[Tensor, "objects mem h w"]:
        """Encode scaled masks (probability × 20 − 10) on a frame's raw embedding."""
        fused = self.pix_feat_proj(features) + self.mask_downsampler(masks)
        memory: Tensor = self.out_proj(self.fuser(fused))
        return memory
