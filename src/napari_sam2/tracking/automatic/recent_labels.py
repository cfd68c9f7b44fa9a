"""What the last frames showed, as label images."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np

from napari_sam2.tracking.automatic.sisters import are_touching, meets_border


class RecentLabels:
    """The label images of the last frames, compressed."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._frames: dict[int, tuple[tuple[int, ...], bytes]] = {}

    def put(self, frame_index: int, labels: np.ndarray) -> None:
        """Keep the ``(Y, X)`` uint16 labels of a frame; forget the oldest."""
        self._frames[frame_index] = labels.shape, zlib.compress(labels.tobytes(), 1)
        oldest = max(self._frames) - self._capacity
        for old in [one for one in self._frames if one < oldest]:
            del self._frames[old]

    def get(self, frame_index: int) -> np.ndarray:
        """Return the ``(Y, X)`` uint16 labels of a frame that is kept."""
        shape, packed = self._frames[frame_index]
        return np.frombuffer(zlib.decompress(packed), np.uint16).reshape(shape).copy()

    def whole_areas(self, object_id: int, frames: Iterable[int]) -> list[int]:
        """Return an object's areas where nothing cuts it: no border, no neighbour."""
        areas = []
        for labels in map(self.get, frames):
            mask = labels == object_id
            others = (labels > 0) & ~mask
            if mask.any() and not meets_border(mask) and not are_touching(mask, others):
                areas.append(int(np.count_nonzero(mask)))
        return areas
