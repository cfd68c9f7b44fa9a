"""What the last frames showed, as label images."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np

from napari_sam2.tracking.automatic.sisters import meets_border


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
        """Return an object's areas where it is seen, and no border cuts it."""
        masks = (self.get(frame_index) == object_id for frame_index in frames)
        whole = (mask for mask in masks if mask.any() and not meets_border(mask))
        return [int(np.count_nonzero(mask)) for mask in whole]
