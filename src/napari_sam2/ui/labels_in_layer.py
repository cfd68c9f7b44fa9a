"""Masklets ``(frame, y, x)`` shown with the dimensions of the image layer.

An image layer may have more dimensions than frame, row and column (depth, channel),
have them in another order, or have no frame axis at all. A label layer that shall lie
on it must have the same ones. This adapter gives the zarr array that shape.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from napari_sam2.ui.layer_axes import LayerAxes


class LabelsInLayer:
    """An array of labels ``(T, Y, X)``, seen with the dimensions of an image layer.

    Labels lie where the movie stays; elsewhere there is background. Along channels they
    are the same everywhere. Read only.

    Parameters
    ----------
    array
        ``(T, Y, X)``, indexed by integers and slices.
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

    def __getitem__(self, key: Any) -> np.ndarray:
        """Return the part that integers and slices name."""
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
