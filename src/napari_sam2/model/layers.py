"""Small layers that several parts of the network share."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class LayerNorm2d(nn.Module):
    """Layer normalisation over the channels of an image map (eps 1e-6)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = 1e-6

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Normalise each pixel over its channels."""
        centred = x - x.mean(1, keepdim=True)
        variance = centred.pow(2).mean(1, keepdim=True)
        x = centred / torch.sqrt(variance + self.eps)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class MLP(nn.Module):
    """Linear layers with an activation between them.

    Parameters
    ----------
    dims
        Widths from input to output: ``(in, hidden, …, out)``.
    """

    def __init__(self, *dims: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Linear(n_in, n_out) for n_in, n_out in pairwise(dims)
        )

    def forward(self, x: Float[Tensor, "... n_in"]) -> Float[Tensor, "... n_out"]:
        """Apply the layers to the last axis."""
        *hidden, last = self.layers
        for layer in hidden:
            x = F.relu(layer(x))
        out: Tensor = last(x)
        return out


def conv_pair(
    x: Float[Tensor, "b n_in h w"], first: nn.Conv2d, second: nn.Conv2d
) -> Float[Tensor, "b n_out h w"]:
    """Apply two 1 × 1 convolutions in a row as one, that of their product.

    Much less work where the map between them is the widest; sums round otherwise.
    """
    narrow = second.weight.flatten(1)  # (n_out, n_between)
    weight = narrow @ first.weight.flatten(1)
    bias = None
    if first.bias is not None and second.bias is not None:
        bias = narrow @ first.bias + second.bias
    return F.conv2d(x, weight[..., None, None], bias)


def learned_embedding(*shape: int) -> nn.Parameter:
    """Make a learned constant, started as SAM 2 starts its own (truncated normal)."""
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(shape), std=0.02))
