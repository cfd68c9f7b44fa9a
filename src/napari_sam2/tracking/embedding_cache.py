"""Embeddings of frames seen lately: a second click on a frame costs no encoder."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

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
        How many frames are kept, 1 or more; None for as many as ``max_bytes`` holds.
    max_bytes
        How many bytes are kept at most, if not a single frame takes more; None for no
        bound but the capacity.
    """

    def __init__(
        self, capacity: int | None = None, *, max_bytes: int | None = None
    ) -> None:
        if capacity is None and max_bytes is None:
            raise ValueError("give a capacity, a number of bytes, or both")
        self.capacity, self.max_bytes = capacity, max_bytes
        self.nbytes = self._size = 0
        self._embeddings: OrderedDict[Key, ImageEmbedding] = OrderedDict()
        self._in_hand = Lock()

    def __len__(self) -> int:
        return len(self._embeddings)

    def fitting(self) -> int | None:
        """Return how many embeddings like the last one fit; None before the first."""
        if not self._embeddings:
            return None
        latest = next(reversed(self._embeddings.values()))
        bounds = [] if self.capacity is None else [self.capacity]
        if self.max_bytes is not None:
            bounds.append(max(1, self.max_bytes // _bytes_of(latest)))
        return min(bounds)

    def get(
        self, frame_index: int, frame: np.ndarray, compute: Callable[[], ImageEmbedding]
    ) -> ImageEmbedding:
        """Return the embedding of a ``(Y, X, 3)`` uint8 frame, computing it if new."""
        key = _key(frame_index, frame)
        with self._in_hand:  # of lanes: embeddings are computed one after the other
            if key in self._embeddings:
                self._embeddings.move_to_end(key)
                return self._embeddings[key]
            self._make_room(self._size)
            embedding = compute()
            self._size = _bytes_of(embedding)
            self._make_room(self._size)
            self._embeddings[key] = embedding
            self.nbytes += self._size
            return embedding

    def find(self, frame_index: int, frame: np.ndarray) -> ImageEmbedding | None:
        """Return the embedding of a ``(Y, X, 3)`` uint8 frame if it is kept.

        That is no use of it: what is forgotten next stays the same.
        """
        return self._embeddings.get(_key(frame_index, frame))

    def _make_room(self, size: int) -> None:
        """Forget the embeddings not asked for the longest, until another one fits."""
        while self._embeddings and not self._has_room(size):
            _, oldest = self._embeddings.popitem(last=False)
            self.nbytes -= _bytes_of(oldest)

    def _has_room(self, size: int) -> bool:
        is_free = self.capacity is None or len(self) < self.capacity
        return is_free and (
            self.max_bytes is None or self.nbytes + size <= self.max_bytes
        )


def _key(frame_index: int, frame: np.ndarray) -> Key:
    return frame_index, zlib.crc32(np.ascontiguousarray(frame).data)


def _bytes_of(embedding: ImageEmbedding) -> int:
    return sum(tensor.nbytes for tensor in (embedding.features, *embedding.high_res))
