"""Tracking with a network that compresses what it remembers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_sam2.errors import InputError
from napari_sam2.model.checkpoints.checkpoint import build_model
from napari_sam2.model.config import CONFIGS
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.tracking.memory.budget import bytes_remembered
from napari_sam2.tracking.predictor import StreamingPredictor

SHAPE = (64, 64)


@pytest.fixture(scope="module")
def model():
    return build_model(replace(CONFIGS["toy"], latents=2), seed=7)


def predictor(model, **options):
    return StreamingPredictor(model, frame_shape=SHAPE, device="cpu", **options)


def test_it_goes_on_from_a_snapshot_and_remembers_less(model):
    random = np.random.default_rng(1)
    frames = [random.integers(0, 255, (*SHAPE, 3), np.uint8) for _ in range(4)]
    whole = predictor(model)
    said = [FramePrompt(one, 0, (PointPrompt(20.0, 9.0 * one),)) for one in (1, 2)]
    for index in range(3):
        whole.step(index, frames[index], said if index == 0 else [])
    resumed = predictor(model)
    resumed.restore(whole.snapshot())
    steps = [each.step(3, frames[3]) for each in (whole, resumed)]
    np.testing.assert_array_equal(steps[0].logits, steps[1].logits)
    memory = whole.bank.anchor(1, 0).memory
    assert memory.shape == (model.config.memory_dim, 4, 2)
    assert bytes_remembered(model.config, 64) < bytes_remembered(CONFIGS["toy"], 64)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tile_size": 32}, "no map"),
        ({"hard_cases": ["stage-jumps"]}, "no map"),
        ({"image_size": 48}, "multiple of 32"),
    ],
)
def test_what_moves_memories_is_refused(model, options, words):
    with pytest.raises(InputError, match=words):
        predictor(model, **options)
