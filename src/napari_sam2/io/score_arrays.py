"""Scores of every object on every frame: ``(T, objects)`` arrays beside the masklets.

NaN (area: −1) stands for "never computed", which is how an empty mask is told from one
that nobody asked for. Rows are read and written through one block of `BLOCK` frames in
memory, so that a frame costs no file access and a long movie no more memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import zarr

from napari_sam2.interfaces import ObjectScores
from napari_sam2.io.zarr_nodes import ArraySpec, array_at, create_array

BLOCK = 64
OBJECTS_PER_CHUNK = 256
NOT_COMPUTED: dict[str, float] = {
    "object_score": float("nan"),
    "predicted_iou": float("nan"),
    "stability": float("nan"),
    "area": -1,
}


class ScoreArrays:
    """Four arrays of scores with a write-back block of rows.

    What was written is on disk after `flush`, or once another block is touched.
    """

    def __init__(self, arrays: dict[str, zarr.Array]) -> None:
        self._arrays = arrays
        self._rows: dict[str, np.ndarray] = {}
        self._first = -1
        self._is_changed = False

    @classmethod
    def create(cls, group: zarr.Group, shape: tuple[int, int]) -> ScoreArrays:
        """Create empty arrays of ``(T, objects)``."""
        arrays = {}
        for name, missing in NOT_COMPUTED.items():
            spec = ArraySpec(
                shape=shape,
                chunks=(BLOCK, OBJECTS_PER_CHUNK),
                dtype=np.int32 if name == "area" else np.float32,
                fill_value=missing,
                dimension_names=("frame", "object"),
            )
            arrays[name] = create_array(group, name, spec)
        return cls(arrays)

    @classmethod
    def open(cls, group: zarr.Group) -> ScoreArrays:
        """Open the arrays of a group."""
        return cls({name: array_at(group, name) for name in NOT_COMPUTED})

    @property
    def shape(self) -> tuple[int, int]:
        """Number of frames and of objects."""
        frames, objects = self._arrays["area"].shape
        return frames, objects

    def write(
        self, frame_index: int, columns: Sequence[int], scores: ObjectScores
    ) -> None:
        """Set the scores of some objects on a frame."""
        row = self._load(frame_index)
        for name, rows in self._rows.items():
            rows[row, list(columns)] = getattr(scores, name)
        self._is_changed = True

    def write_areas(
        self, frame_index: int, columns: Sequence[int], areas: np.ndarray
    ) -> None:
        """Set only the areas of some objects on a frame."""
        row = self._load(frame_index)
        self._rows["area"][row, list(columns)] = areas
        self._is_changed = True

    def computed(self, frame_index: int) -> list[int]:
        """Return the columns of the objects that have a result on a frame."""
        row = self._load(frame_index)
        return np.flatnonzero(self._rows["area"][row] >= 0).tolist()

    def read(self, frame_index: int, columns: Sequence[int]) -> ObjectScores:
        """Return the scores of some objects on a frame."""
        row, chosen = self._load(frame_index), list(columns)
        return ObjectScores(
            object_score=self._rows["object_score"][row, chosen],
            predicted_iou=self._rows["predicted_iou"][row, chosen],
            stability=self._rows["stability"][row, chosen],
            area=self._rows["area"][row, chosen].astype(np.int64),
        )

    def read_all(self, name: str) -> np.ndarray:
        """Return one kind of score as ``(T, objects)``, NaN or −1 if never computed."""
        self.flush()
        return np.asarray(self._arrays[name][:])

    def frame_spans(self) -> dict[int, tuple[int, int]]:
        """Return first and last frame with pixels, by column."""
        self.flush()
        spans: dict[int, tuple[int, int]] = {}
        for start in range(0, self.shape[0], BLOCK):
            areas = np.asarray(self._arrays["area"][start : start + BLOCK])
            for row, column in np.argwhere(areas > 0).tolist():
                frame = start + row
                spans[column] = (spans.get(column, (frame, frame))[0], frame)
        return spans

    def flush(self) -> None:
        """Write changed rows to disk."""
        if self._is_changed:
            for name, rows in self._rows.items():
                self._arrays[name][self._first : self._first + len(rows)] = rows
            self._is_changed = False

    def resize(self, object_count: int) -> None:
        """Make room for more objects."""
        self.flush()
        self._first = -1
        for array in self._arrays.values():
            array.resize((array.shape[0], object_count))

    def _load(self, frame_index: int) -> int:
        """Bring the block of a frame into memory; return the frame's row in it."""
        first = frame_index // BLOCK * BLOCK
        if first != self._first:
            self.flush()
            self._rows = {
                name: np.asarray(array[first : first + BLOCK])
                for name, array in self._arrays.items()
            }
            self._first = first
        return frame_index - first
