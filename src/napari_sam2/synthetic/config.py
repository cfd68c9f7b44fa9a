"""What a simulated movie is made of, and the three presets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from napari_sam2.errors import InputError

CellKind = Literal["nuclei", "phase", "bacteria", "filaments"]

RODS: tuple[CellKind, ...] = ("bacteria", "filaments")
"""Kinds that are long, grow in length alone, and are seen in phase contrast."""


SMALLEST_CELL = 4
"""Pixels."""


@dataclass(frozen=True, slots=True)
class MovieConfig:
    """Everything that decides a simulated movie; equal configs give equal pixels.

    ``frame_count`` decides only where the movie stops: a longer one begins with the
    same frames.

    Attributes
    ----------
    kind
        ``"nuclei"`` (fluorescent nuclei), ``"phase"`` (spread cells in phase contrast),
        ``"bacteria"`` (dark rods in phase contrast) or ``"filaments"`` (the same, a
        fifth as wide, and fast).
    frame_count
        Number of frames, 1 or more.
    frame_shape
        ``(Y, X)`` in pixels, each 16 or more.
    cell_count
        Cells at the start, each with room for `SMALLEST_CELL` pixels; fewer are
        refilled from outside, divisions stop at 1.5 ×.
    seed
        Any integer ≥ 0.
    bit_depth
        8 or 16: frames are uint8 or uint16.
    cell_size
        Typical long diameter in pixels (of a grown rod for `RODS`); None for the
        kind's own.
    speed
        Typical motion in pixels per frame; None for the kind's own.
    division_rate
        Divisions per cell and frame; 0 for none.
    deformation
        Change of shape over time, as a multiple of the kind's own.
    overlap
        0 (cells push each other apart) … 1 (cells pass over and under each other).
    open_border
        Whether cells enter and leave; otherwise the border holds them back.
    bleaching
        Part of the fluorescence lost per frame, down to 30 %; nothing for phase
        contrast.
    illumination
        Relative fall of the light from the brightest to the darkest corner, 0 … 1.
    blur
        Standard deviation of the optical blur in pixels.
    noise
        Shot and read noise, as a multiple of the kind's own; 0 for none.

    Raises
    ------
    InputError
        If a field is out of its range; the message names the field.
    """

    kind: CellKind = "nuclei"
    frame_count: int = 60
    frame_shape: tuple[int, int] = (256, 256)
    cell_count: int = 12
    seed: int = 0
    bit_depth: int = 16
    cell_size: float | None = None
    speed: float | None = None
    division_rate: float = 0.004
    deformation: float = 1.0
    overlap: float = 0.3
    open_border: bool = True
    bleaching: float = 0.002
    illumination: float = 0.25
    blur: float = 1.2
    noise: float = 1.0

    def __post_init__(self) -> None:
        _require(
            self.kind in get_args(CellKind), "kind", self.kind, str(get_args(CellKind))
        )
        _require(self.bit_depth in (8, 16), "bit_depth", self.bit_depth, "8 or 16")
        _require(min(self.frame_shape) >= 16, "frame_shape", self.frame_shape, "≥ 16")
        for name in ("frame_count", "cell_count"):
            value = getattr(self, name)
            _require(value >= 1, name, value, "1 or more")
        most = self.frame_shape[0] * self.frame_shape[1] // SMALLEST_CELL
        allowed = f"at most {most}, for one has {SMALLEST_CELL} pixels"
        _require(self.cell_count <= most, "cell_count", self.cell_count, allowed)
        for name in ("seed", "deformation", "blur", "noise", "speed"):
            value = getattr(self, name)
            _require(value is None or value >= 0, name, value, "0 or more")
        for name in ("division_rate", "overlap", "bleaching", "illumination"):
            value = getattr(self, name)
            _require(0 <= value <= 1, name, value, "between 0 and 1")
        size = self.cell_size
        _require(size is None or size >= 4, "cell_size", size, "4 pixels or more")

    @property
    def dtype(self) -> np.dtype:
        """Of the frames: uint8 or uint16."""
        return np.dtype(np.uint8 if self.bit_depth == 8 else np.uint16)


def _require(condition: bool, field: str, value: object, allowed: str) -> None:
    if not condition:
        raise InputError(f"simulated movie: {field} is {value!r}, must be {allowed}")


PRESETS: dict[str, MovieConfig] = {
    "nuclei": MovieConfig(kind="nuclei", seed=1),
    "phase": MovieConfig(kind="phase", seed=2, cell_count=8, division_rate=0.003),
    "bacteria": MovieConfig(kind="bacteria", seed=3, cell_count=20, division_rate=0.01),
}
"""The movies of the samples and the demo, frozen by name and seed: 60 × 256 × 256."""


def preset(name: str, **changes: object) -> MovieConfig:
    """Return the preset ``name`` with some fields replaced.

    Raises
    ------
    InputError
        If there is no such preset.
    """
    if name not in PRESETS:
        raise InputError(f"no simulated movie {name!r}: choose from {list(PRESETS)}")
    return replace(PRESETS[name], **changes)  # type: ignore[arg-type]
