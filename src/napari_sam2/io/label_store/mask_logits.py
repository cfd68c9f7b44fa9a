"""Low-resolution mask logits on disk: exact around the masks, nothing elsewhere.

A logit map is mostly the network's opinion about pixels that belong to nobody, and
does not compress. Bilinear upsampling (``align_corners=False``) mixes the 2 × 2
nearest logits with weights that are never negative, so an upsampled value can be
positive only next to a positive logit. Keeping each logit within one pixel of a
positive one therefore keeps every positive upsampled value bit for bit; all other
logits are replaced by one negative number, which zarr stores as nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    """Logits of all objects on all frames: ``(T, objects, h, w)`` float32."""

    def __init__(self, array: zarr.Array) -> None:
        self._array = array

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
        height, width = self._array.shape[2:]
        return height, width

    def write(
        self, frame_index: int, columns: Sequence[int], logits: np.ndarray
    ) -> None:
        """Store ``(objects, h, w)`` logits, leaving other objects of the chunk."""
        if not columns:
            return
        first, stop = self._chunks_around(columns)
        if len(columns) == stop - first:
            block = np.empty((stop - first, *self.mask_shape), np.float32)
        else:
            block = np.asarray(self._array[frame_index, first:stop])
        block[np.asarray(columns) - first] = keep_around_positive(logits)
        self._array[frame_index, first:stop] = block

    def read(self, frame_index: int, columns: Sequence[int]) -> np.ndarray:
        """Return ``(objects, h, w)`` float32; touches no file without columns."""
        if not columns:
            return np.empty((0, *self.mask_shape), np.float32)
        first, stop = self._chunks_around(columns)
        block: np.ndarray = np.asarray(self._array[frame_index, first:stop])
        return np.take(block, np.asarray(columns) - first, axis=0)

    def resize(self, object_count: int) -> None:
        """Make room for more objects."""
        frames, _, height, width = self._array.shape
        self._array.resize((frames, object_count, height, width))

    def _chunks_around(self, columns: Sequence[int]) -> tuple[int, int]:
        first = min(columns) // OBJECTS_PER_CHUNK * OBJECTS_PER_CHUNK
        stop = (max(columns) // OBJECTS_PER_CHUNK + 1) * OBJECTS_PER_CHUNK
        return first, min(stop, self._array.shape[1])
