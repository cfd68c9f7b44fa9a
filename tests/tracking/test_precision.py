"""Where the network runs, and in which numbers."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from napari_sam2.errors import InputError, ModelError
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.tracking.precision import choose_device, choose_precision
from napari_sam2.tracking.predictor import StreamingPredictor


def test_auto_takes_what_this_machine_has():
    device = choose_device("auto")
    assert device.type in ("cpu", "cuda", "mps")
    assert choose_precision("auto", torch.device("cpu")).name == "fp32"
    assert choose_precision("bf16", torch.device("cpu")).dtype is torch.bfloat16


def test_half_precision_stays_near_and_hands_out_float32(
    movie, prompts, make_predictor
):
    half, full = make_predictor(precision="bf16"), make_predictor()
    for predictor in (half, full):
        predictor.step(0, movie[0], prompts)
    result, expected = half.step(1, movie[1]), full.step(1, movie[1])
    assert result.logits.dtype == result.pointers.dtype == np.float32
    # No bit parity is promised, only the same picture.
    both = np.corrcoef(result.pointers.ravel(), expected.pointers.ravel())
    assert both[0, 1] > 0.8
    assert not torch.is_autocast_enabled("cpu")


def test_in_free_order_masks_are_the_same(model, movie, prompts, make_predictor):
    """Only rounding differs; the network that others use stays as it is."""
    fast, plain = make_predictor(precision="fp32-fast"), make_predictor()
    # What differs by 1e-6 may flip a bit of the memory, which is kept in bfloat16.
    for frame, (shown, most) in enumerate(((prompts, 1e-4), ((), 0.05))):
        seen, expected = (
            predictor.step(frame, movie[frame], shown).logits
            for predictor in (fast, plain)
        )
        assert 0 < np.abs(seen - expected).max() < most
        assert ((seen > 0) != (expected > 0)).mean() < 0.01
    assert fast.precision.name == "fp32-fast"  # which provenance and plans keep
    assert not model.config.free_order


def test_free_order_is_for_cpus():
    with pytest.raises(InputError, match="'fp32-fast' is for CPUs, not for cuda"):
        choose_precision("fp32-fast", torch.device("cuda"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 100}, "multiple of 32"),
        ({"image_size": 32 * 10**6}, "image size 32000000: a single object takes"),
        ({"precision": "int8"}, "precision 'int8'"),
    ],
)
def test_options_that_cannot_be_had_are_refused(make_predictor, options, message):
    with pytest.raises(InputError, match=message):
        make_predictor(**options)


@pytest.mark.parametrize("device", ["gpu", "meta", "xpu", "cpu:x", ""])
def test_an_unknown_device_is_refused(model, device):
    with pytest.raises(InputError, match=f"device '{device}': choose 'auto'"):
        StreamingPredictor(model, frame_shape=(8, 8), device=device)


def test_an_answer_that_is_no_number_ends_the_run(model, movie, prompts):
    """It looked like an absent object: empty labels, and no word."""
    broken = copy.deepcopy(model)
    *_, bias = broken.mask_decoder.pred_obj_score_head.parameters()
    bias.data.fill_(float("nan"))
    predictor = StreamingPredictor(broken, frame_shape=movie[0].shape[:2], device="cpu")
    with pytest.raises(ModelError, match=r"frame 0, object \d+: .*not finite"):
        predictor.step(0, movie[0], prompts)
    assert predictor.anchors() == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_missing_device_is_refused(model):
    with pytest.raises(InputError, match="this machine has none"):
        StreamingPredictor(model, frame_shape=(8, 8), device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_on_cuda_it_sees_what_the_cpu_sees(model, movie, prompts, precision):
    there = StreamingPredictor(
        copy.deepcopy(model),
        frame_shape=movie[0].shape[:2],
        device="cuda",
        precision=precision,
    )
    here = StreamingPredictor(model, frame_shape=movie[0].shape[:2], device="cpu")
    for frame_index, given in (
        (0, prompts),
        (1, ()),
        (2, ()),
        (2, [FramePrompt(1, 2, (PointPrompt(12, 12),))]),
    ):
        result = there.step(frame_index, movie[frame_index], given)
        expected = here.step(frame_index, movie[frame_index], given)
        assert result.object_ids == expected.object_ids
        both = np.corrcoef(result.pointers.ravel(), expected.pointers.ravel())
        assert both[0, 1] > 0.8
    restored = StreamingPredictor(
        there.network.model,
        frame_shape=movie[0].shape[:2],
        device="cuda",
        precision=precision,
    )
    restored.restore(there.snapshot())
    np.testing.assert_array_equal(
        restored.step(3, movie[3]).logits, there.step(3, movie[3]).logits
    )
