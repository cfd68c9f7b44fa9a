"""Masklets ``(frame, y, x)`` shown with the dimensions of an image layer.

An image layer may have more dimensions than frame, row and column (depth, channel),
have them in another order, or have no frame axis at all. A label layer that shall lie
on it must have the same ones. This adapter gives label images that shape, and leads
what is painted on the layer back to them.

Whoever reads from it gets what is true, and waits for it. napari alone, when it draws,
gets what is there at once: it draws again when the rest has come.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import psutil
from numpy.lib.mixins import NDArrayOperatorsMixin

from napari_sam2.engine.movie.axes import LayerAxes
from napari_sam2.errors import InputError

DRAWING = ("napari.layers._scalar_field._slice", "napari.layers.labels.")
"""How modules of napari begin that draw, or paint on what is drawn.

They ask for parts just as others do, so they are known by their names alone. Should
these change, drawing waits for the disk, and is right."""

Places = Sequence[int] | np.ndarray
"""Indices along one dimension, from 0."""


class LabelFrames(Protocol):
    """Label images ``(Y, X)`` by frame."""

    dtype: np.dtype

    def read(self, frames: Iterable[int]) -> Iterator[np.ndarray]:
        """Give the labels of frames, which the caller may not change."""

    def look(self, frames: Sequence[int]) -> Iterator[np.ndarray]:
        """Give what is there of frames, at once; background where nothing is."""

    def paint(self, frame_index: int, rows: Any, columns: Any, labels: Any) -> None:
        """Paint on a part of a frame, which numpy's indices name."""


class LabelsInLayer(NDArrayOperatorsMixin):
    """An array of label images, seen with the dimensions of an image layer.

    Labels lie where the movie stays; elsewhere there is background, which nobody can
    paint on. Along channels they are the same everywhere. It is indexed as numpy's
    arrays are, and computed with as they are: what comes out is one of them.
    """

    def __init__(self, frames: LabelFrames, axes: LayerAxes) -> None:
        self.frames = frames
        self.axes = axes
        self.dtype = frames.dtype
        self.shape = axes.shape
        self.ndim = len(axes.shape)
        self.size = math.prod(axes.shape)
        self._is_off_plane = False

    def __len__(self) -> int:
        """Return the length of the first dimension."""
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        """Return a copy of a part.

        Raises
        ------
        InputError
            If it does not fit into memory.
        OutputError
            If it cannot be read from disk.
        """
        is_drawing = sys._getframe(1).f_globals["__name__"].startswith(DRAWING)
        read = self.frames.look if is_drawing else self.frames.read
        parts = self._parts(key)
        if not _are_points(parts):
            places, inside = self._block(parts)
            block: np.ndarray = self._filled(places, read)[inside]
            return block
        points = self._points(parts)
        found = np.zeros(points[-1].shape, self.dtype)
        by_frame = list(self._by_frame(points))
        labels = read([frame for frame, _ in by_frame])
        for (_, here), image in zip(by_frame, labels, strict=True):
            found[here] = image[points[-2][here], points[-1][here]]
        return found

    def __setitem__(self, key: Any, value: Any) -> None:
        """Paint; what lies beside the movie's plane is left out."""
        parts = self._parts(key)
        if _are_points(parts):
            self._paint_points(self._points(parts), value)
            return
        places, inside = self._block(parts)
        block = np.zeros([len(one) for one in places], self.dtype)
        block[inside] = value
        if not any(isinstance(part, np.ndarray) for part in parts):
            self._paint_block(places, block)
            return
        is_named = np.zeros(block.shape, bool)
        is_named[inside] = True
        found = is_named.nonzero()
        points = [np.asarray(one)[at] for one, at in zip(places, found, strict=True)]
        self._paint_points(points, block[is_named])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return everything.

        Raises
        ------
        InputError, OutputError
            As for a part.
        """
        if copy is False:
            raise ValueError("masklets lie on disk: there is no array without a copy")
        return np.asarray(self[...], dtype=dtype)

    def __array_ufunc__(
        self, function: np.ufunc, method: str, *given: Any, **options: Any
    ) -> Any:
        """Compute as with an array; nothing is written into this one."""
        if "out" in options:
            return NotImplemented
        arrays = [np.asarray(one) if one is self else one for one in given]
        return getattr(function, method)(*arrays, **options)

    def __deepcopy__(self, _known: Any) -> np.ndarray:
        """Return everything, so that a duplicated layer is one of its own."""
        return np.asarray(self)

    def astype(self, dtype: Any) -> np.ndarray:
        """Return everything as another type."""
        return np.asarray(self).astype(dtype)

    def take_off_plane(self) -> bool:
        """Return whether somebody painted beside the plane since the last call."""
        was_off, self._is_off_plane = self._is_off_plane, False
        return was_off

    # --- Keys

    def _parts(self, key: Any) -> list[Any]:
        """Return an integer, a slice or an array for each dimension; None adds one."""
        parts: list[Any] = []
        for part in key if isinstance(key, tuple) else (key,):
            if part is None or part is Ellipsis or isinstance(part, slice):
                parts.append(part)
            elif np.ndim(part) == 0:
                if isinstance(part, bool | np.bool_):
                    raise IndexError("one truth value is no index")
                parts.append(operator.index(part))
            else:
                array = np.asarray(part)
                places = array.astype(np.intp) if array.size == 0 else array
                is_mask = array.dtype == bool
                parts.extend(array.nonzero() if is_mask else [places])
        named = [part for part in parts if part is not None and part is not ...]
        ellipses = [at for at, part in enumerate(parts) if part is ...]
        missing = self.ndim - len(named)
        if missing < 0 or len(ellipses) > 1:
            raise IndexError(f"{key!r} does not fit {self.ndim} dimensions")
        at = ellipses[0] if ellipses else len(parts)
        parts[at : at + 1] = [slice(None)] * missing
        return parts

    def _block(self, parts: list[Any]) -> tuple[list[Places], tuple[Any, ...]]:
        """Return the places by dimension that are wanted, and the key among them."""
        places: list[Places] = []
        inside: list[Any] = []
        for part in parts:
            if part is None:
                inside.append(None)
                continue
            length = self.shape[len(places)]
            if isinstance(part, slice):
                places.append(range(length)[part])
                inside.append(slice(None))
            elif isinstance(part, int):
                places.append([_from_zero(part, length)])
                inside.append(0)
            else:
                wanted, at = np.unique(_from_zero(part, length), return_inverse=True)
                places.append(wanted)
                inside.append(at.reshape(part.shape))
        return places, tuple(inside)

    # --- Blocks: some places of each dimension

    def _filled(
        self, places: list[Places], read: Callable[[list[int]], Iterator[np.ndarray]]
    ) -> np.ndarray:
        """Return the labels at places, one axis for each dimension."""
        lengths = [len(one) for one in places]
        self._require_memory(math.prod(lengths) * self.dtype.itemsize)
        block = np.zeros(lengths, self.dtype)
        at = self._on_plane_in(places)
        if block.size == 0 or at is None:
            return block
        rows, columns = (_as_index(one) for one in places[-2:])
        for target, labels in zip(
            self._targets(places, at), read(self._frames_in(places)), strict=True
        ):
            block[target] = labels[rows][:, columns]
        return block

    def _paint_block(self, places: list[Places], block: np.ndarray) -> None:
        """Paint a block; the first of several channels counts."""
        at = self._on_plane_in(places)
        self._is_off_plane |= at is None
        if at is None or block.size == 0:
            return
        for axis in self.axes.spread:
            at[axis] = 0
        rows, columns = (_as_index(one) for one in places[-2:])
        for frame, target in zip(
            self._frames_in(places), self._targets(places, at), strict=True
        ):
            labels = block[target].reshape(block.shape[-2:])
            self.frames.paint(frame, rows, columns, labels)

    def _on_plane_in(self, places: list[Places]) -> list[Any] | None:
        """Return the key of the movie's plane in a block; None if it is not there."""
        at: list[Any] = [slice(None)] * self.ndim
        for axis, index in self.axes.fixed:
            is_there = axis in self.axes.spread or index in places[axis]
            if not is_there or len(places[axis]) == 0:
                return None
            if axis not in self.axes.spread:
                first = list(places[axis]).index(index)
                at[axis] = slice(first, first + 1)
        return at

    def _frames_in(self, places: list[Places]) -> list[int]:
        axis = self.axes.frame_axis
        return [0] if axis is None else [int(one) for one in places[axis]]

    def _targets(
        self, places: list[Places], at: list[Any]
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the key of each frame in a block."""
        axis = self.axes.frame_axis
        for number in range(len(self._frames_in(places))):
            target = list(at)
            if axis is not None:
                target[axis] = number
            yield tuple(target)

    def _require_memory(self, wanted: int) -> None:
        free = psutil.virtual_memory().available
        if wanted > free:
            lengths = " × ".join(map(str, self.shape))
            raise InputError(
                f"this part of the masklets ({lengths}) needs {wanted / 1e9:.1f} GB of "
                f"memory, and {free / 1e9:.1f} GB are free: save the layer as .zarr, "
                "which exports it frame by frame, or take fewer frames at once"
            )

    # --- Points: one index array for each dimension

    def _points(self, parts: list[Any]) -> tuple[np.ndarray, ...]:
        """Return places from 0, of one shape."""
        return tuple(
            np.asarray(_from_zero(one, length))
            for one, length in zip(np.broadcast_arrays(*parts), self.shape, strict=True)
        )

    def _paint_points(self, parts: Sequence[Any], value: Any) -> None:
        points = self._points(list(parts))
        painted = np.broadcast_to(value, points[-1].shape)
        self._is_off_plane |= not self._are_on_plane(points).all()
        for frame, here in self._by_frame(points):
            rows, columns = points[-2][here], points[-1][here]
            self.frames.paint(frame, rows, columns, painted[here])

    def _by_frame(
        self, points: tuple[np.ndarray, ...]
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each frame that has points on the plane, and which of them."""
        axis, on_plane = self.axes.frame_axis, self._are_on_plane(points)
        frames = np.zeros_like(points[-1]) if axis is None else points[axis]
        for frame in np.unique(frames[on_plane]).tolist():
            yield frame, on_plane & (frames == frame)

    def _are_on_plane(self, points: tuple[np.ndarray, ...]) -> np.ndarray:
        on_plane = np.ones(points[-1].shape, bool)
        for axis, index in self.axes.fixed:
            if axis not in self.axes.spread:
                on_plane &= points[axis] == index
        return on_plane


def _are_points(parts: list[Any]) -> bool:
    """Whether there is one place for each dimension, and arrays of them."""
    return any(isinstance(part, np.ndarray) for part in parts) and all(
        isinstance(part, int | np.ndarray) for part in parts
    )


def _from_zero(places: Any, length: int) -> Any:
    """Return places counted from the start."""
    if np.any(np.less(places, -length) | np.greater_equal(places, length)):
        raise IndexError(f"{places} is not one of {length} places")
    return places % length


def _as_index(places: Places) -> Any:
    """Return a slice, which copies nothing, where places are evenly spaced."""
    if not isinstance(places, range):
        return np.asarray(places, np.intp)
    last = places.stop if places.stop >= 0 else None
    return slice(places.start, last, places.step)
