"""A toy network whose masks prove something, and a small movie for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from napari_sam2.model.config import CONFIGS
from napari_sam2.model.sam2 import Sam2
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.tracking.predictor import StreamingPredictor

SHAPE = (48, 64)
FRAMES = 24


def drawn_network(seed: int = 30) -> Sam2:
    """Return a toy network with random weights, whose masks and presence vary.

    Fresh networks see nothing anywhere: all tests would pass on empty masks. Every
    weight is drawn here, so that none depends on how a release of torch or timm begins.
    """
    model = Sam2(CONFIGS["toy"])
    random = torch.Generator().manual_seed(seed)
    for name, weights in sorted(model.state_dict().items()):
        drawn = torch.randn(weights.shape, generator=random)
        is_bias = name.endswith("bias")
        if "image_encoder.trunk" in name:
            if weights.ndim > 1 or is_bias:
                weights.copy_(0.02 * drawn)
        elif name.endswith("gamma"):
            weights.fill_(0.5)
        elif any(word in name for word in ("embed", "token", "gaussian")):
            weights.copy_(drawn)
        elif weights.ndim > 1:
            weights.copy_(drawn * 2 / weights[0].numel() ** 0.5)
        elif is_bias:
            weights.copy_(0.1 * drawn)
    return model.eval()


@pytest.fixture(scope="session")
def model() -> Sam2:
    return drawn_network()


def draw_frame(frame_index: int) -> np.ndarray:
    """Return one ``(48, 64, 3)`` uint8 frame of three drifting discs in noise."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = np.zeros((*SHAPE, 3))
    for disc, (row, column, radius) in enumerate(
        [(12, 12, 7), (30, 40, 9), (20, 52, 6)]
    ):
        distance = np.hypot(
            y - row - 0.4 * frame_index * (disc - 1), x - column - 0.5 * frame_index
        )
        image[distance < radius] = (200, 150, 100 + 50 * disc)
    noise = np.random.default_rng(frame_index).normal(20, 10, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def movie() -> list[np.ndarray]:
    return [draw_frame(frame_index) for frame_index in range(FRAMES)]


@pytest.fixture
def make_predictor(model: Sam2) -> Callable[..., StreamingPredictor]:
    """Return a maker of predictors on the CPU in float32."""

    def make(**options: object) -> StreamingPredictor:
        return StreamingPredictor(model, frame_shape=SHAPE, device="cpu", **options)

    return make


@pytest.fixture(scope="session")
def prompts() -> list[FramePrompt]:
    """One prompt of each kind on frame 0, for objects 1 to 5."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return [
        FramePrompt(1, 0, (PointPrompt(12, 12),)),
        FramePrompt(2, 0, (PointPrompt(30, 40), PointPrompt(3, 3, positive=False))),
        FramePrompt(3, 0, box=BoxPrompt(14, 46, 26, 58)),
        FramePrompt(4, 0, (PointPrompt(20, 50),), box=BoxPrompt(14, 46, 26, 58)),
        FramePrompt(5, 0, mask=MaskPrompt(np.hypot(y - 30, x - 40) < 9)),
    ]
