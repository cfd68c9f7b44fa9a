"""Attention to memories that are shortened: their tokens two by two (EfficientTAM's).

Keys are maps of the queries' size, one after the other, then tokens without a place.
Each mean stands for four tokens, so ln 4 is added to its score. One map alone is looked
at as it is.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

SIDE = 2
"""Tokens across that become one."""

WEIGHT = 2 * math.log(SIDE)


def attend_pooled(
    queries: Float[Tensor, "b heads n c"],
    keys: Float[Tensor, "b heads keys c"],
    values: Float[Tensor, "b heads keys c"],
    placed: int,
    key_mask: Bool[Tensor, "b keys"] | None,
    *,
    in_keys: bool,
) -> Float[Tensor, "b heads n c"]:
    """Attend from queries to shortened keys.

    Parameters
    ----------
    queries, keys, values
        Projected and turned.
    placed
        How many keys, from the first, belong to maps.
    key_mask
        True for keys that exist; None when all do. Rows that remember one map see it as
        it is, whatever the others of the batch remember.
    in_keys
        Add the weight of a mean to each channel of its key, as the weights of one
        published variant were trained, instead of to its score.
    """
    tokens = queries.shape[2]
    if key_mask is None:
        key_mask = torch.ones(
            len(keys), keys.shape[2], dtype=torch.bool, device=keys.device
        )
    maps = key_mask[:, :placed].reshape(len(keys), -1, tokens).any(dim=2).sum(dim=1)
    out, alone = torch.empty_like(queries), maps < 2
    for rows in filter(torch.any, (alone, ~alone)):
        key, value, mask = keys[rows], values[rows], key_mask[rows]
        if not bool(alone[rows].any()):
            key, value, mask = _shortened(key, value, mask, placed, tokens, in_keys)
        out[rows] = F.scaled_dot_product_attention(
            queries[rows], key, value, attn_mask=mask[:, None, None]
        )
    return out


def _shortened(
    keys: Tensor, values: Tensor, mask: Tensor, placed: int, tokens: int, in_keys: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return fewer keys and values, and ``(b, keys)`` what is added to their scores."""

    def shorten(x: Tensor, weight: float = 0.0) -> Tensor:
        means = _means(x[:, :, :placed], tokens) + weight
        return torch.cat((means, x[:, :, placed:]), dim=2)

    # A mean exists where all that it stands for does.
    shares = shorten(mask[:, None, :, None].to(keys.dtype))[:, 0, :, 0]
    added = torch.zeros_like(shares)
    if not in_keys:
        added[:, : placed // SIDE**2] = WEIGHT
    added = added.masked_fill(shares < 1, -torch.inf)
    return shorten(keys, WEIGHT if in_keys else 0.0), shorten(values), added


def _means(
    x: Float[Tensor, "b heads maps_n c"], tokens: int
) -> Float[Tensor, "b heads means c"]:
    """Return the means of each two by two tokens of maps, one after the other."""
    across = math.isqrt(tokens) // SIDE
    squares = x.reshape(*x.shape[:2], -1, across, SIDE, across, SIDE, x.shape[-1])
    return squares.mean(dim=(4, 6)).flatten(2, 4)
