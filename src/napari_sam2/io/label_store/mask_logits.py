"""Low-resolution mask logits on disk: exact around the masks, nothing elsewhere.

A logit map is mostly the network's opinion about pixels that belong to nobody, and
does not compress. Bilinear upsampling (``align_corners=False``) mixes the 2 × 2
nearest logits with weights that are never negative, so an upsampled value can be
positive only next to a positive logit. Keeping each logit within one pixel of a
positive one therefore keeps every positive upsampled value bit for bit; all other
logits are replaced by one negative number, which zarr stores as nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import zarr

from napari_sam2.interfaces import ABSENT_LOGIT
from napari_sam2.io.ome_zarr.zarr_nodes import ArraySpec, array_at, create_array

OBJECTS_PER_CHUNK = 16
NAME = "logits"


def keep_around_positive(logits: np.ndarray) -> np.ndarray:
    """Replace logits that cannot reach a positive upsampled value by `ABSENT_LOGIT`.

    Parameters
    ----------
    logits
        ``(objects, h, w)`` float32.

    Returns
    -------
    np.ndarray
        ``(objects, h, w)`` float32, equal within the 8-neighbourhood of each positive
        pixel.
    """
    near = logits > 0
    columns = near.copy()
    near[:, :, 1:] |= columns[:, :, :-1]
    near[:, :, :-1] |= columns[:, :, 1:]
    rows = near.copy()
    near[:, 1:] |= rows[:, :-1]
    near[:, :-1] |= rows[:, 1:]
    return np.where(near, logits, ABSENT_LOGIT).astype(np.float32, copy=False)


class LogitArray:
    """Logits of all objects on all frames.

    Parameters
    ----------
    array
        ``(T, objects, h, w)`` float32, on disk.
    """

    def __init__(self, array: zarr.Array) -> None:
        self.array = array

    @classmethod
    def create(cls, group: zarr.Group, shape: tuple[int, int, int, int]) -> LogitArray:
        """Create an empty array of ``(T, objects, h, w)``."""
        spec = ArraySpec(
            shape=shape,
            chunks=(1, OBJECTS_PER_CHUNK, *shape[2:]),
            dtype=np.float32,
            fill_value=ABSENT_LOGIT,
            dimension_names=("frame", "object", "y", "x"),
        )
        return cls(create_array(group, NAME, spec))

    @classmethod
    def open(cls, group: zarr.Group) -> LogitArray:
        """Open the array of a group."""
        return cls(array_at(group, NAME))

    @property
    def mask_shape(self) -> tuple[int, int]:
        """``(h, w)`` of one logit map."""
        height, width = self.array.shape[2:]
        return height, width

    def write(
        self, frame_index: int, columns: Sequence[int], logits: np.ndarray
    ) -> None:
        """Store ``(objects, h, w)`` logits, leaving other objects of the chunk."""
        kept = keep_around_positive(logits)
        for chunks, rows, inside in self._runs(columns):
            count = chunks.stop - chunks.start
            if len(rows) == count:
                block = np.empty((count, *self.mask_shape), np.float32)
            else:
                block = np.asarray(self.array[frame_index, chunks])
            block[inside] = kept[rows]
            self.array[frame_index, chunks] = block

    def read(self, frame_index: int, columns: Sequence[int]) -> np.ndarray:
        """Return ``(objects, h, w)`` float32; touches no file without columns."""
        found = np.empty((len(columns), *self.mask_shape), np.float32)
        for chunks, rows, inside in self._runs(columns):
            found[rows] = np.asarray(self.array[frame_index, chunks])[inside]
        return found

    def clear(self, frame_index: int) -> None:
        """Forget the logits of a frame, without reading them."""
        self.array[frame_index] = ABSENT_LOGIT

    def resize(self, object_count: int) -> None:
        """Make room for more objects."""
        frames, _, height, width = self.array.shape
        self.array.resize((frames, object_count, height, width))

    def _runs(
        self, columns: Sequence[int]
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Yield runs of neighbouring chunks that hold columns.

        Yields
        ------
        tuple
            All columns of the run, which of those asked for lie in it, and where.
        """
        asked = np.asarray(columns, np.int64)
        chunk_of = asked // OBJECTS_PER_CHUNK
        chunks = np.unique(chunk_of)
        for run in np.split(chunks, np.flatnonzero(np.diff(chunks) > 1) + 1):
            if len(run):
                first = int(run[0]) * OBJECTS_PER_CHUNK
                stop = (int(run[-1]) + 1) * OBJECTS_PER_CHUNK
                rows = np.flatnonzero(np.isin(chunk_of, run))
                run_of = slice(first, min(stop, self.array.shape[1]))
                yield run_of, rows, asked[rows] - first
