"""An N-dimensional image that is read a piece at a time.

`ImageStack` is what every kind of file becomes before frames are cut out of it; here
also the stack over an array that somebody else made (numpy, dask, zarr, xarray).
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.movies.calibration import AxisScale

Index = tuple[int | slice, ...]

READ_FAILURES = (
    OSError,
    ValueError,
    RuntimeError,
    IndexError,
    KeyError,
    EOFError,
    SyntaxError,  # Pillow's, of a broken PNG
    struct.error,
    zlib.error,
)
"""What broken files raise, in the libraries that read them."""


class ImageStack(Protocol):
    """An image of any number of dimensions, on disk or lazy."""

    @property
    def name(self) -> str:
        """Path, or what else errors should call it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def dtype(self) -> np.dtype:
        """Type of a pixel."""

    @property
    def axes(self) -> str | None:
        """One upper-case letter for each axis as the file says; None if it does not."""

    @property
    def scales(self) -> Mapping[str, AxisScale]:
        """What a step along an axis means, where known."""

    def chunk_starts(self, axis: int) -> Sequence[int]:
        """Return where the pieces begin along an axis that are read as one."""

    def read(self, index: Index) -> np.ndarray:
        """Return the part that an index of integers and slices names."""

    def close(self) -> None:
        """Release the file."""


class ArrayStack:
    """A numpy, dask, zarr or xarray array, or a list of these (a pyramid).

    Parameters
    ----------
    array
        Anything with ``shape``, ``dtype`` and indexing by integers and slices. Of a
        list, the first and largest level is taken.
    name
        What errors call it.
    axes
        One letter for each axis; by default the array's own names, if it has some.
    scales
        What a step along an axis means.
    """

    def __init__(
        self,
        array: Any,
        *,
        name: str = "array",
        axes: str | None = None,
        scales: Mapping[str, AxisScale] | None = None,
    ) -> None:
        if isinstance(array, Sequence) and not isinstance(array, str):
            array = _largest_level(array, name)
        if not hasattr(array, "shape") or not hasattr(array, "dtype"):
            raise InputError(
                f"{name}: a {type(array).__name__} is no image; give a path or an array"
            )
        self.name = name
        self.axes = axes or _own_axes(array)
        self.scales = dict(scales or {})
        self._array = array.data if hasattr(array, "dims") else array

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(int(length) for length in self._array.shape)

    @property
    def dtype(self) -> np.dtype:
        """Type of a pixel."""
        dtype: np.dtype = np.dtype(self._array.dtype)
        return dtype

    def chunk_starts(self, axis: int) -> Sequence[int]:
        """Return where the chunks begin along an axis."""
        length = self.shape[axis]
        chunks = getattr(self._array, "chunks", None)
        if chunks is None:
            return range(length)
        if isinstance(chunks[axis], int):
            return range(0, length, chunks[axis])
        return [0, *itertools.accumulate(chunks[axis][:-1])]

    def read(self, index: Index) -> np.ndarray:
        """Return a part of the array, computed if it is lazy."""
        return np.asarray(self._array[index])

    def close(self) -> None:
        """Forget the array; it belongs to the caller."""
        self._array = np.empty((0,) * len(self.shape), self.dtype)


def one_line(error: Exception) -> str:
    """Return the first line of an error's message, or its kind if it has none."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]


def _largest_level(levels: Sequence[Any], name: str) -> Any:
    if not levels or not all(hasattr(level, "shape") for level in levels):
        raise InputError(f"{name}: a list must hold the levels of a pyramid as arrays")
    sizes = [int(np.prod(level.shape)) for level in levels]
    if any(smaller >= larger for larger, smaller in itertools.pairwise(sizes)):
        raise InputError(
            f"{name}: a list of arrays is read as a pyramid, but its levels do not get "
            "smaller; stack frames into one array"
        )
    return levels[0]


def _own_axes(array: Any) -> str | None:
    """Return axes from xarray's dims or zarr's dimension names, if one letter each."""
    names = getattr(array, "dims", None)
    if names is None:
        names = getattr(getattr(array, "metadata", None), "dimension_names", None)
    return axes_from_names(names or ())


def axes_from_names(names: Sequence[str | None]) -> str | None:
    """Return axis letters for names such as ``("time", "channel", "y", "x")``."""
    words = {"TIME": "T", "CHANNEL": "C", "DEPTH": "Z", "HEIGHT": "Y", "WIDTH": "X"}
    letters = [words.get(str(name).upper(), str(name).upper()) for name in names]
    if any(name is None for name in names) or any(len(word) != 1 for word in letters):
        return None
    return "".join(letters) or None
