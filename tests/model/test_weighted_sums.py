"""Sums of memories before they are projected are what plain attention gives."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.model import weighted_sums
from napari_sam2.model.weighted_sums import weighted_means

OVERFLOWS, VANISHES = 300.0, -300.0
"""Scores whose exponential is no number of float32, or nothing."""


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """Let a handful of queries and keys be several blocks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weighted_sums, "MOST_SCORES", 0)
        patch.setattr(weighted_sums, "BLOCK", 8)
        yield


@given(
    queries=st.integers(1, 20),
    keys=st.integers(1, 30),
    levels=st.lists(st.sampled_from([0.0, OVERFLOWS, VANISHES]), min_size=1),
    masked=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_blocks_give_what_plain_attention_gives(
    queries: int, keys: int, levels: list[float], masked: bool, seed: int
) -> None:
    """Whichever block the highest scores are in, and whichever keys exist."""
    random = torch.Generator().manual_seed(seed)
    query, key, value = (
        torch.randn(2, count, 5, generator=random) for count in (queries, keys, keys)
    )
    key[..., 0] += torch.tensor(levels).repeat(keys)[:keys]
    query[..., 0] = 1.0
    mask = torch.rand(2, keys, generator=random) < 0.6 if masked else None
    scores = query @ key.mT
    if mask is not None:
        mask[:, 0] = True
        scores = scores.masked_fill(~mask[:, None], -torch.inf)
    expected = torch.softmax(scores.double(), dim=-1) @ value.double()
    seen = weighted_means(query, key, value, mask)
    torch.testing.assert_close(seen.double(), expected, rtol=1e-3, atol=2e-4)


def test_a_number_that_is_none_stays_one() -> None:
    """Broken weights are told by who looks at masks, and are hidden nowhere."""
    tokens = torch.ones(1, 20, 5)
    broken = tokens.clone()
    broken[0, 3] = torch.nan
    assert weighted_means(tokens, broken, tokens, None).isnan().all()
