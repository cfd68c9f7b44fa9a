"""Attention by blocks says what torch's own attention says."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from napari_sam2.model.attention import (
    BLOCK,
    RotaryAttention,
    Rotation,
    attend_by_blocks,
)
from napari_sam2.model.position import rotary_angles


def drawn(queries: int, keys: int, spread: float) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(queries + keys)
    shapes = (2, queries, 32), (2, keys, 32), (2, keys, 8)
    q, k, v = (torch.randn(shape, generator=generator) for shape in shapes)
    return spread * q, k, v


@pytest.mark.parametrize(
    ("queries", "keys"), [(1, 1), (7, BLOCK + 1), (BLOCK + 3, 2 * BLOCK), (64, 100)]
)
@pytest.mark.parametrize("spread", [0.1, 1.0, 100.0])
def test_blocks_sum_up_to_the_softmax(queries: int, keys: int, spread: float) -> None:
    q, k, v = drawn(queries, keys, spread)
    expected = torch.softmax((q @ k.mT).double() / 32**0.5, dim=-1) @ v.double()
    # Scores of some hundreds are themselves known to 1e-5 only, and so are weights.
    tolerance = 1e-6 * max(spread, 2.0)
    assert (attend_by_blocks(q, k, v) - expected).abs().max() < 10 * tolerance


def test_keys_that_do_not_exist_are_not_seen() -> None:
    q, k, v = drawn(5, 3 * BLOCK, 1.0)
    exists = torch.rand(2, 3 * BLOCK, generator=torch.Generator().manual_seed(1)) < 0.4
    exists[0, :BLOCK] = False
    k[~exists] *= 1e6
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=exists[:, None])
    seen = attend_by_blocks(q, k, v, exists)
    assert (seen - expected).abs().max() < 1e-5


@pytest.mark.parametrize(("side", "unplaced"), [(4, 0), (16, 5)])
def test_without_gradients_small_maps_have_the_same_bits(
    side: int, unplaced: int
) -> None:
    """Turned in place or not, below a block the fused kernel sums alike."""
    torch.manual_seed(side)
    attention = RotaryAttention(32, heads=1, key_dim=8)
    rotation = Rotation(*rotary_angles(32, side, side, torch.device("cpu")))
    q = torch.randn(2, side**2, 32)
    k, v = torch.randn(2, 2, 3 * side**2 + unplaced, 8)
    expected = attention(q, k, v, rotation, unplaced_keys=unplaced)
    with torch.no_grad():
        seen = attention(q, k, v, rotation, unplaced_keys=unplaced)
    assert torch.equal(seen, expected.detach())


def test_without_gradients_large_maps_go_by_blocks() -> None:
    torch.manual_seed(1)
    side = 24
    attention = RotaryAttention(32, heads=1, key_dim=8)
    rotation = Rotation(*rotary_angles(32, side, side, torch.device("cpu")))
    q = torch.randn(1, side**2, 32)  # one row that two objects share
    k, v = torch.randn(2, 2, 3 * side**2 + 4, 8)
    exists = torch.rand(2, 3 * side**2 + 4) < 0.7
    expected = attention(q, k, v, rotation, unplaced_keys=4, key_mask=exists)
    with torch.no_grad():
        seen = attention(q, k, v, rotation, unplaced_keys=4, key_mask=exists)
    assert torch.allclose(seen, expected.detach(), atol=1e-6)
