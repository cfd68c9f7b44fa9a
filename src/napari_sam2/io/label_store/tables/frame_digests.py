"""By what a frame on disk is known again: digests of its chunks and of its scores.

``(T, 1 + chunks)`` uint64: the scores (with the tiles, where there are any), then the
chunks of the labels, then those of the logits. An array beside it, ``(T, 1)``, is about
what was measured and what was seen of divisions; a group that was written before there
was one gets it with its next write, and older versions pass it over.

They are made of what is written while it is written, and reach the disk with the
scores, before the frame is called whole; so they hold for whole frames only.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import zarr
from zarr.core.buffer import Buffer

from napari_sam2.io.history.kept_chunks import ChunkKey
from napari_sam2.io.label_store.tables.measurements import MeasurementArrays
from napari_sam2.io.label_store.tables.rows import (
    BLOCK,
    RowBlock,
    ScoreArrays,
    TileArray,
)
from napari_sam2.io.ome_zarr.digests import UNKNOWN, digest_of
from napari_sam2.io.ome_zarr.planes import PlaneLayout
from napari_sam2.io.ome_zarr.zarr_nodes import (
    ArraySpec,
    array_if_any,
    chunk_file,
    create_array,
)

DIGESTS, MEASURED = "digests", "measured_digests"
COLUMNS_PER_CHUNK = 256
LABELS, LOGITS = "0", "napari-sam2/logits"
SCORES_COLUMN, FIRST_CHUNK = 0, 1


class FrameDigests:
    """Digests of all frames.

    Parameters
    ----------
    run
        Group of the run; the array is made if it lacks one and is writable.
    """

    def __init__(
        self,
        run: zarr.Group,
        labels: zarr.Array,
        logits: zarr.Array,
        layout: PlaneLayout,
    ) -> None:
        self._labels, self._logits, self._layout = labels, logits, layout
        self._grid = _chunk_counts(labels)[-2:]
        frame_count = logits.shape[0]
        self._block = _block_of(run, DIGESTS, (frame_count, self._column_count()))
        self._measured = _block_of(run, MEASURED, (frame_count, 1))
        self._noted: dict[tuple[int, int], int] = {}

    def note(self, key: ChunkKey, content: Buffer | None) -> None:
        """Note what a chunk is about to hold; None if it is removed.

        Called by whoever writes, in any thread: nothing is read.
        """
        rows, columns = self._grid
        if key.array == LABELS:
            frame = key.place[self._layout.frame_dimension]
            column = FIRST_CHUNK + key.place[-2] * columns + key.place[-1]
        elif key.array == LOGITS:
            frame, column = key.place[0], FIRST_CHUNK + rows * columns + key.place[1]
        else:
            return
        written = None if content is None else content.to_bytes()
        self._noted[frame, column] = digest_of(written)

    def flush(self, numbers: Mapping[int, tuple[int, int]]) -> None:
        """Write what was noted, and the digests of the numbers of some frames.

        Parameters
        ----------
        numbers
            By frame, the digests of its scores and of its measurements.
        """
        noted = dict(self._noted)
        for frame, (scored, measured) in sorted(numbers.items()):
            noted[frame, SCORES_COLUMN] = scored
            row = self._measured.change(frame)
            self._measured.rows[MEASURED][row] = measured
        for (frame, column), digest in sorted(noted.items()):
            row = self._block.change(frame)
            self._block.rows[DIGESTS][row, column] = digest
        self._noted.clear()
        self._block.flush()
        self._measured.flush()

    def distrust(self, frames: Collection[int]) -> None:
        """Say that nothing is known of frames."""
        for block in (self._block, self._measured):
            for frame in sorted(frames):
                row = block.change(frame)
                for rows in block.rows.values():
                    rows[row] = UNKNOWN
            block.flush()

    def clear(self, frame_index: int) -> None:
        """Forget what is known of a frame, also where it cannot be read."""
        self._block.clear(frame_index)
        self._measured.clear(frame_index)

    def forget(self) -> None:
        """Drop what is in memory: the disk says what holds."""
        self._noted.clear()
        self._block.forget()
        self._measured.forget()

    def resize(self) -> None:
        """Make room for more objects, after the logits have done so."""
        self._block.resize(self._column_count())

    def of_scores(self, frame_index: int) -> int:
        """Return the digest that the scores of a frame should have, or `UNKNOWN`."""
        return int(self._row(frame_index)[SCORES_COLUMN])

    def of_measurements(self, frame_index: int) -> int:
        """Return the digest that its measurements should have, or `UNKNOWN`."""
        row = self._measured.load(frame_index)
        known = self._measured.rows.get(MEASURED)
        return UNKNOWN if known is None else int(known[row, 0])

    def of_chunks(self, frame_index: int) -> Iterator[tuple[Path, int]]:
        """Yield the files of a frame's chunks and what their digests should be."""
        row, files = self._row(frame_index), self._files(frame_index)
        yield from zip(files, row[FIRST_CHUNK:].tolist(), strict=False)

    def _row(self, frame_index: int) -> np.ndarray:
        row = self._block.load(frame_index)
        known = self._block.rows.get(DIGESTS)
        return (
            np.zeros(self._column_count(), np.uint64) if known is None else known[row]
        )

    def _files(self, frame_index: int) -> Iterator[Path]:
        """Yield the files of the chunks of a frame, in the order of the columns."""
        for corner in np.ndindex(*self._grid):
            place = self._layout.spread((frame_index, *corner), self._layout.fixed)
            yield chunk_file(self._labels, tuple(place))
        for group in range(_chunk_counts(self._logits)[1]):
            yield chunk_file(self._logits, (frame_index, group, 0, 0))

    def _column_count(self) -> int:
        return FIRST_CHUNK + math.prod(self._grid) + _chunk_counts(self._logits)[1]


def digest_of_scores(
    scores: ScoreArrays, tiles: TileArray, object_ids: Sequence[int], frame_index: int
) -> int:
    """Return the digest of a frame's scores, whatever columns its objects have.

    Where logits cover tiles it says which, too.
    """
    columns = sorted(scores.computed(frame_index), key=object_ids.__getitem__)
    found = scores.read(frame_index, columns)
    ids = np.asarray([object_ids[column] for column in columns], "<i8")
    values = (found.object_score, found.predicted_iou, found.stability)
    parts = [ids, *(one.astype("<f4") for one in values), found.area.astype("<i8")]
    if not tiles.layout.is_whole:
        parts.append(tiles.read(frame_index, columns).astype("<i8"))
    return digest_of(b"".join(part.tobytes() for part in parts))


def digest_of_measurements(
    tables: Sequence[MeasurementArrays],
    columns: Sequence[int],
    object_ids: Sequence[int],
    frame_index: int,
) -> int:
    """Return the digest of what was measured of some objects, by their ids."""
    columns = sorted(columns, key=object_ids.__getitem__)
    ids = np.asarray([object_ids[column] for column in columns], "<i8")
    parts = [table.read(frame_index, columns).astype("<f4") for table in tables]
    return digest_of(b"".join(part.tobytes() for part in (ids, *parts)))


def _block_of(run: zarr.Group, name: str, shape: tuple[int, int]) -> RowBlock:
    """Return the rows of an array, which is made where it lacks and may be."""
    array = array_if_any(run, name)
    if array is None and not run.read_only:
        spec = ArraySpec(
            shape=shape,
            chunks=(BLOCK, COLUMNS_PER_CHUNK),
            dtype=np.uint64,
            fill_value=UNKNOWN,
            dimension_names=("frame", "part"),
        )
        array = create_array(run, name, spec)
    return RowBlock({} if array is None else {name: array})


def _chunk_counts(array: zarr.Array) -> tuple[int, ...]:
    pairs = zip(array.shape, array.chunks, strict=True)
    return tuple(-(-length // chunk) for length, chunk in pairs)
