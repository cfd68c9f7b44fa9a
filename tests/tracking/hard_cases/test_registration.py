"""Jumps are told from cells that move, and both from another place."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam2.synthetic import MovieConfig
from napari_sam2.synthetic.staged import StagedMovie
from napari_sam2.tracking.hard_cases.registration import (
    Change,
    change_between,
    small_picture,
)


def picture(frame):
    low, high = np.percentile(frame, (0.1, 99.9))
    grey = np.clip((frame - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    return small_picture(np.repeat(grey[..., None], 3, axis=-1))


@pytest.fixture(scope="module", params=["nuclei", "phase", "bacteria"])
def pictures(request):
    config = MovieConfig(
        request.param,
        frame_count=7,
        frame_shape=(256, 256),
        cell_count=24,
        cell_size=20,
        speed=2.0,
        seed=5,
    )
    movie = StagedMovie(config, (120, 120), jumps=((2, -20, 31),), cuts=((4, 6),))
    return [picture(movie.frame(index)) for index in range(7)]


def test_cells_that_move_are_no_jump(pictures):
    assert change_between(pictures[0], pictures[1]) == Change()
    assert change_between(pictures[4], pictures[5]) == Change()


def test_a_jump_is_found_whichever_way_the_stream_runs(pictures):
    there = change_between(pictures[1], pictures[2])
    assert not there.is_cut
    np.testing.assert_allclose(there.shift, (-20, 31), atol=2)
    back = change_between(pictures[2], pictures[1])
    np.testing.assert_allclose(back.shift, np.negative(there.shift), atol=1)


def test_another_place_is_a_cut(pictures):
    assert change_between(pictures[3], pictures[4]).is_cut
    assert change_between(pictures[5], pictures[6]).is_cut


def test_of_noise_and_of_nothing_nothing_is_said():
    noise = np.random.default_rng(0).integers(0, 255, (2, 64, 96, 1), dtype=np.uint8)
    one, two = (small_picture(np.repeat(frame, 3, axis=-1)) for frame in noise)
    assert change_between(one, two) == Change()
    blank = small_picture(np.full((64, 96, 3), 7, np.uint8))
    assert change_between(blank, one) == change_between(blank, blank) == Change()
