"""Clips: masks move with the picture, prompts lie where they should."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam2.metrics.clicks import bounding_box, deepest_pixel
from napari_sam2.train.data.clips import (
    animate,
    choose_objects,
    choose_touching,
    make_clip,
)
from napari_sam2.train.data.examples import Corpus, object_table, prepare
from napari_sam2.train.data.motion import (
    CropStyle,
    elastic,
    sample_frames,
    sample_labels,
    sampling_grid,
)
from napari_sam2.train.data.prompts import (
    click_beside,
    click_inside,
    click_outside,
    coarse_logits,
    jittered_box,
)


def discs(side: int = 160, spacing: int = 32, radius: int = 11) -> np.ndarray:
    """Label image of a lattice of discs."""
    y, x = np.mgrid[:side, :side]
    labels = np.zeros((side, side), np.int32)
    centres = np.arange(spacing // 2, side, spacing)
    for index, (cy, cx) in enumerate((a, b) for a in centres for b in centres):
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = index + 1
    return labels


def example(labels: np.ndarray | None = None, frames: int = 1):
    labels = discs() if labels is None else labels
    picture = np.where(labels > 0, 220, 20).astype(np.uint8)
    stack = np.repeat(labels[None], frames, axis=0)
    return prepare(
        SimpleNamespace(
            name="discs",
            frames=np.repeat(picture[None, ..., None], frames, axis=0),
            labels=stack,
        )
    )


STYLE = CropStyle(frames=4, size=64, diameter=(12.0, 30.0))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_masks_move_with_the_picture(seed):
    frames, labels = animate(example(), STYLE, np.random.default_rng(seed))
    assert frames.shape == (4, 3, 64, 64)
    bright = frames[:, 0].numpy() > 120 / 255
    inside = labels > 0
    # Only pixels on the outlines (bilinear against nearest) may differ.
    assert np.mean(bright != inside) < 0.06


def test_identity_grid_reads_the_same_pixels():
    source = example()
    x, y = np.meshgrid(np.arange(20, 84), np.arange(30, 94))
    grid = np.stack([x, y], axis=-1)[None].astype(np.float32)
    frames = sample_frames(source, grid)
    expected = source.levels[0][0, 30:94, 20:84, 0] / 255
    np.testing.assert_allclose(frames[0, 0].numpy(), expected, atol=1e-5)
    labels = sample_labels(source.labels, grid)
    np.testing.assert_array_equal(labels[0], source.labels[0, 30:94, 20:84])


def test_outside_the_picture_is_background():
    source = example(np.ones((40, 40), np.int32))
    x, y = np.meshgrid(np.arange(-32, 32), np.arange(-32, 32))
    grid = np.stack([x, y], axis=-1)[None].astype(np.float32)
    labels = sample_labels(source.labels, grid)
    assert labels[0, 32:, 32:].all()
    assert labels.sum() == 32 * 32


def test_without_motion_all_frames_are_equal():
    style = CropStyle(frames=3, size=64, diameter=(12.0, 30.0), motion=0.0)
    grid = sampling_grid(example(), style, np.random.default_rng(5))
    np.testing.assert_allclose(grid[0], grid[2], atol=1e-4)


def test_deformation_bends_more_and_leaves_the_start():
    styles = [
        CropStyle(4, 64, (12.0, 30.0), motion=0.5, deformation=deformation)
        for deformation in (0.0, 1.0, 2.0)
    ]
    rigid, usual, lively = (
        elastic(style, np.random.default_rng(8)) for style in styles
    )
    np.testing.assert_allclose(rigid, np.repeat(rigid[:1], 4, axis=0), atol=1e-5)
    np.testing.assert_allclose(lively[0], usual[0], atol=1e-5)
    assert np.abs(usual[3] - usual[0]).max() > 0.1
    twice = 2 * (usual - usual[0])
    np.testing.assert_allclose(lively - lively[0], twice, atol=1e-3)


def test_central_object_gets_the_wanted_size():
    style = CropStyle(frames=1, size=128, diameter=(40.0, 40.0))
    sizes = []
    for seed in range(10):
        _, labels = animate(example(), style, np.random.default_rng(seed))
        sizes.append(object_table(labels[0])[:, 2].max())
    assert np.median(sizes) == pytest.approx(40, rel=0.15)


def test_movies_keep_their_own_motion():
    labels = np.stack([np.roll(discs(), shift, axis=1) for shift in range(0, 24, 4)])
    source = SimpleNamespace(
        name="rolling",
        frames=np.where(labels > 0, 200, 30).astype(np.uint8)[..., None],
        labels=labels,
    )
    style = CropStyle(frames=3, size=64, diameter=(20.0, 24.0), motion=0.0)
    frames, moved = animate(prepare(source), style, np.random.default_rng(1))
    assert np.any(moved[0] != moved[2])
    assert np.mean((frames[:, 0].numpy() > 0.45) != (moved > 0)) < 0.06


def test_chosen_objects_are_visible_and_all_different_if_possible():
    labels = discs()
    chosen = choose_objects(labels, 8, np.random.default_rng(0))
    assert len(set(chosen)) == 8
    assert np.isin(chosen, labels).all()
    few = np.where(labels <= 2, labels, 0)
    assert set(choose_objects(few, 5, np.random.default_rng(0))) == {1, 2}
    assert not len(choose_objects(np.zeros((9, 9), int), 3, np.random.default_rng(0)))


def test_objects_that_touch_are_chosen_together():
    labels = discs()
    labels[labels == 8] = 0
    labels[np.roll(labels == 7, 24, axis=1)] = 99
    for seed in range(5):
        random = np.random.default_rng(seed)
        assert set(choose_touching(labels, 2, random)) == {7, 99}
        assert {7, 99} <= set(choose_touching(labels, 4, random))


def test_where_none_touch_objects_are_chosen_as_usual():
    few = np.where(discs() <= 2, discs(), 0)
    random = np.random.default_rng(0)
    chosen = choose_touching(few, 5, random)
    assert len(chosen) == 5
    assert set(chosen) == {1, 2}
    assert not len(choose_touching(np.zeros((9, 9), int), 3, random))


def test_backward_clips_are_forward_clips_reversed():
    corpus = Corpus(((example(),),), (1.0,))
    style = CropStyle(3, 64, (12.0, 30.0), reverse=1.0)
    backward = make_clip(corpus, style, 3, np.random.default_rng(3)).labels
    forward = make_clip(
        corpus, CropStyle(3, 64, (12.0, 30.0)), 3, np.random.default_rng(3)
    ).labels
    np.testing.assert_array_equal(backward, forward[::-1])


def test_clips_are_reproducible():
    corpus = Corpus(((example(),),), (1.0,))
    one = make_clip(corpus, STYLE, 5, np.random.default_rng((1, 2)))
    two = make_clip(corpus, STYLE, 5, np.random.default_rng((1, 2)))
    assert torch.equal(one.frames, two.frames)
    assert torch.equal(one.masks, two.masks)
    assert one.masks[0].flatten(1).any(dim=1).all()


@st.composite
def blobs(draw):
    """A mask of some random rectangles that holds at least one pixel."""
    mask = np.zeros((40, 48), bool)
    for _ in range(draw(st.integers(1, 3))):
        y, x = draw(st.integers(0, 35)), draw(st.integers(0, 43))
        mask[y : y + draw(st.integers(1, 20)), x : x + draw(st.integers(1, 20))] = True
    return mask


@settings(deadline=None, max_examples=60)
@given(blobs(), st.integers(0, 1000))
def test_clicks_lie_inside(mask, seed):
    random = np.random.default_rng(seed)
    assert mask[click_inside(mask, random)]
    assert mask[deepest_pixel(mask)]


@settings(deadline=None, max_examples=60)
@given(blobs(), st.integers(0, 1000))
def test_negative_clicks_lie_beside(mask, seed):
    y, x = click_beside(mask, np.random.default_rng(seed))
    assert not mask[y, x]
    y0, x0, y1, x1 = bounding_box(mask)
    assert y0 - (y1 - y0) - 6 <= y <= y1 + (y1 - y0) + 6
    assert x0 - (x1 - x0) - 6 <= x <= x1 + (x1 - x0) + 6


def test_deepest_pixel_is_the_first_in_row_order():
    mask = np.zeros((20, 20), bool)
    mask[3:8, 2:15] = True
    assert deepest_pixel(mask) == (5, 4)


@settings(deadline=None, max_examples=40)
@given(blobs(), st.integers(0, 1000))
def test_boxes_stay_in_the_picture_and_near_the_object(mask, seed):
    y0, x0, y1, x1 = jittered_box(mask, np.random.default_rng(seed))
    assert 0 <= y0 <= y1 <= mask.shape[0] - 1
    assert 0 <= x0 <= x1 <= mask.shape[1] - 1
    t0, l0, t1, l1 = bounding_box(mask)
    assert abs(y0 - t0) <= 0.6 * (t1 - t0 + 1)
    assert abs(x1 - l1) <= 0.6 * (l1 - l0 + 1)


def test_clicks_on_nothing_keep_away_from_objects():
    labels = discs()
    y, x = click_outside(labels, np.random.default_rng(0), distance=4)
    assert not labels[y - 3 : y + 4, x - 3 : x + 4].all()
    assert labels[y, x] == 0
    assert click_outside(np.ones((8, 8), int), np.random.default_rng(0)) is None


def test_coarse_logits_fill_the_box():
    logits = coarse_logits((8.0, 16.0, 23.0, 31.0), 64)
    assert logits.shape == (16, 16)
    assert set(np.unique(logits)) == {-10.0, 10.0}
    rows, columns = np.nonzero(logits > 0)
    assert (rows.min(), rows.max()) == (2, 5)
    assert (columns.min(), columns.max()) == (4, 7)
