"""A plain vision transformer as trunk: one map of stride 16 (EfficientTAM's).

Most blocks look within windows; a few see the whole map. Modules are named as timm
names those of Hiera, so that one table translates the keys of both.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam2.model.config import STRIDE, VitConfig

PRETRAINED_GRID = 14
"""Side in tokens of the learned positions; other sizes are interpolated from them."""

MLP_RATIO = 4
NORM_EPS = 1e-6


class VisionTransformer(nn.Module):
    """Patches, learned positions and a row of blocks of one width."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        dim = config.channels[0]
        self.patch_embed = nn.ModuleDict(
            {"proj": nn.Conv2d(3, dim, STRIDE, stride=STRIDE)}
        )
        # The first position is that of a class token, which trunks do without.
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + PRETRAINED_GRID**2, dim))
        self.blocks = nn.Sequential(
            *(
                Block(dim, config.heads, 0 if n in config.whole else config.window)
                for n in range(config.depth)
            )
        )

    def forward(self, images: Float[Tensor, "b 3 S S"]) -> list[Tensor]:
        """Return the map of stride 16, alone in a list."""
        x = self.patch_embed["proj"](images).permute(0, 2, 3, 1)
        tokens: Tensor = self.blocks(x + self._positions(x.shape[1], x.shape[2]))
        return [tokens.permute(0, 3, 1, 2)]

    def _positions(self, height: int, width: int) -> Float[Tensor, "1 h w dim"]:
        side = PRETRAINED_GRID
        known = self.pos_embed[:, 1:].reshape(1, side, side, -1)
        if (height, width) == (side, side):
            return known
        known = known.permute(0, 3, 1, 2)
        resized = F.interpolate(
            known, (height, width), mode="bicubic", align_corners=False
        )
        return resized.permute(0, 2, 3, 1)


class Block(nn.Module):
    """Attention within windows (0: of the whole map) and an MLP; pre-norm."""

    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.attn = TokenAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.mlp = Mlp(dim, MLP_RATIO * dim)
        self.window = window

    def forward(self, x: Float[Tensor, "b h w dim"]) -> Float[Tensor, "b h w dim"]:
        """Update a map of tokens."""
        normed, shape = self.norm1(x), x.shape
        if not self.window:
            x = x + self.attn(normed.flatten(1, 2)).view(shape)
        else:
            x = x + from_windows(self.attn(to_windows(normed, self.window)), shape)
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class TokenAttention(nn.Module):
    """Self-attention of a row of tokens."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Float[Tensor, "b n dim"]) -> Float[Tensor, "b n dim"]:
        """Let each token look at all."""
        qkv = self.qkv(x).unflatten(2, (3, self.heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # (b, heads, n, dim / heads)
        seen = F.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.proj(seen.transpose(1, 2).flatten(2))
        return out


class Mlp(nn.Module):
    """Two linear layers, GELU between them."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Apply them to the last axis."""
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


def to_windows(
    x: Float[Tensor, "b h w dim"], side: int
) -> Float[Tensor, "windows n dim"]:
    """Cut maps into square windows, filled up with zeros behind."""
    height, width = x.shape[1:3]
    x = F.pad(x, (0, 0, 0, -width % side, 0, -height % side))
    batch, height, width, dim = x.shape
    x = x.reshape(batch, height // side, side, width // side, side, dim)
    return x.transpose(2, 3).flatten(3, 4).flatten(0, 2)


def from_windows(
    windows: Float[Tensor, "windows n dim"], shape: torch.Size
) -> Float[Tensor, "b h w dim"]:
    """Put windows together to maps of ``(b, h, w, dim)``."""
    batch, height, width, _ = shape
    side = round(windows.shape[1] ** 0.5)
    down, across = -(-height // side), -(-width // side)
    x = windows.view(batch, down, across, side, side, -1).transpose(2, 3)
    return x.flatten(3, 4).flatten(1, 2)[:, :height, :width]
