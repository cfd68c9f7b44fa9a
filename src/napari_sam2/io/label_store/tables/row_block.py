"""Rows of ``(T, objects)`` arrays, read and written one block of frames at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import zarr

from napari_sam2.io.ome_zarr.zarr_nodes import DAMAGED

BLOCK = 64


class RowBlock:
    """A write-back block of `BLOCK` rows of arrays that belong together.

    A frame costs no file access, and a long movie no more memory. What was written is
    on disk after `flush`, or once another block is touched.

    Parameters
    ----------
    arrays
        ``(T, objects)`` arrays by name.

    Attributes
    ----------
    rows
        The block in memory, by name; valid for the frame last given to `load`.
    """

    def __init__(self, arrays: Mapping[str, zarr.Array]) -> None:
        self._arrays = arrays
        self.rows: dict[str, np.ndarray] = {}
        self._first = -1
        self._is_changed = False

    def load(self, frame_index: int) -> int:
        """Bring the block of a frame into memory; return the frame's row in it."""
        first = frame_index // BLOCK * BLOCK
        if first != self._first:
            self.flush()
            self.rows = {
                name: np.asarray(array[first : first + BLOCK])
                for name, array in self._arrays.items()
            }
            self._first = first
        return frame_index - first

    def change(self, frame_index: int) -> int:
        """Do as `load`, for somebody who will write into the row."""
        row = self.load(frame_index)
        self._is_changed = True
        return row

    def clear(self, frame_index: int) -> None:
        """Give the row of a frame the fill values; all of a block that is damaged."""
        try:
            row = self.change(frame_index)
        except DAMAGED:
            first = frame_index // BLOCK * BLOCK
            for array in self._arrays.values():
                array[first : first + BLOCK] = array.fill_value
            row = self.change(frame_index)
        for name, rows in self.rows.items():
            rows[row] = self._arrays[name].fill_value

    def read_all(self, name: str) -> np.ndarray:
        """Return one array as a whole, ``(T, objects)``."""
        self.flush()
        return np.asarray(self._arrays[name][:])

    def flush(self) -> None:
        """Write changed rows to disk."""
        if self._is_changed:
            for name, rows in self.rows.items():
                self._arrays[name][self._first : self._first + len(rows)] = rows
            self._is_changed = False

    def forget(self) -> None:
        """Drop the block, changes included: the disk says what holds."""
        self._is_changed = False
        self._first = -1
        self.rows = {}

    def resize(self, object_count: int) -> None:
        """Make room for more objects."""
        self.flush()
        self.forget()
        for array in self._arrays.values():
            array.resize((array.shape[0], object_count))
