"""What is measured: a model, a size, a number of objects, a precision."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

FILLED = 16
"""Frames that are remembered before the first that is timed: every ring is full."""


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table.

    Attributes
    ----------
    model
        ``sam2.1_tiny`` and so on, or ``nano``.
    size
        Side of the model's input and of the frames in pixels.
    objects
        How many are tracked.
    precision
        ``fp32`` or ``bf16``.
    device
        ``cpu`` or ``cuda``.
    compiled
        Whether ``sam2`` is compiled, too (CUDA only).
    frames
        Of the movie; contenders that read it all do so before the first step.
    """

    model: str
    size: int
    objects: int
    precision: str = "fp32"
    device: str = "cpu"
    compiled: bool = False
    frames: int = FILLED + 8

    @property
    def title(self) -> str:
        """Return what the table calls it."""
        return f"{self.model} {self.size}, {self.objects} obj, {self.precision}"

    def as_dict(self) -> dict[str, object]:
        """Return the fields by name."""
        return asdict(self)

    def frame(self, index: int) -> np.ndarray:
        """Return a ``(size, size, 3)`` uint8 frame of coarse noise."""
        cells = np.random.default_rng(index).integers(
            0, 255, (self.size // 8, self.size // 8, 3), dtype=np.uint8
        )
        return np.ascontiguousarray(cells.repeat(8, axis=0).repeat(8, axis=1))

    def click(self, object_id: int) -> tuple[float, float]:
        """Return the ``(y, x)`` where an object, counted from 1, is clicked."""
        return (
            self.size * (object_id % 8 + 0.5) / 8,
            self.size * (object_id // 8 % 8 + 0.5) / 8,
        )


CPU_CASES = tuple(
    Case("sam2.1_tiny", size, objects)
    for size, objects in ((512, 1), (512, 16), (1024, 1), (1024, 16))
)

GPU_CASES = tuple(
    Case(model, 1024, objects, precision, "cuda", compiled=objects in (1, 16))
    for model, objects, precision in (
        ("sam2.1_tiny", 16, "bf16"),
        ("sam2.1_tiny", 1, "bf16"),
        ("sam2.1_tiny", 4, "bf16"),
        ("sam2.1_tiny", 64, "bf16"),
        ("sam2.1_base_plus", 1, "bf16"),
        ("sam2.1_base_plus", 16, "bf16"),
        ("sam2.1_tiny", 1, "fp32"),
        ("sam2.1_tiny", 16, "fp32"),
    )
)
