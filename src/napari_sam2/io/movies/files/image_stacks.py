"""An N-dimensional image that is read a piece at a time.

`ImageStack` is what every kind of file becomes before frames are cut out of it; here
also the stack over an array that somebody else made (numpy, dask, zarr, xarray), and
the one that shows indices in colours.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any, Protocol

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.axis_names import axis_letters
from napari_sam2.io.movies.calibration import AxisScale

Index = tuple[int | slice, ...]
DAMAGED = "it may be truncated or damaged"
MOST_PIECES = 100_000
"""Chunks of a frame; each costs a tenth of a millisecond or more."""

READ_FAILURES = (
    OSError,
    ValueError,
    RuntimeError,
    LookupError,
    ArithmeticError,
    TypeError,
    AttributeError,
    AssertionError,
    MemoryError,
    EOFError,
    SyntaxError,  # Pillow's, of a broken PNG in a lazy array
    struct.error,
    zlib.error,
)
"""What broken files raise, in the libraries that read them."""


@contextmanager
def reading(what: object, remedy: str = DAMAGED, kind: str = "") -> Iterator[None]:
    """Turn what a library raises about a file into an error that a person can mend.

    Parameters
    ----------
    what
        What is read: the file, and the frame if it is one.
    remedy
        What may be wrong, or what to do.
    kind
        As what it is read: ``"zarr"``.

    Raises
    ------
    InputError
        In one line.
    """
    try:
        yield
    except READ_FAILURES as error:
        how = f" as {kind}" if kind else ""
        raise InputError(
            f"{what} cannot be read{how}: {one_line(error)}; {remedy}"
        ) from error


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
    def axes(self) -> Sequence[str] | None:
        """Letter of each axis, or the file's own word; None if it says nothing."""

    @property
    def axes_from(self) -> str:
        """By what the axes are known, in a few words."""

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
    axes, axes_from
        Letter of each axis, and by what it is known; by default the array's own
        names, if it has some.
    scales
        What a step along an axis means.
    """

    def __init__(
        self,
        array: Any,
        *,
        name: str = "array",
        axes: Sequence[str] | None = None,
        axes_from: str = "",
        scales: Mapping[str, AxisScale] | None = None,
    ) -> None:
        self.name = name
        with reading(name, "give a path or an array of numbers"):
            if isinstance(array, Sequence) and not isinstance(array, str):
                array = _largest_level(array, name)
            self.shape = _shape_of(array, name)
            own_axes = None if axes else _own_axes(array)
            is_xarray = hasattr(array, "dims") and hasattr(array, "data")
            self._array = array.data if is_xarray else array
            self.dtype = np.dtype(array.dtype)
        self.axes = axes or own_axes
        self.axes_from = axes_from or ("the names of its axes" if own_axes else "")
        self.scales = dict(scales or {})

    def chunk_starts(self, axis: int) -> Sequence[int]:
        """Return where the chunks begin along an axis."""
        length = self.shape[axis]
        chunks = getattr(self._array, "chunks", None)
        if not isinstance(chunks, Sequence) or len(chunks) != len(self.shape):
            return range(length)
        if isinstance(chunks[axis], int):
            return range(0, length, chunks[axis])
        return [0, *itertools.accumulate(chunks[axis][:-1])]

    def read(self, index: Index) -> np.ndarray:
        """Return a part of the array, computed if it is lazy."""
        pieces = self._count_pieces(index)
        if pieces > MOST_PIECES:
            raise InputError(
                f"{self.name}: one frame lies in {pieces} chunks, more than "
                f"{MOST_PIECES} cannot be put together in time; save it with larger "
                "chunks"
            )
        part = self._array[index]
        if hasattr(part, "__dask_graph__"):
            # Without callbacks: a cache that a viewer registered there is not made for
            # two threads, and would fail in both.
            part = part.compute(callbacks=())
        return np.asarray(part)

    def _count_pieces(self, index: Index) -> int:
        """Return how many chunks of a zarr array have a share in a part."""
        chunks = getattr(self._array, "chunks", None)
        if not isinstance(chunks, Sequence) or len(chunks) != len(index):
            return 1
        return prod(
            len(range(*entry.indices(length))) // chunk + 1
            for entry, length, chunk in zip(index, self.shape, chunks, strict=True)
            if isinstance(entry, slice) and isinstance(chunk, int)
        )

    def close(self) -> None:
        """Forget the array; it belongs to the caller."""
        self._array = np.empty((0,) * len(self.shape), self.dtype)


class ColoredStack:
    """An image of indices, seen in the colours of their palette.

    Parameters
    ----------
    indices
        The image.
    palette
        ``(entries, samples)``.
    """

    def __init__(self, indices: ImageStack, palette: np.ndarray) -> None:
        self._indices, self._palette = indices, palette
        self.name, self.scales = indices.name, indices.scales
        self.axes = None if indices.axes is None else (*indices.axes, "S")
        self.axes_from = indices.axes_from
        self.shape = (*indices.shape, palette.shape[1])
        self.dtype = palette.dtype

    def chunk_starts(self, axis: int) -> Sequence[int]:
        """Return where the pieces of the indices begin; samples are one piece."""
        is_sample = axis == len(self.shape) - 1
        return (0,) if is_sample else self._indices.chunk_starts(axis)

    def read(self, index: Index) -> np.ndarray:
        """Return the part that an index of integers and slices names."""
        colors = look_up(self._palette, self._indices.read(index[:-1]))
        return colors[..., index[-1]]

    def close(self) -> None:
        """Release the file."""
        self._indices.close()


def look_up(palette: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return the colours of indices; those beyond the palette are its last."""
    colors: np.ndarray = palette[np.minimum(indices, len(palette) - 1)]
    return colors


def read_pages(
    index: Index, lengths: Sequence[int], read_page: Callable[[int], np.ndarray]
) -> np.ndarray:
    """Read the part of an image that lies in pages, one after another.

    Parameters
    ----------
    index
        Integers and slices, for the axes that count pages and for those within one.
    lengths
        Length of each axis that counts pages, the last one fastest.
    read_page
        Returns a page by its number.
    """
    over_pages, in_page = index[: len(lengths)], index[len(lengths) :]
    steps = [
        range(*entry.indices(length)) if isinstance(entry, slice) else (entry,)
        for entry, length in zip(over_pages, lengths, strict=True)
    ]
    pages = [
        read_page(_page_number(counts, lengths))[in_page]
        for counts in itertools.product(*steps)
    ]
    kept = [
        len(step)
        for step, entry in zip(steps, over_pages, strict=True)
        if isinstance(entry, slice)
    ]
    return np.stack(pages).reshape(*kept, *pages[0].shape)


def _page_number(counts: Sequence[int], lengths: Sequence[int]) -> int:
    number = 0
    for count, length in zip(counts, lengths, strict=True):
        number = number * length + count
    return number


def one_line(error: Exception) -> str:
    """Return the first line of an error's message, or its kind if it has none."""
    if isinstance(error, MemoryError):
        return "there is not enough memory"
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


def _shape_of(array: Any, name: str) -> tuple[int, ...]:
    if not hasattr(array, "shape") or not hasattr(array, "dtype"):
        raise InputError(
            f"{name}: a {type(array).__name__} is no image; give a path or an array"
        )
    if any(length != length for length in array.shape):  # NaN, as dask has it
        raise InputError(
            f"{name}: the array does not know its own shape {tuple(array.shape)}; call "
            "its compute_chunk_sizes() first"
        )
    return tuple(int(length) for length in array.shape)


def _own_axes(array: Any) -> tuple[str, ...] | None:
    """Return axes from the names of xarray, zarr or HDF5, if all have one."""
    names = getattr(array, "dims", None)
    if names is None:
        names = getattr(getattr(array, "metadata", None), "dimension_names", None)
    names = [getattr(name, "label", name) for name in names or ()]
    return axes_from_names(names)


def axes_from_names(names: Sequence[str | None]) -> tuple[str, ...] | None:
    """Return axis letters for names such as ``("time", "channel", "y", "x")``.

    None if one has no name; a name that only numbers an axis (``dim_0``) is none.
    """
    is_named = all(isinstance(name, str) and name.strip() for name in names)
    if not names or not is_named:
        return None
    if all(str(name).lower().startswith("dim_") for name in names):
        return None
    return axis_letters(names)
