"""Memories that are shortened before a frame looks at them."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from napari_sam2.model.pooled_attention import attend_pooled

SIDE, MAPS, POINTERS, CHANNELS = 4, 3, 2, 8
PLACED = MAPS * SIDE**2


@pytest.fixture
def qkv():
    random = torch.Generator().manual_seed(3)

    def drawn(rows):
        return torch.randn(2, 1, rows, CHANNELS, generator=random)

    return drawn(SIDE**2), drawn(PLACED + POINTERS), drawn(PLACED + POINTERS)


def test_four_equal_tokens_weigh_as_four(qkv):
    queries, keys, values = qkv
    for x in (keys, values):
        corners = x[:, :, :PLACED].view(2, 1, MAPS, SIDE // 2, 2, SIDE // 2, 2, -1)
        corners[:] = corners[:, :, :, :, :1, :, :1]
    found = attend_pooled(queries, keys, values, PLACED, None, in_keys=False)
    expected = F.scaled_dot_product_attention(queries, keys, values)
    torch.testing.assert_close(found, expected)


def test_the_weight_may_stand_in_the_keys(qkv):
    queries, keys, values = qkv
    queries = queries / queries.sum(-1, keepdim=True) * math.sqrt(CHANNELS)
    by_score, by_key = (
        attend_pooled(queries, keys, values, PLACED, None, in_keys=in_keys)
        for in_keys in (False, True)
    )
    torch.testing.assert_close(by_score, by_key)


@pytest.mark.parametrize("in_keys", [False, True])
def test_what_others_of_a_batch_remember_changes_nothing(qkv, in_keys):
    """One remembers a map and a pointer, the other two maps and two pointers."""
    mask = torch.zeros(2, PLACED + POINTERS, dtype=torch.bool)
    mask[0, : SIDE**2] = mask[0, PLACED] = True
    mask[1, SIDE**2 :] = True
    together = attend_pooled(*qkv, PLACED, mask, in_keys=in_keys)
    for row, known in enumerate(mask):
        queries, keys, values = (x[row : row + 1] for x in qkv)
        kept = int(known[:PLACED].sum())
        alone = attend_pooled(
            queries,
            keys[:, :, known],
            values[:, :, known],
            kept,
            None,
            in_keys=in_keys,
        )
        torch.testing.assert_close(together[row : row + 1], alone)
