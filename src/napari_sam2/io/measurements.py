"""Where each object is on each frame, and how bright: ``(T, objects)`` arrays.

Stored beside the scores for plots, so that nobody reads pixels to draw a curve. A
store that was written before these were kept gets them with its next write; until
then everything in them is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import zarr

from napari_sam2.io.row_block import RowBlock
from napari_sam2.io.score_arrays import create_table

MeasurementName = Literal["centroid_y", "centroid_x", "mean_intensity"]
NAMES: tuple[MeasurementName, ...] = get_args(MeasurementName)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What was measured on one frame, for each object that was asked for.

    Attributes
    ----------
    area
        ``(objects,)`` int64, pixels.
    centroid_y, centroid_x
        ``(objects,)`` float32, pixels; NaN of an object without pixels.
    mean_intensity
        ``(objects,)`` float32; NaN without pixels or without an image.
    """

    area: np.ndarray
    centroid_y: np.ndarray
    centroid_x: np.ndarray
    mean_intensity: np.ndarray


def measure(
    labels: np.ndarray, object_ids: Sequence[int], image: np.ndarray | None = None
) -> Measured:
    """Measure objects on one frame.

    Parameters
    ----------
    labels
        ``(Y, X)`` label image of unsigned integers.
    object_ids
        Objects to measure, in the order of the result.
    image
        ``(Y, X)`` or ``(Y, X, C)`` intensities; channels are averaged.
    """
    inside = np.flatnonzero(labels)
    values = labels.ravel()[inside]
    chosen, length = np.asarray(object_ids, np.int64), max(object_ids, default=0) + 1
    rows, columns = np.divmod(inside, labels.shape[1])
    area = np.bincount(values, minlength=length)[chosen]

    def mean(weights: np.ndarray) -> np.ndarray:
        sums = np.bincount(values, weights=weights, minlength=length)[chosen]
        means: np.ndarray = np.divide(
            sums, area, out=np.full(len(chosen), np.nan), where=area > 0
        )
        return means.astype(np.float32)

    grey = image if image is None or image.ndim == 2 else image.mean(axis=2)
    return Measured(
        area=area.astype(np.int64),
        centroid_y=mean(rows),
        centroid_x=mean(columns),
        mean_intensity=np.full(len(chosen), np.nan, np.float32)
        if grey is None
        else mean(grey.ravel()[inside]),
    )


class MeasurementArrays:
    """Three arrays of measurements with a write-back block of rows.

    Parameters
    ----------
    group
        Group of the run; arrays that it lacks are made if it is writable.
    shape
        Number of frames and of objects.
    """

    def __init__(self, group: zarr.Group, shape: tuple[int, int]) -> None:
        arrays: dict[str, zarr.Array] = {}
        for name in NAMES:
            node = group.get(name)
            if isinstance(node, zarr.Array):
                arrays[name] = node
            elif not group.read_only:
                arrays[name] = create_table(group, name, shape)
        self._arrays = arrays
        self._block = RowBlock(arrays)
        self._shape = shape

    def write(
        self, frame_index: int, columns: Sequence[int], measured: Measured
    ) -> None:
        """Set position and intensity of some objects on a frame."""
        row = self._block.change(frame_index)
        for name, rows in self._block.rows.items():
            rows[row, list(columns)] = getattr(measured, name)

    def write_positions(
        self, frame_index: int, columns: Sequence[int], measured: Measured
    ) -> None:
        """Set only where some objects are on a frame."""
        row = self._block.change(frame_index)
        for name in ("centroid_y", "centroid_x"):
            self._block.rows[name][row, list(columns)] = getattr(measured, name)

    def clear(self, frame_index: int, columns: Sequence[int]) -> None:
        """Forget what was measured of some objects on a frame."""
        row = self._block.change(frame_index)
        for rows in self._block.rows.values():
            rows[row, list(columns)] = np.nan

    def read_all(self, name: MeasurementName) -> np.ndarray:
        """Return one measurement as ``(T, objects)`` float32, NaN where unknown."""
        if name not in self._arrays:
            return np.full(self._shape, np.nan, np.float32)
        return self._block.read_all(name)

    def flush(self) -> None:
        """Write changed rows to disk."""
        self._block.flush()

    def forget(self) -> None:
        """Drop what is in memory: the disk says what holds."""
        self._block.forget()

    def resize(self, object_count: int) -> None:
        """Make room for more objects."""
        self._shape = (self._shape[0], object_count)
        self._block.resize(object_count)
