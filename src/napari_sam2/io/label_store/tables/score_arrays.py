"""Scores of every object on every frame: ``(T, objects)`` arrays beside the masklets.

NaN (area: −1) stands for "never computed", which is how an empty mask is told from one
that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import zarr

from napari_sam2.interfaces import ObjectScores
from napari_sam2.io.label_store.tables.row_block import BLOCK, RowBlock
from napari_sam2.io.ome_zarr.zarr_nodes import ArraySpec, array_at, create_array

OBJECTS_PER_CHUNK = 256
NOT_COMPUTED: dict[str, float] = {
    "object_score": float("nan"),
    "predicted_iou": float("nan"),
    "stability": float("nan"),
    "area": -1,
}


def create_table(group: zarr.Group, name: str, shape: tuple[int, int]) -> zarr.Array:
    """Create one empty array of ``(T, objects)``: areas as int32, others float32."""
    spec = ArraySpec(
        shape=shape,
        chunks=(BLOCK, OBJECTS_PER_CHUNK),
        dtype=np.int32 if name == "area" else np.float32,
        fill_value=NOT_COMPUTED.get(name, float("nan")),
        dimension_names=("frame", "object"),
    )
    return create_array(group, name, spec)


class ScoreArrays:
    """Four arrays of scores with a write-back block of rows (see `RowBlock`)."""

    def __init__(self, arrays: dict[str, zarr.Array]) -> None:
        self._block = RowBlock(arrays)
        self._areas = arrays["area"]

    @classmethod
    def create(cls, group: zarr.Group, shape: tuple[int, int]) -> ScoreArrays:
        """Create empty arrays of ``(T, objects)``."""
        return cls({name: create_table(group, name, shape) for name in NOT_COMPUTED})

    @classmethod
    def open(cls, group: zarr.Group) -> ScoreArrays:
        """Open the arrays of a group."""
        return cls({name: array_at(group, name) for name in NOT_COMPUTED})

    @property
    def shape(self) -> tuple[int, int]:
        """Number of frames and of objects."""
        frames, objects = self._areas.shape
        return frames, objects

    def write(
        self, frame_index: int, columns: Sequence[int], scores: ObjectScores
    ) -> None:
        """Set the scores of some objects on a frame."""
        row = self._block.change(frame_index)
        for name, rows in self._block.rows.items():
            rows[row, list(columns)] = getattr(scores, name)

    def write_areas(
        self, frame_index: int, columns: Sequence[int], areas: np.ndarray
    ) -> None:
        """Set only the areas of some objects on a frame."""
        row = self._block.change(frame_index)
        self._block.rows["area"][row, list(columns)] = areas

    def computed(self, frame_index: int) -> list[int]:
        """Return the columns of the objects that have a result on a frame."""
        row = self._block.load(frame_index)
        return np.flatnonzero(self._block.rows["area"][row] >= 0).tolist()

    def read(self, frame_index: int, columns: Sequence[int]) -> ObjectScores:
        """Return the scores of some objects on a frame."""
        row, chosen = self._block.load(frame_index), list(columns)
        rows = self._block.rows
        return ObjectScores(
            object_score=rows["object_score"][row, chosen],
            predicted_iou=rows["predicted_iou"][row, chosen],
            stability=rows["stability"][row, chosen],
            area=rows["area"][row, chosen].astype(np.int64),
        )

    def read_all(self, name: str) -> np.ndarray:
        """Return one kind of score as ``(T, objects)``, NaN or −1 if never computed."""
        return self._block.read_all(name)

    def frame_spans(self) -> dict[int, tuple[int, int]]:
        """Return first and last frame with pixels, by column."""
        self.flush()
        spans: dict[int, tuple[int, int]] = {}
        for start in range(0, self.shape[0], BLOCK):
            areas = np.asarray(self._areas[start : start + BLOCK])
            for row, column in np.argwhere(areas > 0).tolist():
                frame = start + row
                spans[column] = (spans.get(column, (frame, frame))[0], frame)
        return spans

    def flush(self) -> None:
        """Write changed rows to disk."""
        self._block.flush()

    def clear(self, frame_index: int) -> None:
        """Forget what is known of a frame, also where it cannot be read."""
        self._block.clear(frame_index)

    def forget(self) -> None:
        """Drop what is in memory: the disk says what holds."""
        self._block.forget()

    def resize(self, object_count: int) -> None:
        """Make room for more objects."""
        self._block.resize(object_count)
