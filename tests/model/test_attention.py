"""Attention gives the same numbers by each of its ways."""

from __future__ import annotations

import pytest
import torch

from napari_sam2.model.attention import RotaryAttention, Rotation
from napari_sam2.model.position import rotary_angles


@pytest.mark.parametrize(("side", "unplaced"), [(4, 0), (24, 5)])
def test_turned_in_place_they_have_the_bits_of_turned_copies(
    side: int, unplaced: int
) -> None:
    """Without gradients queries and keys are turned where they lie."""
    torch.manual_seed(side)
    attention = RotaryAttention(32, heads=1, key_dim=8)
    rotation = Rotation(*rotary_angles(32, side, side, torch.device("cpu")))
    q = torch.randn(2, side**2, 32)
    k, v = torch.randn(2, 2, 3 * side**2 + unplaced, 8)
    expected = attention(q, k, v, rotation, unplaced_keys=unplaced)
    with torch.no_grad():
        seen = attention(q, k, v, rotation, unplaced_keys=unplaced)
    assert torch.equal(seen, expected.detach())


@pytest.mark.parametrize("rows", [1, 3])
def test_summed_first_they_are_what_values_give_projected_first(rows: int) -> None:
    """In free order memories are summed and the sum is projected; masks hold, too."""
    torch.manual_seed(rows)
    attention = RotaryAttention(32, heads=1, key_dim=8, free_order=True)
    rotation = Rotation(*rotary_angles(32, 4, 4, torch.device("cpu")))
    q, (k, v) = torch.randn(rows, 16, 32), torch.randn(2, 3, 53, 8)
    mask = torch.rand(3, 53) < 0.7
    for key_mask in (None, mask):
        said = {"unplaced_keys": 5, "key_mask": key_mask}
        expected = attention(q, k, v, rotation, **said)
        with torch.no_grad():
            seen = attention(q, k, v, rotation, **said)
        torch.testing.assert_close(seen, expected.detach(), rtol=1e-4, atol=1e-6)
