"""What is known of every object on every frame: ``(T, objects)`` arrays, by rows.

Scores: NaN (area: −1) stands for "never computed", which is how an empty mask is told
from one that nobody asked for. Tiles say which one the logits cover; only groups of
runs in tiles have them, in others the logits cover the frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import zarr

from napari_sam2.interfaces import ObjectScores
from napari_sam2.io.ome_zarr.zarr_nodes import (
    ArraySpec,
    array_at,
    attributes_of,
    create_array,
)
from napari_sam2.io.storage import DAMAGED
from napari_sam2.tiles import TileLayout

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
        self._on_disk: dict[str, bytes] = {}
        self._first = -1
        self._is_changed = False

    def load(self, frame_index: int) -> int:
        """Bring the block of a frame into memory; return the frame's row in it."""
        first = frame_index // BLOCK * BLOCK
        if first != self._first:
            self.flush()
            rows = {
                name: np.asarray(array[first : first + BLOCK])
                for name, array in self._arrays.items()
            }
            self._take(rows)
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
        """Write the arrays to disk of which a row has changed.

        Of the others the history would keep what nobody replaced.
        """
        if not self._is_changed:
            return
        for name, rows in self.rows.items():
            content = rows.tobytes()
            if content != self._on_disk[name]:
                self._arrays[name][self._first : self._first + len(rows)] = rows
                self._on_disk[name] = content
        self._is_changed = False

    def forget(self) -> None:
        """Drop the block, changes included: the disk says what holds."""
        self._is_changed = False
        self._first = -1
        self.rows = {}
        self._on_disk = {}

    def resize(self, object_count: int) -> None:
        """Make room for more objects, of which nothing is known: nothing is read."""
        self.flush()
        for array in self._arrays.values():
            array.resize((array.shape[0], object_count))
        self._take(
            {
                name: _widened(rows, object_count, self._arrays[name].fill_value)
                for name, rows in self.rows.items()
            }
        )

    def _take(self, rows: dict[str, np.ndarray]) -> None:
        """Take rows for what is on disk."""
        self.rows = rows
        self._on_disk = {name: values.tobytes() for name, values in rows.items()}


def _widened(rows: np.ndarray, count: int, fill_value: float) -> np.ndarray:
    wide = np.full((len(rows), count), fill_value, rows.dtype)
    wide[:, : rows.shape[1]] = rows
    return wide


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
    """Four arrays of scores.

    Attributes
    ----------
    block
        Their rows in memory.
    """

    def __init__(self, arrays: dict[str, zarr.Array]) -> None:
        self.block = RowBlock(arrays)
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
        row = self.block.change(frame_index)
        for name, rows in self.block.rows.items():
            rows[row, list(columns)] = getattr(scores, name)

    def write_areas(
        self, frame_index: int, columns: Sequence[int], areas: np.ndarray
    ) -> None:
        """Set only the areas of some objects on a frame."""
        row = self.block.change(frame_index)
        self.block.rows["area"][row, list(columns)] = areas

    def computed(self, frame_index: int) -> list[int]:
        """Return the columns of the objects that have a result on a frame."""
        row = self.block.load(frame_index)
        return np.flatnonzero(self.block.rows["area"][row] >= 0).tolist()

    def read(self, frame_index: int, columns: Sequence[int]) -> ObjectScores:
        """Return the scores of some objects on a frame."""
        row, chosen = self.block.load(frame_index), list(columns)
        rows = self.block.rows
        return ObjectScores(
            object_score=rows["object_score"][row, chosen],
            predicted_iou=rows["predicted_iou"][row, chosen],
            stability=rows["stability"][row, chosen],
            area=rows["area"][row, chosen].astype(np.int64),
        )

    def read_all(self, name: str) -> np.ndarray:
        """Return one kind of score as ``(T, objects)``, NaN or −1 if never computed."""
        return self.block.read_all(name)

    def frame_spans(self) -> dict[int, tuple[int, int]]:
        """Return first and last frame with pixels, by column."""
        self.block.flush()
        spans: dict[int, tuple[int, int]] = {}
        for start in range(0, self.shape[0], BLOCK):
            areas = np.asarray(self._areas[start : start + BLOCK])
            for row, column in np.argwhere(areas > 0).tolist():
                frame = start + row
                spans[column] = (spans.get(column, (frame, frame))[0], frame)
        return spans


TILES = "tiles"


class TileArray:
    """The tiles of all objects on all frames.

    Parameters
    ----------
    frame_shape
        ``(Y, X)`` in pixels.

    Attributes
    ----------
    layout
        Where the tiles lie.
    block
        Its rows in memory; of nothing where the tile is the frame.
    """

    def __init__(self, run: zarr.Group, frame_shape: tuple[int, int]) -> None:
        facts = attributes_of(run).get(TILES)
        self.layout = (
            TileLayout.whole(frame_shape)
            if facts is None
            else TileLayout.from_json(facts)
        )
        is_whole = self.layout.is_whole
        self.block = RowBlock({} if is_whole else {TILES: array_at(run, TILES)})

    @staticmethod
    def create(run: zarr.Group, shape: tuple[int, int]) -> None:
        """Create an empty array of ``(T, objects)``."""
        spec = ArraySpec(
            shape=shape,
            chunks=(BLOCK, OBJECTS_PER_CHUNK),
            dtype=np.int32,
            fill_value=0,
            dimension_names=("frame", "object"),
        )
        create_array(run, TILES, spec)

    def write(
        self, frame_index: int, columns: Sequence[int], tiles: np.ndarray | None
    ) -> None:
        """Set the tiles of some objects on a frame; None for the first one."""
        if not self.layout.is_whole:
            row = self.block.change(frame_index)
            self.block.rows[TILES][row, list(columns)] = 0 if tiles is None else tiles

    def read(self, frame_index: int, columns: Sequence[int]) -> np.ndarray:
        """Return ``(objects,)`` int64."""
        if self.layout.is_whole:
            return np.zeros(len(columns), np.int64)
        row = self.block.load(frame_index)
        tiles: np.ndarray = self.block.rows[TILES][row, list(columns)]
        return tiles.astype(np.int64)
