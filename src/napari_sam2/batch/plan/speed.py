"""How fast this machine tracks: measured on a few made-up frames before a long run."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from napari_sam2.batch.job import ModelOptions
from napari_sam2.batch.models import loaded_model, use_threads
from napari_sam2.prompts import BoxPrompt, FramePrompt

SHAPE = (256, 256)
FEW, MANY = 1, 5
STEPS = 3


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds of a frame, and what each object adds to it."""

    frame: float
    object: float

    def seconds(self, frames: int, objects: int) -> float:
        """Return about how long a movie takes that is walked once."""
        return frames * (self.frame + objects * self.object)


def measure_speed(options: ModelOptions) -> Speed:
    """Track a few frames of noise with one object, and with several.

    Raises
    ------
    InputError, ModelError
        If model or device cannot be used.
    """
    few, many = _seconds(options, FEW), _seconds(options, MANY)
    each = max(0.0, (many - few) / (MANY - FEW))
    return Speed(max(0.0, few - FEW * each), each)


def _seconds(options: ModelOptions, objects: int) -> float:
    """Return the seconds of one frame with so many objects, the first not counted."""
    from napari_sam2.tracking.predictor import StreamingPredictor

    use_threads(options.threads)
    predictor = StreamingPredictor(
        loaded_model(options.model),
        frame_shape=SHAPE,
        image_size=options.image_size,
        device=options.device,
        precision=options.precision,
    )
    noise = np.random.default_rng(0)
    frames = noise.integers(0, 255, (STEPS + 2, *SHAPE, 3), np.uint8)
    box = BoxPrompt(100, 100, 150, 150)
    prompts = [FramePrompt(one + 1, 0, box=box) for one in range(objects)]
    predictor.step(0, frames[0], prompts)
    predictor.step(1, frames[1])
    begin = time.perf_counter()
    for index in range(STEPS):
        predictor.step(2 + index, frames[2 + index])
    return (time.perf_counter() - begin) / STEPS
