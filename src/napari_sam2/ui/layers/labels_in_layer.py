"""Masklets ``(frame, y, x)`` shown with the dimensions of the image layer.

An image layer may have more dimensions than frame, row and column (depth, channel),
have them in another order, or have no frame axis at all. A label layer that shall lie
on it must have the same ones. This adapter gives label images that shape, and leads
what is painted on the layer back to them.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from napari_sam2.engine.movie.axes import LayerAxes


class LabelsInLayer:
    """An array of labels ``(T, Y, X)``, seen with the dimensions of an image layer.

    Labels lie where the movie stays; elsewhere there is background, which nobody can
    paint on. Along channels they are the same everywhere.

    Indexed by integers and slices, as napari does, or by one integer array for each
    dimension, as `Labels.data_setitem` does.

    Parameters
    ----------
    array
        ``(T, Y, X)``, indexed in the same ways; written to frame by frame.
    axes
        The layer's dimensions.
    """

    def __init__(self, array: Any, axes: LayerAxes) -> None:
        self._array = array
        self._axes = axes
        self.dtype: np.dtype = np.dtype(array.dtype)
        self.shape = axes.shape
        self.ndim = len(axes.shape)
        self.size = math.prod(axes.shape)
        self._is_off_plane = False

    @property
    def axes(self) -> LayerAxes:
        """The layer's dimensions."""
        return self._axes

    def __getitem__(self, key: Any) -> np.ndarray:
        """Return the part that integers and slices, or integer arrays, name."""
        if _is_list_of_points(key):
            return self._points(key)
        wanted = self._wanted(key)
        frame_axis = self._axes.frame_axis
        frame = 0 if frame_axis is None else wanted[frame_axis]
        labels = np.asarray(self._array[frame, wanted[-2], wanted[-1]])
        for axis, index in self._axes.fixed:
            labels = self._along(labels, axis, index, wanted)
        return self._in_order(labels, wanted)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return everything, which only small movies bear."""
        return np.asarray(self[...], dtype=dtype)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Paint; what lies beside the movie's plane is left out."""
        if _is_list_of_points(key):
            self._set_points(key, np.asarray(value))
            return
        wanted = self._wanted(key)
        block = np.broadcast_to(np.asarray(value), self._shape_of(wanted))
        # Every dimension is there from now on, those of integers with one place.
        closed = [axis for axis, part in enumerate(wanted) if isinstance(part, int)]
        block = np.expand_dims(block, closed)
        parts = [_as_places(part, self.shape[at]) for at, part in enumerate(wanted)]
        for axis, index in reversed(self._axes.fixed):
            is_there = parts[axis] == index
            is_there |= axis in self._axes.spread
            if not is_there.any():
                self._is_off_plane = True
                return
            block = block.take(int(is_there.argmax()), axis)
        frame_axis = self._axes.frame_axis
        frames = np.zeros(1, int) if frame_axis is None else parts[frame_axis]
        labels = block.reshape(len(frames), *block.shape[-2:])
        rows, columns = (_as_slice(part) for part in wanted[-2:])
        for frame, painted in zip(frames.tolist(), labels, strict=True):
            self._array[frame, rows, columns] = painted

    def take_off_plane(self) -> bool:
        """Return whether somebody painted beside the plane since the last call."""
        was_off, self._is_off_plane = self._is_off_plane, False
        return was_off

    def _points(self, key: tuple[np.ndarray, ...]) -> np.ndarray:
        """Return the labels at single places."""
        places, frames = self._places(key)
        found = np.zeros(frames.shape, self.dtype)
        on_plane = self._on_plane(places)
        for frame in np.unique(frames[on_plane]).tolist():
            here = on_plane & (frames == frame)
            found[here] = self._array[frame, places[-2][here], places[-1][here]]
        return found

    def _set_points(self, key: tuple[np.ndarray, ...], value: np.ndarray) -> None:
        places, frames = self._places(key)
        painted = np.broadcast_to(value, frames.shape)
        on_plane = self._on_plane(places)
        self._is_off_plane |= not on_plane.all()
        for frame in np.unique(frames[on_plane]).tolist():
            here = on_plane & (frames == frame)
            self._array[frame, places[-2][here], places[-1][here]] = painted[here]

    def _places(
        self, key: tuple[np.ndarray, ...]
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """Return indices of one shape, counted from 0, and their frames."""
        if len(key) != self.ndim:
            raise IndexError(f"{len(key)} index arrays for {self.ndim} dimensions")
        places = tuple(
            np.asarray(one) % length
            for one, length in zip(np.broadcast_arrays(*key), self.shape, strict=True)
        )
        frame_axis = self._axes.frame_axis
        frames = np.zeros_like(places[0]) if frame_axis is None else places[frame_axis]
        return places, frames

    def _on_plane(self, places: tuple[np.ndarray, ...]) -> np.ndarray:
        on_plane = np.ones(places[0].shape, bool)
        for axis, index in self._axes.fixed:
            if axis not in self._axes.spread:
                on_plane &= places[axis] == index
        return on_plane

    def _shape_of(self, wanted: list[int | slice]) -> tuple[int, ...]:
        return tuple(
            len(range(*part.indices(length)))
            for part, length in zip(wanted, self.shape, strict=True)
            if isinstance(part, slice)
        )

    def _wanted(self, key: Any) -> list[int | slice]:
        """Return one integer or slice for each dimension."""
        parts = list(key) if isinstance(key, tuple) else [key]
        if Ellipsis in parts:
            at = parts.index(Ellipsis)
            parts[at : at + 1] = [slice(None)] * (self.ndim - len(parts) + 1)
        parts += [slice(None)] * (self.ndim - len(parts))
        return [
            part if isinstance(part, slice) else operator.index(part) for part in parts
        ]

    def _along(
        self, labels: np.ndarray, axis: int, index: int, wanted: list[int | slice]
    ) -> np.ndarray:
        """Put labels where the movie stays on an axis; a slice adds a first axis."""
        everywhere = axis in self._axes.spread
        part = wanted[axis]
        if isinstance(part, int):
            is_here = everywhere or part % self.shape[axis] == index
            return labels if is_here else np.zeros_like(labels)
        places = np.arange(self.shape[axis])[part]
        is_there = np.ones_like(places, bool) if everywhere else places == index
        shape = (-1, *(1,) * labels.ndim)
        return np.where(is_there.reshape(shape), labels, labels.dtype.type(0))

    def _in_order(self, labels: np.ndarray, wanted: list[int | slice]) -> np.ndarray:
        """Bring the axes of slices from the order of `__getitem__` into the layer's."""
        frame_axis = self._axes.frame_axis
        made = [axis for axis, _ in reversed(self._axes.fixed)]
        made += [] if frame_axis is None else [frame_axis]
        made += [self.ndim - 2, self.ndim - 1]
        open_axes = [axis for axis in made if isinstance(wanted[axis], slice)]
        return labels.transpose(np.argsort(open_axes))


def _is_list_of_points(key: Any) -> bool:
    """Whether a key is one integer array for each dimension."""
    return isinstance(key, tuple) and any(
        isinstance(part, np.ndarray | list) and np.ndim(part) > 0 for part in key
    )


def _as_places(part: int | slice, length: int) -> np.ndarray:
    """Return the indices, from 0, that an integer or a slice names."""
    if isinstance(part, slice):
        return np.arange(length)[part]
    return np.array([part % length])


def _as_slice(part: int | slice) -> slice:
    """Return a slice of one place for an integer."""
    if isinstance(part, slice):
        return part
    return slice(part, part + 1 or None)
