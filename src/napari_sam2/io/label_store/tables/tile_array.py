"""Which tile the logits of each object cover on each frame: ``(T, objects)``.

Only groups of runs in tiles have it; in others the logits cover the frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import zarr

from napari_sam2.io.label_store.tables.row_block import BLOCK, RowBlock
from napari_sam2.io.label_store.tables.score_arrays import OBJECTS_PER_CHUNK
from napari_sam2.io.ome_zarr.zarr_nodes import (
    ArraySpec,
    array_at,
    attributes_of,
    create_array,
)
from napari_sam2.tiles import TileLayout

TILES = "tiles"


class TileArray:
    """The tiles of all objects on all frames.

    Parameters
    ----------
    run
        Group of the run.
    frame_shape
        ``(Y, X)`` in pixels.

    Attributes
    ----------
    layout
        Where the tiles lie.
    """

    def __init__(self, run: zarr.Group, frame_shape: tuple[int, int]) -> None:
        facts = attributes_of(run).get(TILES)
        self.layout = (
            TileLayout.whole(frame_shape)
            if facts is None
            else TileLayout.from_json(facts)
        )
        is_whole = self.layout.is_whole
        self._block = RowBlock({} if is_whole else {TILES: array_at(run, TILES)})

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
            row = self._block.change(frame_index)
            self._block.rows[TILES][row, list(columns)] = 0 if tiles is None else tiles

    def read(self, frame_index: int, columns: Sequence[int]) -> np.ndarray:
        """Return ``(objects,)`` int64."""
        if self.layout.is_whole:
            return np.zeros(len(columns), np.int64)
        row = self._block.load(frame_index)
        tiles: np.ndarray = self._block.rows[TILES][row, list(columns)]
        return tiles.astype(np.int64)

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
