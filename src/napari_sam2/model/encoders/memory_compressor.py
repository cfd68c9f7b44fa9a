"""A spatial memory becomes a few latents (EdgeTAM's 2D perceiver).

Half of them look at all of it; of the others each looks at its own window, so that they
lie on a grid. The result is laid out as a map again, the first above the second, for
memories are kept as maps.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam2.model.layers import learned_embedding
from napari_sam2.model.position import sine_position

LAYERS = 2
FEEDFORWARD_RATIO = 4


class MemoryCompressor(nn.Module):
    """Compress memories to twice ``side × side`` latents.

    Parameters
    ----------
    dim
        Channels of a memory.
    side
        Of the grid of latents; divides that of the tokens.
    """

    def __init__(self, dim: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.latents = learned_embedding(side**2, dim)
        self.latents_2d = learned_embedding(side**2, dim)
        self.layers = nn.ModuleList(PerceiverLayer(dim) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(dim)

    def forward(
        self, memory: Float[Tensor, "objects dim h w"]
    ) -> Float[Tensor, "objects dim rows side"]:
        """Return the latents of all, ``side`` rows, then those of windows, as many."""
        objects, dim, height, width = memory.shape
        place = sine_position(dim, height, width, memory.device)
        tokens, places = (x.flatten(2).transpose(1, 2) for x in (memory, place))
        across = self.side
        windows = (
            memory.reshape(objects, dim, across, height // across, across, -1)
            .permute(0, 2, 4, 3, 5, 1)
            .flatten(3, 4)
            .flatten(0, 2)
        )
        whole = self.latents.expand(objects, -1, -1)
        parts = self.latents_2d.expand(objects, -1, -1).reshape(-1, 1, dim)
        for layer in self.layers:
            whole = layer(whole, tokens, places)
            parts = layer(parts, windows)
        found = torch.cat((whole, parts.reshape(objects, -1, dim)), dim=1)
        laid: Tensor = self.norm(found).transpose(1, 2)
        return laid.reshape(objects, dim, 2 * across, across)


class PerceiverLayer(nn.Module):
    """Latents look at a memory, then at each other."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.attn = LatentAttention(dim, norms=("norm_latents", "norm_x"))
        self.ff = _feedforward(dim)
        self.self_attn = LatentAttention(dim, norms=("norm",))
        self.self_ff = _feedforward(dim)

    def forward(
        self,
        latents: Float[Tensor, "b latents dim"],
        tokens: Float[Tensor, "b tokens dim"],
        places: Float[Tensor, "1 tokens dim"] | None = None,
    ) -> Float[Tensor, "b latents dim"]:
        """Update the latents."""
        latents = latents + self.attn(latents, tokens, places)
        latents = latents + self.ff(latents)
        latents = latents + self.self_attn(latents)
        out: Tensor = latents + self.self_ff(latents)
        return out


class LatentAttention(nn.Module):
    """Attention of one head, normed before.

    Parameters
    ----------
    norms
        Names of the norms of latents and, where these look at others, of those.
    """

    def __init__(self, dim: int, norms: tuple[str, ...]) -> None:
        super().__init__()
        self.norms = norms
        for name in norms:
            self.add_module(name, nn.LayerNorm(dim))
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_kv = nn.Linear(dim, 2 * dim, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)

    def forward(
        self,
        latents: Tensor,
        tokens: Tensor | None = None,
        places: Tensor | None = None,
    ) -> Tensor:
        """Look at tokens, with their places in keys and values; else at each other."""
        latents = self.get_submodule(self.norms[0])(latents)
        if tokens is not None:
            tokens = self.get_submodule(self.norms[1])(tokens)
        key, value = self.to_kv(latents if tokens is None else tokens).chunk(2, dim=-1)
        if places is not None:
            key, value = key + places, value + places
        seen = F.scaled_dot_product_attention(self.to_q(latents), key, value)
        out: Tensor = self.to_out(seen)
        return out


def _feedforward(dim: int) -> nn.Sequential:
    hidden = FEEDFORWARD_RATIO * dim
    return nn.Sequential(
        nn.LayerNorm(dim),
        nn.Linear(dim, hidden, bias=False),
        nn.GELU(),
        nn.Linear(hidden, dim, bias=False),
    )
