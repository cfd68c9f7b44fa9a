"""The embeddings of the last few frames: a second click on a frame costs no encoder."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Callable

import numpy as np

from napari_sam2.model.sam2 import ImageEmbedding

Key = tuple[int, int]


class EmbeddingCache:
    """A small least-recently-used store of embeddings.

    A frame is known by its index and the checksum of its pixels, so that a changed
    contrast never meets the embedding of the old one.

    Parameters
    ----------
    capacity
        How many frames are kept, 1 or more.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._embeddings: OrderedDict[Key, ImageEmbedding] = OrderedDict()

    def __len__(self) -> int:
        return len(self._embeddings)

    @property
    def nbytes(self) -> int:
        """Bytes of all embeddings kept."""
        return sum(
            tensor.nbytes
            for embedding in self._embeddings.values()
            for tensor in (embedding.features, *embedding.high_res)
        )

    def get(
        self, frame_index: int, frame: np.ndarray, compute: Callable[[], ImageEmbedding]
    ) -> ImageEmbedding:
        """Return the embedding of a ``(Y, X, 3)`` uint8 frame, computing it if new."""
        key = (frame_index, zlib.crc32(np.ascontiguousarray(frame).data))
        if key in self._embeddings:
            self._embeddings.move_to_end(key)
            return self._embeddings[key]
        while len(self._embeddings) >= self.capacity:
            self._embeddings.popitem(last=False)
        self._embeddings[key] = compute()
        return self._embeddings[key]

    def clear(self) -> None:
        """Forget all embeddings."""
        self._embeddings.clear()
