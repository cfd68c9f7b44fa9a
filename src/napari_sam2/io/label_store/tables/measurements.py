"""What is known of objects on frames beside scores: ``(T, objects)`` arrays.

Where it is and how bright, for plots, so that nobody reads pixels to draw a curve; and
what its raw masks said of divisions. A store that was written before these were kept
gets them with its next write; until then everything in them is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Literal, get_args

import numpy as np
import zarr

from napari_sam2.interfaces import DivisionEvidence
from napari_sam2.io.label_store.tables.rows import RowBlock, create_table
from napari_sam2.io.ome_zarr.zarr_nodes import array_if_any
from napari_sam2.metrics.regions import Measured

MeasurementName = Literal["centroid_y", "centroid_x", "mean_intensity"]
POSITION = ("centroid_y", "centroid_x")
MEASUREMENTS: tuple[MeasurementName, ...] = get_args(MeasurementName)
EVIDENCE = tuple(one.name for one in fields(DivisionEvidence))


class MeasurementArrays:
    """Arrays that belong together, with a write-back block of rows.

    Parameters
    ----------
    group
        Group of the run; arrays that it lacks are made if it is writable.
    shape
        Number of frames and of objects.
    names
        What they are called, as attributes of what is written.

    Attributes
    ----------
    block
        Their rows in memory.
    """

    def __init__(
        self, group: zarr.Group, shape: tuple[int, int], names: Sequence[str]
    ) -> None:
        arrays: dict[str, zarr.Array] = {}
        for name in names:
            array = array_if_any(group, name)
            if array is not None:
                arrays[name] = array
            elif not group.read_only:
                arrays[name] = create_table(group, name, shape)
        self._arrays, self.names = arrays, tuple(names)
        self.block = RowBlock(arrays)
        self._shape = shape

    def write(
        self,
        frame_index: int,
        columns: Sequence[int],
        measured: Measured | DivisionEvidence | None,
    ) -> None:
        """Set what is known of some objects on a frame; None forgets it."""
        row = self.block.change(frame_index)
        for name, rows in self.block.rows.items():
            rows[row, list(columns)] = getattr(measured, name, np.nan)

    def write_positions(
        self, frame_index: int, columns: Sequence[int], measured: Measured
    ) -> None:
        """Set only where some objects are on a frame."""
        row = self.block.change(frame_index)
        for name in POSITION:
            self.block.rows[name][row, list(columns)] = getattr(measured, name)

    def are_known(self, frame_index: int, columns: Sequence[int]) -> bool:
        """Whether all places of some objects on a frame are."""
        row, rows = self.block.load(frame_index), self.block.rows
        places = [rows[name][row, list(columns)] for name in POSITION]
        return bool(np.isfinite(places).all())

    def read(self, frame_index: int, columns: Sequence[int]) -> np.ndarray:
        """Return what is known of some objects on a frame: a row each of `names`."""
        row, rows = self.block.load(frame_index), self.block.rows
        return np.array([rows[name][row, list(columns)] for name in self.names])

    def read_all(self, name: str) -> np.ndarray:
        """Return one measurement as ``(T, objects)`` float32, NaN where unknown."""
        if name not in self._arrays:
            return np.full(self._shape, np.nan, np.float32)
        return self.block.read_all(name)
