"""Attention that sums what is remembered, and leaves projecting to who asks.

Projecting is linear and weights sum to one, so the order does not matter; of fewer
channels (memories have a quarter) the sum is that much less work. Sums of many numbers
round in another way than torch's fused attention does. On CPUs, in float32, without
gradients.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

MOST_SCORES = 2**20
"""Up to so many scores of queries by keys are held at once: 4 MiB, a cache's size."""

BLOCK = 512
"""So many queries by so many keys are a block: 1 MiB of scores."""

LEAST_SUM = 1e-20
"""Of weights whose scores nothing was taken from; below, what is small may be lost."""


def weighted_means(
    queries: Float[Tensor, "b queries dim"],
    keys: Iterable[Tensor],
    values: Float[Tensor, "b keys channels"],
    key_mask: Tensor | None,
) -> Float[Tensor, "b queries channels"]:
    """Return the mean of each row's values, by what its keys are to its queries.

    Parameters
    ----------
    queries
        Scaled.
    keys
        The ``(keys, dim)`` of each row, which may lie in the same memory.
    key_mask
        ``(b, keys)``, True for keys that exist; None when all do.
    """
    if queries.shape[1] * values.shape[1] <= MOST_SCORES:
        return _by_whole_rows(queries, keys, values, key_mask)
    means = []
    for row, (query, key, value) in enumerate(zip(queries, keys, values, strict=True)):
        exists = slice(None) if key_mask is None else key_mask[row]
        means.append(_by_blocks(query, key[exists], value[exists]))
    return torch.stack(means)


def _by_whole_rows(
    queries: Tensor, keys: Iterable[Tensor], values: Tensor, key_mask: Tensor | None
) -> Tensor:
    """Hold all scores of a row at once; those of all rows lie in the same memory."""
    scores = queries.new_empty(queries.shape[1], values.shape[1])
    means = []
    for row, (query, key, value) in enumerate(zip(queries, keys, values, strict=True)):
        torch.mm(query, key.t(), out=scores)
        if key_mask is not None:
            scores.masked_fill_(~key_mask[row], -torch.inf)
        torch.softmax(scores, dim=-1, out=scores)
        means.append(scores @ value)
    return torch.stack(means)


def _by_blocks(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Hold a block of scores at once, keys by queries, and look for no maximum.

    Softmax is the same whatever is taken from all scores of a query. Nothing need be,
    unless numbers overflow or vanish; then it is the maximum.
    """
    channels = torch.cat((value, value.new_ones(len(value), 1)), dim=1).t().contiguous()
    means = []
    for part in torch.split(query, BLOCK):
        part = part.t().contiguous()
        sums = _block_sums(part, key, channels)
        is_safe = torch.isfinite(sums).all() & (sums[-1].min() >= LEAST_SUM)
        if not is_safe:
            blocks = [torch.mm(some, part).amax(0) for some in torch.split(key, BLOCK)]
            sums = _block_sums(part, key, channels, torch.stack(blocks).amax(0))
        means.append(sums[:-1] / sums[-1])
    return torch.cat(means, dim=1).t()


def _block_sums(
    query: Tensor, key: Tensor, channels: Tensor, most: Tensor | None = None
) -> Tensor:
    """Return the ``(channels, queries)`` sums, by weights that do not sum to one.

    Parameters
    ----------
    query, channels
        ``(dim, queries)`` and ``(channels, keys)``.
    most
        What is taken from the scores of each query.
    """
    sums = query.new_zeros(len(channels), query.shape[1])
    scores = query.new_empty(min(BLOCK, len(key)), query.shape[1])
    blocks = zip(
        torch.split(key, BLOCK), torch.split(channels, BLOCK, dim=1), strict=True
    )
    for some, summed in blocks:
        block = torch.mm(some, query, out=scores[: len(some)])
        if most is not None:
            block -= most
        torch.addmm(sums, summed, block.exp_(), out=sums)
    return sums
