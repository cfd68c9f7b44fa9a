"""EdgeNeXt as trunk (of earlier nanos): four maps, of strides 4, 8, 16 and 32.

Most blocks are depthwise convolutions; the last of each later stage lets channels look
at each other over the whole map. Modules are named as timm names them, and compute what
timm's do, bit by bit. timm itself would bring torchvision and torch's compiler: twice
as long to import as torch.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam2.model.config import EdgeNextConfig
from napari_sam2.model.encoders.vision_transformer import MLP_RATIO, NORM_EPS, Mlp

KERNELS = (3, 5, 7, 9)
"""Sides of the depthwise convolutions of each stage."""
SPLITS = (1, 2, 3, 4)
"""Into how many parts the last block of a stage splits its channels; 1: it is none."""
PLACED_STAGE = 1
"""The stage whose channels are told where they are."""
PLACE_DIM, TEMPERATURE = 32, 10_000.0
LEAST_LENGTH = 1e-6
BRANCH_SCALE = 1e-6
"""What residual branches begin with."""
WEIGHT_DEVIATION = 0.02


class EdgeNext(nn.Module):
    """A stem and four stages."""

    def __init__(self, config: EdgeNextConfig) -> None:
        super().__init__()
        channels = config.channels
        self.stem_0 = nn.Conv2d(3, channels[0], 4, stride=4)
        self.stem_1 = ChannelNorm(channels[0], eps=NORM_EPS)
        for number, dim in enumerate(channels):
            before = channels[number - 1] if number else None
            stage = Stage(before, dim, number, config)
            self.add_module(f"stages_{number}", stage)
        self.apply(_begin)

    def forward(self, images: Float[Tensor, "b 3 S S"]) -> list[Tensor]:
        """Return the maps of all stages, fine to coarse."""
        x = self.stem_1(self.stem_0(images))
        maps = []
        for number in range(len(KERNELS)):
            x = self.get_submodule(f"stages_{number}")(x)
            maps.append(x)
        return maps


def _begin(module: nn.Module) -> None:
    """Draw the weights of a fresh module."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        limit = 2 * WEIGHT_DEVIATION
        nn.init.trunc_normal_(module.weight, 0.0, WEIGHT_DEVIATION, -limit, limit)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of ``(b, C, h, w)`` maps."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each place by itself."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Stage(nn.Module):
    """Halves a map, unless it is the first stage, and takes it through blocks."""

    def __init__(
        self, before: int | None, dim: int, number: int, config: EdgeNextConfig
    ) -> None:
        super().__init__()
        self.downsample: nn.Module = nn.Identity()
        if before is not None:
            norm = ChannelNorm(before, eps=NORM_EPS)
            self.downsample = nn.Sequential(norm, nn.Conv2d(before, dim, 2, stride=2))
        splits = SPLITS[number]
        near = config.depths[number] - (splits > 1)
        blocks: list[nn.Module] = [NearBlock(dim, KERNELS[number]) for _ in range(near)]
        if splits > 1:
            is_placed = number == PLACED_STAGE
            blocks.append(FarBlock(dim, config.heads, splits, is_placed=is_placed))
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Update a map."""
        out: Tensor = self.blocks(self.downsample(x))
        return out


class NearBlock(nn.Module):
    """A depthwise convolution and an MLP: each place looks at those around it."""

    def __init__(self, dim: int, kernel: int) -> None:
        super().__init__()
        self.conv_dw = nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=NORM_EPS)
        self.mlp = Mlp(dim, MLP_RATIO * dim)
        self.gamma = nn.Parameter(torch.full((dim,), BRANCH_SCALE))
        self.drop_path = nn.Identity()  # training may drop the branch here

    def forward(self, x: Float[Tensor, "b dim h w"]) -> Float[Tensor, "b dim h w"]:
        """Update a map."""
        branch = self.norm(self.conv_dw(x).permute(0, 2, 3, 1))
        branch = (self.gamma * self.mlp(branch)).permute(0, 3, 1, 2)
        out: Tensor = x + self.drop_path(branch)
        return out


class FarBlock(nn.Module):
    """Convolutions of parts of the channels, one on top of the other; then attention.

    Each part but the first is added to what came of the one before it, so that later
    ones have seen wider surroundings; the last is left as it is.
    """

    def __init__(self, dim: int, heads: int, splits: int, *, is_placed: bool) -> None:
        super().__init__()
        width = math.ceil(dim / splits)
        self.convs = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1, groups=width)
            for _ in range(splits - 1)
        )
        self.pos_embd = Places(dim) if is_placed else None
        self.norm_xca = nn.LayerNorm(dim, eps=NORM_EPS)
        self.gamma_xca = nn.Parameter(torch.full((dim,), BRANCH_SCALE))
        self.xca = ChannelAttention(dim, heads)
        self.norm = nn.LayerNorm(dim, eps=NORM_EPS)
        self.mlp = Mlp(dim, MLP_RATIO * dim)
        self.gamma = nn.Parameter(torch.full((dim,), BRANCH_SCALE))
        self.drop_path = nn.Identity()  # training may drop branches here

    def forward(self, x: Float[Tensor, "b dim h w"]) -> Float[Tensor, "b dim h w"]:
        """Update a map."""
        height, width = x.shape[2:]
        tokens = self._convolved(x).flatten(2).transpose(1, 2)
        if self.pos_embd is not None:
            tokens = tokens + self.pos_embd(height, width)
        seen = self.gamma_xca * self.xca(self.norm_xca(tokens))
        tokens = tokens + self.drop_path(seen)
        branch = self.norm(tokens.unflatten(1, (height, width)))
        branch = (self.gamma * self.mlp(branch)).permute(0, 3, 1, 2)
        out: Tensor = x + self.drop_path(branch)
        return out

    def _convolved(self, x: Tensor) -> Tensor:
        *parts, last = x.chunk(len(self.convs) + 1, dim=1)
        done: list[Tensor] = []
        for part, conv in zip(parts, self.convs, strict=True):
            done.append(conv(done[-1] + part if done else part))
        return torch.cat((*done, last), dim=1)


class ChannelAttention(nn.Module):
    """Attention between channels, by how alike they are over all places."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Float[Tensor, "b n dim"]) -> Float[Tensor, "b n dim"]:
        """Let each channel look at those of its head."""
        qkv = self.qkv(x).unflatten(2, (3, self.heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 4, 1)  # (b, heads, dim / heads, n)
        alike = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-2, -1)
        seen = (alike * self.temperature).softmax(dim=-1) @ value
        out: Tensor = self.proj(seen.permute(0, 3, 1, 2).flatten(2))
        return out


class Places(nn.Module):
    """Where each place of a map is, as channels."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.token_projection = nn.Conv2d(2 * PLACE_DIM, dim, 1)

    def forward(self, height: int, width: int) -> Float[Tensor, "1 n dim"]:
        """Return what is added to tokens."""
        weight = self.token_projection.weight
        waves = _waves(height, width).to(weight.device, weight.dtype)
        out: Tensor = self.token_projection(waves).flatten(2).transpose(1, 2)
        return out


@lru_cache(maxsize=4)
def _waves(height: int, width: int) -> Float[Tensor, "1 channels h w"]:
    """Return sines and cosines of rows, then of columns, of rising wavelength."""
    with torch.inference_mode(False):  # kept for calls that need gradients, too
        pair = torch.div(torch.arange(PLACE_DIM), 2, rounding_mode="floor")
        lengths = TEMPERATURE ** (2 * pair.float() / PLACE_DIM)
        axes = []
        for count in (height, width):
            place = torch.arange(1, count + 1, dtype=torch.float32)
            turns = place / (place[-1] + LEAST_LENGTH) * (2 * math.pi)
            angles = turns[:, None] / lengths
            both = torch.stack((angles[:, 0::2].sin(), angles[:, 1::2].cos()), dim=2)
            axes.append(both.flatten(1))
        rows = axes[0][:, None].expand(-1, width, -1)
        columns = axes[1][None].expand(height, -1, -1)
        return torch.cat((rows, columns), dim=2).permute(2, 0, 1)[None]
