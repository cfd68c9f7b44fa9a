"""Labels ``(t, z, y, x)`` in a layer while a program beside the window makes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np


class StacksInLayer:
    """An array that is read plane by plane, each time anew; nobody paints on it.

    Parameters
    ----------
    read
        From time point and plane to ``(Y, X)`` labels, as they are now.
    shape
        ``(T, Z, Y, X)``.
    """

    def __init__(
        self,
        read: Callable[[int, int], np.ndarray],
        shape: tuple[int, int, int, int],
        dtype: np.dtype,
    ) -> None:
        self._read = read
        self.shape = shape
        self.dtype = dtype
        self.ndim = len(shape)
        self.size = math.prod(shape)

    def __len__(self) -> int:
        """Return the number of time points."""
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        """Return a copy of a part, which integers, slices or lists of places name."""
        given = key if isinstance(key, tuple) else (key,)
        if Ellipsis in [one for one in given if not isinstance(one, np.ndarray)]:
            at = given.index(Ellipsis)
            whole = (slice(None),) * (self.ndim - len(given) + 1)
            given = (*given[:at], *whole, *given[at + 1 :])
        parts = (*given, *[slice(None)] * (self.ndim - len(given)))
        frames, planes = (
            np.arange(length)[part]
            for length, part in zip(self.shape[:2], parts[:2], strict=True)
        )
        block = np.array(
            [
                [self._read(int(frame), int(plane))[parts[2:]] for plane in planes.flat]
                for frame in frames.flat
            ],
            self.dtype,
        )
        return block.reshape(frames.shape + planes.shape + block.shape[2:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return everything."""
        if copy is False:
            raise ValueError("labels lie on disk: there is no array without a copy")
        return np.asarray(self[...], dtype=dtype)
