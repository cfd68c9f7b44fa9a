"""From raw intensities to the 8-bit RGB image that the model sees.

The model sees what the scientist sees. With a viewer that is the layer's contrast
limits and gamma. Without one, 8-bit images are shown as they are (unless they use but
a few grey levels), and everything else is stretched between two percentiles of a few
frames. An `IntensityMapping` is measured once, is the same function on every frame, and
is stored with the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from napari_sam2.errors import InputError

DEFAULT_PERCENTILES = (0.1, 99.9)
FEW_LEVELS = 32
"""An 8-bit image within fewer grey levels than these is stretched like others."""

MAX_SAMPLED_FRAMES = 20
MAX_SAMPLED_PIXELS = 2**16
"""Pixels of each sampled frame and channel, where no histogram can hold them all."""

PIXELS_AT_ONCE = 2**16
"""What fits a processor's cache as float64."""

ReadPlanes = Callable[[int], np.ndarray]
"""From a frame index to its ``(channels, Y, X)`` raw planes."""


class IntensityMapping(BaseModel):
    """A frozen function from raw planes to 8-bit RGB.

    ``v = clip((raw − low) / (high − low), 0, 1) ** gamma``, inverted to ``1 − v`` if
    asked, times 255, rounded half up.

    Attributes
    ----------
    limits
        ``(low, high)`` of each channel; None leaves uint8 as it is.
    gamma
        Exponent of each channel, 1 for none.
    invert
        True to show dark as bright.
    percentiles, sampled_frames
        Where the limits come from, if they were measured: for the record only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    limits: tuple[tuple[FiniteFloat, FiniteFloat], ...] | None = None
    gamma: tuple[FiniteFloat, ...] = Field(default=(1.0,), min_length=1)
    invert: bool = False
    percentiles: tuple[float, float] | None = None
    sampled_frames: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        for low, high in self.limits or ():
            if not low < high or not np.isfinite(high - low):
                raise ValueError(
                    f"contrast limits {low}, {high}: low must be below high"
                )
        if min(self.gamma) <= 0:
            raise ValueError(f"gamma {min(self.gamma)} must be above 0")
        return self

    def apply(self, planes: np.ndarray) -> np.ndarray:
        """Return planes as the model sees them.

        Parameters
        ----------
        planes
            ``(channels, Y, X)`` of any real dtype, one to three channels. One is
            shown as grey, two as red and green, three as RGB.

        Returns
        -------
        np.ndarray
            ``(Y, X, 3)`` uint8.
        """
        channels = [self._to_uint8(plane, row) for row, plane in enumerate(planes)]
        if len(channels) == 1:
            channels *= 3
        image = np.zeros((*planes.shape[1:], 3), np.uint8)
        for column, channel in enumerate(channels):
            image[..., column] = channel
        return image

    def _to_uint8(self, plane: np.ndarray, channel: int) -> np.ndarray:
        gamma = self.gamma[min(channel, len(self.gamma) - 1)]
        if self.limits is None and gamma == 1.0 and not self.invert:
            return plane
        limits = (0.0, 255.0) if self.limits is None else self.limits[channel]
        if _fits_a_table(plane.dtype):
            table = _lookup_table(plane.dtype.str, limits, gamma, self.invert)
            mapped: np.ndarray = table[_as_unsigned(plane)]
            return mapped
        return _map_values(plane, limits, gamma, invert=self.invert)


def measure_mapping(
    read_planes: ReadPlanes,
    frame_count: int,
    *,
    percentiles: tuple[float, float] = DEFAULT_PERCENTILES,
    joint: bool = False,
    only_few_levels: bool = False,
) -> IntensityMapping:
    """Measure contrast limits on up to 20 evenly spaced frames.

    The limits are percentiles, linearly interpolated, of the pixels of all sampled
    frames together. Of 8- and 16-bit integers every pixel counts, through a histogram;
    of other dtypes a regular grid of at most 65,536 pixels a frame does. Where both
    percentiles fall together (an almost empty image) the extremes are taken; where
    these do too (a constant image) the image is shown black.

    Parameters
    ----------
    read_planes
        Reads the raw ``(channels, Y, X)`` planes of a frame.
    percentiles
        Lower and upper percentile, 0…100.
    joint
        True to give all channels the same limits, as RGB needs.
    only_few_levels
        True to leave 8-bit images as they are, unless all that is in the first and the
        other sampled frames lies within a few grey levels and would look black.
    """
    sampled = evenly_spaced(frame_count)
    first = read_planes(sampled[0])
    if only_few_levels and not _has_few_levels(first):
        return IntensityMapping()
    sampler: _Histogram | _Pool
    sampler = _Histogram(first.dtype) if _fits_a_table(first.dtype) else _Pool()
    sampler.add(first, joint=joint)
    for frame_index in sampled[1:]:
        sampler.add(read_planes(frame_index), joint=joint)
    limits = [_spread(*values) for values in sampler.quantiles(percentiles)]
    if only_few_levels and max(high - low for low, high in limits) >= FEW_LEVELS:
        return IntensityMapping()
    return IntensityMapping(
        limits=tuple(limits * (len(first) if joint else 1)),
        percentiles=percentiles,
        sampled_frames=sampled,
    )


def _has_few_levels(planes: np.ndarray) -> bool:
    """Tell whether what is in a frame lies within a few levels; not if it is blank."""
    return 0 < int(planes.max()) - int(planes.min()) < FEW_LEVELS


def check_dtype(dtype: np.dtype, name: str) -> None:
    """Refuse dtypes that are no intensities.

    Raises
    ------
    InputError
        For boolean, complex, and anything that is not a number.
    """
    if dtype.kind in "iu" or (dtype.kind == "f" and dtype.itemsize <= 8):
        return
    kinds = {
        "b": "boolean (a mask, not an image)",
        "c": "complex",
        "f": "extended float",
    }
    kind = kinds.get(dtype.kind, "not a number")
    raise InputError(
        f"{name}: its dtype {dtype} is {kind}; save it as integers or 32-bit float"
    )


def check_finite(planes: np.ndarray, name: str, frame_index: int) -> None:
    """Refuse NaN and infinity.

    Raises
    ------
    InputError
        Naming the frame and the first such pixel.
    """
    if planes.dtype.kind != "f":
        return
    finite = np.isfinite(planes)
    if finite.all():
        return
    _, y, x = (int(index) for index in np.argwhere(~finite)[0])
    raise InputError(
        f"{name}: frame {frame_index} holds NaN or infinity, first at row {y}, column "
        f"{x}; replace these pixels"
    )


class _Histogram:
    """Counts every value of 8- and 16-bit integers: exact, in little memory."""

    def __init__(self, dtype: np.dtype) -> None:
        unsigned = np.arange(2 ** (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}")
        values = unsigned.view(dtype.newbyteorder("=")).astype(np.float64)
        self._order = np.argsort(values)
        self._values = values[self._order]
        self._counts: list[np.ndarray] = []

    def add(self, planes: np.ndarray, *, joint: bool) -> None:
        groups = [planes] if joint else list(planes)
        if not self._counts:
            self._counts = [np.zeros(len(self._values), np.int64) for _ in groups]
        for counts, group in zip(self._counts, groups, strict=True):
            found = np.bincount(_as_unsigned(group).ravel(), minlength=len(counts))
            counts += found[self._order]

    def quantiles(self, percentiles: Sequence[float]) -> list[tuple[float, ...]]:
        """Return (low, high, minimum, maximum) of each group."""
        return [
            tuple(
                self._at(np.cumsum(counts), share) for share in (*percentiles, 0, 100)
            )
            for counts in self._counts
        ]

    def _at(self, cumulative: np.ndarray, share: float) -> float:
        position = share / 100 * (cumulative[-1] - 1)
        below, above = np.floor(position), np.ceil(position)
        low, high = self._values[
            np.searchsorted(cumulative, (below, above), side="right")
        ]
        return float(low + (high - low) * (position - below))


class _Pool:
    """Keeps a regular grid of pixels of each frame."""

    def __init__(self) -> None:
        self._pixels: list[list[np.ndarray]] = []

    def add(self, planes: np.ndarray, *, joint: bool) -> None:
        pixels = planes[0].size * (len(planes) if joint else 1)
        step = int(np.ceil(np.sqrt(pixels / MAX_SAMPLED_PIXELS)))
        grid = planes[:, ::step, ::step].astype(np.float64)
        groups = [grid.ravel()] if joint else [plane.ravel() for plane in grid]
        self._pixels = self._pixels or [[] for _ in groups]
        for pool, group in zip(self._pixels, groups, strict=True):
            pool.append(group)

    def quantiles(self, percentiles: Sequence[float]) -> list[tuple[float, ...]]:
        """Return (low, high, minimum, maximum) of each group."""
        shares = (*percentiles, 0, 100)
        return [
            tuple(np.percentile(np.concatenate(pool), shares).tolist())
            for pool in self._pixels
        ]


def evenly_spaced(frame_count: int) -> tuple[int, ...]:
    """Return the frames that a mapping is measured on."""
    count = min(frame_count, MAX_SAMPLED_FRAMES)
    return tuple(int(i) for i in np.linspace(0, frame_count - 1, count).round())


def _spread(
    low: float, high: float, minimum: float, maximum: float
) -> tuple[float, float]:
    if not np.isfinite(high - low) or not np.isfinite(maximum - minimum):
        raise InputError(
            f"intensities from {minimum:g} to {maximum:g} are too far apart to be "
            "shown; divide them before saving, or give contrast limits",
            settings=("contrast_limits",),
        )
    if low < high:
        return low, high
    if minimum < maximum:
        return minimum, maximum
    return minimum, minimum + max(1.0, abs(minimum) * 1e-6)


def _fits_a_table(dtype: np.dtype) -> bool:
    return dtype.kind in "iu" and dtype.itemsize <= 2


def _as_unsigned(plane: np.ndarray) -> np.ndarray:
    native = plane.astype(plane.dtype.newbyteorder("="), order="C", copy=False)
    unsigned: np.ndarray = native.view(f"u{plane.dtype.itemsize}")
    return unsigned


@lru_cache(maxsize=8)
def _lookup_table(
    dtype: str, limits: tuple[float, float], gamma: float, invert: bool
) -> np.ndarray:
    size = np.dtype(dtype).itemsize
    unsigned = np.arange(2 ** (8 * size), dtype=f"u{size}")
    values = unsigned.view(np.dtype(dtype).newbyteorder("="))
    return _map_values(values, limits, gamma, invert=invert)


def _map_values(
    values: np.ndarray, limits: tuple[float, float], gamma: float, *, invert: bool
) -> np.ndarray:
    """Map values in float64, a few rows at a time: faster, and little memory."""
    mapped = np.empty(values.shape, np.uint8)
    step = max(1, PIXELS_AT_ONCE // values[0].size)
    for start in range(0, len(values), step):
        rows = slice(start, start + step)
        mapped[rows] = _map_rows(values[rows], limits, gamma, invert=invert)
    return mapped


def _map_rows(
    values: np.ndarray, limits: tuple[float, float], gamma: float, *, invert: bool
) -> np.ndarray:
    low, high = limits
    scaled = np.clip(values.astype(np.float64), low, high)
    scaled -= low
    scaled /= high - low
    if gamma != 1.0:
        scaled **= gamma
    if invert:
        np.subtract(1.0, scaled, out=scaled)
    scaled *= 255.0
    scaled += 0.5
    return scaled.astype(np.uint8)
