"""Changes of intensity: what they keep, and what they change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam2.train.data.appearance import (
    add_shot_noise,
    flicker,
    mix_channels,
    vary,
)


def test_bright_pixels_have_more_shot_noise():
    frames = torch.full((1, 3, 64, 128), 0.1)
    frames[..., 64:] = 0.9
    noisy = add_shot_noise(frames, np.random.default_rng(0))
    change = (noisy - frames)[0, 0]
    assert float(change.mean()) == pytest.approx(0, abs=0.02)
    dark, bright = change[:, :64].std(), change[:, 64:].std()
    assert float(bright / dark) == pytest.approx(3, rel=0.15)  # √(0.9 / 0.1)
    assert torch.allclose((noisy - frames)[:, 0], (noisy - frames)[:, 2])


def test_mixed_channels_keep_grey_and_stay_in_range():
    random = np.random.default_rng(1)
    grey = torch.rand(2, 1, 8, 8).expand(-1, 3, -1, -1)
    torch.testing.assert_close(mix_channels(grey, random), grey.contiguous())
    red = torch.zeros(1, 3, 8, 8)
    red[:, 0] = 1
    mixed = mix_channels(red, random)
    assert (mixed[:, 1] > 0).all()
    assert float(mixed.max()) <= 1


def test_flicker_is_smooth_in_space_and_changes_over_time():
    added = flicker(12, 128, np.random.default_rng(2))
    assert added.shape == (12, 1, 128, 128)
    beside = (added[..., 1:] - added[..., :-1]).std()
    later = (added[1:] - added[:-1]).std()
    assert 3 * float(beside) < float(later) < 0.2


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_varied_clips_are_reproducible_and_in_range(seed):
    frames = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    one, two = (vary(frames, np.random.default_rng(seed)) for _ in range(2))
    assert torch.equal(one, two)
    assert one.shape == frames.shape
    assert float(one.min()) >= 0
    assert float(one.max()) <= 1
