"""How fast this machine tracks: measured on a few made-up frames before a long run."""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam2.batch.models import ModelOptions, loaded_model
from napari_sam2.batch.threads import TRIAL_SHAPE, frame_seconds, use_threads

FEW, MANY = 1, 5


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

    use_threads(options.threads, options.model)
    predictor = StreamingPredictor(
        loaded_model(options.model),
        frame_shape=TRIAL_SHAPE,
        image_size=options.image_size,
        device=options.device,
        precision=options.precision,
    )
    return frame_seconds(predictor, objects)
