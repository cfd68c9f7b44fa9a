"""Label images ``(frame, y, x)`` in an array that has the axes of their image.

Viewers align from the last axis. Labels beside an image ``(t, c, z, y, x)`` therefore
have five axes too: one channel, and the plane that they belong to among as many planes
as the image has, or one plane if nobody knows which it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import zarr

SPACE = ("y", "x")
CHANNEL = "c"


@dataclass(frozen=True, slots=True)
class PlaneLayout:
    """How frames of labels lie in an array.

    Attributes
    ----------
    axes
        Names of all dimensions; rows and columns are the last two.
    frame_axis
        The one along which frames run.
    fixed
        By name of each other dimension: where the labels lie on it.
    """

    axes: tuple[str, ...]
    frame_axis: str
    fixed: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def plain(cls, frame_axis: str) -> PlaneLayout:
        """Return the layout of ``(frame, y, x)``."""
        return cls((frame_axis, *SPACE), frame_axis)

    @classmethod
    def read(cls, axes: tuple[str, ...], fixed: Mapping[str, int]) -> PlaneLayout:
        """Return the layout of an array whose other dimensions stay somewhere.

        Raises
        ------
        ValueError
            If not one dimension is left for the frames.
        """
        left = [name for name in axes if name not in (*SPACE, *fixed)]
        if not left:
            raise ValueError("there is no axis along which frames run")
        return cls(axes, left[0], dict(fixed))

    @property
    def is_plain(self) -> bool:
        """Whether there are no dimensions but frame, row and column."""
        return not self.fixed

    @property
    def frame_dimension(self) -> int:
        """Number of the dimension along which frames run."""
        return self.axes.index(self.frame_axis)

    def spread(self, values: tuple[Any, ...], others: Mapping[str, Any]) -> list[Any]:
        """Return one value for each dimension.

        Parameters
        ----------
        values
            Of frame, row and column.
        others
            Of the other dimensions, by name.
        """
        known = dict(zip((self.frame_axis, *SPACE), values, strict=True))
        return [known[name] if name in known else others[name] for name in self.axes]


class LabelPlanes:
    """The frames of an array with more dimensions, seen as ``(T, Y, X)``.

    Indexed by integers and slices, of frame, row and column.
    """

    ndim = 3

    def __init__(self, array: zarr.Array, layout: PlaneLayout) -> None:
        self._array = array
        self._layout = layout
        self.dtype: np.dtype = np.dtype(array.dtype)
        lengths = dict(zip(layout.axes, array.shape, strict=True))
        self.shape: tuple[int, int, int] = (
            lengths[layout.frame_axis],
            lengths["y"],
            lengths["x"],
        )
        self.size = math.prod(self.shape)

    def __getitem__(self, key: Any) -> np.ndarray:
        """Return the part that integers and slices name."""
        return np.asarray(self._array[self._index(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        """Write into the plane of the labels."""
        self._array[self._index(key)] = value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return everything, which only small movies bear."""
        return np.asarray(self[...], dtype=dtype)

    def _index(self, key: Any) -> tuple[Any, ...]:
        parts = key if isinstance(key, tuple) else (key,)
        if Ellipsis in parts:
            at = parts.index(Ellipsis)
            missing = (slice(None),) * (self.ndim + 1 - len(parts))
            parts = (*parts[:at], *missing, *parts[at + 1 :])
        parts = (*parts, *(slice(None),) * (self.ndim - len(parts)))
        return tuple(self._layout.spread(parts, self._layout.fixed))


def label_planes(array: zarr.Array, layout: PlaneLayout) -> zarr.Array | LabelPlanes:
    """Return ``(T, Y, X)`` labels: the array itself if it has no other dimensions."""
    return array if layout.is_plain else LabelPlanes(array, layout)
