"""Frames that are filled up to a square instead of squashed into it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.errors import InputError
from napari_sam2.model.checkpoints.checkpoint import build_model, load_model, save_model
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.tiles import TileLayout
from napari_sam2.tracking.automatic.generator import MaskGenerator
from napari_sam2.tracking.automatic.mask_options import MaskOptions
from napari_sam2.tracking.postprocess import label_image
from napari_sam2.tracking.predictor import StreamingPredictor
from napari_sam2.tracking.preprocess import FrameGeometry, within_tile

SIDE = 64
LENGTHS = st.integers(9, 200)


def parts(low, high):
    return st.tuples(st.floats(low, high), st.floats(low, high)).map(sorted)


@given(st.tuples(LENGTHS, LENGTHS), parts(0, 1), parts(0, 1))
def test_prompts_and_masks_keep_their_shape_and_come_back(shape, rows, columns):
    layout = TileLayout.whole(shape).squared()
    geometry = FrameGeometry(layout.tile_shape, SIDE)
    scale = SIDE / max(shape)
    (y0, y1), (x0, x1) = (
        [part * (length - 1) for part in span]
        for span, length in zip((rows, columns), shape, strict=True)
    )
    mask = np.zeros(shape, dtype=bool)
    mask[round(y0) : round(y1) + 1, round(x0) : round(x1) + 1] = True
    click = FramePrompt(1, 0, (PointPrompt(y1, x1),), BoxPrompt(y0, x0, y1, x1))
    points, _ = geometry.prompt_points(within_tile(layout, click, 0))
    corners = np.array([(x0, y0), (x1, y1), (x1, y1)])
    np.testing.assert_allclose(points, corners * scale, rtol=1e-5, atol=1e-4)

    given_mask = within_tile(layout, FramePrompt(1, 0, mask=MaskPrompt(mask)), 0).mask
    inside = geometry.prompt_mask(given_mask).numpy()
    height, width = (int(np.ceil(length * scale)) for length in shape)
    assert not inside[0, height + 1 :].any()
    assert not inside[0, :, width + 1 :].any()
    back = label_image([1], inside * 20 - 10, shape, windows=layout.windows([0]))
    if inside.any():  # of something smaller than a pixel of the input little is left
        reach = int(np.ceil(1 / scale)) + 1
        near = np.pad(mask, reach)
        for axis in (0, 1):
            near = np.any(
                [np.roll(near, by, axis) for by in range(-reach, reach + 1)], axis=0
            )
        assert near[reach:-reach, reach:-reach][back > 0].all()
        assert abs(int((back > 0).sum()) - mask.sum()) <= 2 * reach * sum(shape)


@given(st.tuples(LENGTHS, LENGTHS))
def test_a_padded_layout_is_kept_in_json_and_is_no_region(shape):
    layout = TileLayout.whole(shape).squared()
    assert TileLayout.from_json(layout.as_json()) == layout
    assert layout.region is None
    frame = np.full((*shape, 3), 7, np.uint8)
    seen = layout.crop(frame, 0)
    assert seen.shape == (max(shape), max(shape), 3)
    assert seen.sum() == frame.sum()
    assert (seen[: shape[0], : shape[1]] == 7).all()


def test_a_padded_region_is_the_region_still_and_nothing_around_it():
    layout = TileLayout.of_region((60, 80), (10, 20, 16, 30)).squared()
    assert layout.region == (10, 20, 16, 30)
    seen = layout.crop(np.ones((60, 80), np.uint8), 0)
    assert seen.shape == (30, 30)
    assert seen.sum() == 16 * 30
    outside = FramePrompt(1, 0, (PointPrompt(35, 30),))
    with pytest.raises(InputError, match="not lie in the region"):
        within_tile(layout, outside, 0)


@pytest.fixture(scope="module")
def padding(tmp_path_factory):
    model = build_model("toy", seed=3)
    model.config = replace(model.config, frame_fit="pad")
    path = tmp_path_factory.mktemp("padding") / "padding.safetensors"
    save_model(model, path)
    return load_model(path)


def frames(shape):
    random = np.random.default_rng(5)
    return [random.integers(0, 255, (*shape, 3), np.uint8) for _ in range(3)]


def test_frames_are_tracked_as_squares_with_black_below(padding):
    shape = (40, 64)
    mask = np.zeros(shape, dtype=bool)
    mask[8:30, 20:50] = True
    square = np.pad(mask, [(0, 24), (0, 0)])
    predictor = StreamingPredictor(padding, frame_shape=shape, device="cpu")
    plain = StreamingPredictor(
        build_model("toy", seed=3), frame_shape=(64, 64), device="cpu"
    )
    for index, frame in enumerate(frames(shape)):
        said = [FramePrompt(1, 0, mask=MaskPrompt(mask))] if not index else []
        meant = [FramePrompt(1, 0, mask=MaskPrompt(square))] if not index else []
        step = predictor.step(index, frame, said)
        filled = np.pad(frame, [(0, 24), (0, 0), (0, 0)])
        expected = plain.step(index, filled, meant)
        np.testing.assert_array_equal(step.logits, expected.logits)
        np.testing.assert_array_equal(step.pointers, expected.pointers)


def test_everything_on_a_padded_frame_lies_on_the_frame(padding):
    shape = (40, 64)
    predictor = StreamingPredictor(padding, frame_shape=shape, device="cpu")
    options = MaskOptions(
        points_per_side=3,
        minimum_iou=0,
        minimum_stability=0,
        minimum_presence=-1024,
        maximum_share=1,
        crop_tiers=1,
    )
    found = MaskGenerator(predictor.network, options).find(0, frames(shape)[0])
    for mask in found:
        assert mask.on(shape).shape == shape
