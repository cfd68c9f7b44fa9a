"""Image pixels and model pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_sam2.errors import InputError
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.tracking.preprocess import FrameGeometry

sizes = st.integers(1, 4000)
fractions = st.floats(0, 1, width=32)


@given(sizes, sizes, st.sampled_from([64, 256, 1024]), fractions, fractions)
def test_places_in_the_model_are_shares_of_the_frame(height, width, image_size, v, u):
    geometry = FrameGeometry((height, width), image_size)
    yx = np.asarray([[v * height, u * width]], dtype=np.float32)
    xy = geometry.to_model(yx)
    assert xy.dtype == np.float32
    assert (xy >= 0).all()
    assert (xy <= image_size * (1 + 1e-6)).all()
    expected = np.asarray([[u, v]]) * image_size
    np.testing.assert_allclose(xy, expected, rtol=1e-5, atol=1e-4)


def test_x_comes_first_and_each_axis_has_its_scale():
    geometry = FrameGeometry((100, 400), 64)
    np.testing.assert_allclose(geometry.to_model(np.asarray([[50, 100]])), [[16, 32]])


def test_a_box_is_two_points_before_the_clicks():
    prompt = FramePrompt(
        1,
        0,
        (PointPrompt(5, 6), PointPrompt(7, 8, positive=False)),
        box=BoxPrompt(1, 2, 3, 4),
    )
    points, labels = FrameGeometry((64, 64), 64).prompt_points(prompt)
    assert labels.tolist() == [2, 3, 1, 0]
    assert points.tolist() == [[2, 1], [4, 3], [6, 5], [8, 7]]
    assert points.dtype == np.float32
    assert labels.dtype == np.int64


@pytest.mark.parametrize("where", [(-1, 5), (5, 64), (48, 5), (float("nan"), 5)])
def test_a_click_outside_is_refused(where):
    prompt = FramePrompt(3, 7, (PointPrompt(*where),))
    with pytest.raises(InputError, match="object 3, frame 7: the click"):
        FrameGeometry((48, 64), 64).prompt_points(prompt)


def test_frames_become_what_the_official_loader_makes_of_them():
    frame = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(frame).resize((64, 64))) / 255.0
    expected = torch.from_numpy(pixels).permute(2, 0, 1).float()
    expected -= torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    expected /= torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    tensor = FrameGeometry((50, 70), 64).frame_tensor(frame)
    assert torch.equal(tensor, expected[None])


@pytest.mark.parametrize(
    "frame",
    [np.zeros((5, 5), np.uint8), np.zeros((5, 6, 3), np.uint8), np.zeros((5, 5, 3))],
)
def test_other_frames_are_refused(frame):
    with pytest.raises(InputError, match="uint8 RGB"):
        FrameGeometry((5, 5), 64).frame_tensor(frame)


def test_a_mask_is_resized_and_cut_at_one_half():
    mask = np.zeros((128, 128), dtype=bool)
    mask[20:60, 30:50] = True
    resized = FrameGeometry((128, 128), 64).prompt_mask(MaskPrompt(mask))
    assert resized.shape == (1, 64, 64)
    expected = torch.zeros(1, 64, 64)
    expected[:, 10:30, 15:25] = 1
    assert torch.equal(resized, expected)


def test_a_mask_of_the_models_size_is_taken_as_it_is():
    mask = np.random.default_rng(0).random((64, 64)) > 0.5
    resized = FrameGeometry((64, 64), 64).prompt_mask(MaskPrompt(mask))
    np.testing.assert_array_equal(resized[0].numpy(), mask)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(InputError, match=r"\(48, 64\)"):
        FrameGeometry((48, 64), 64).prompt_mask(MaskPrompt(np.zeros((64, 48), bool)))
