"""Frames that were read lately, so that a click reads none again."""

from __future__ import annotations

from operator import attrgetter
from threading import Lock
from typing import Protocol

import numpy as np
from cachetools import LRUCache, cachedmethod

from napari_sam2.interfaces import FrameSource
from napari_sam2.io.movies.wrapped_frames import WrappedFrames

FEWEST = 6
"""While a walk is on one frame the next two are read, and count as used before it."""

BYTES_PER_PIXEL = 8
"""Of a frame as the model sees it, and as it is stored."""


class Frames(FrameSource, Protocol):
    """A movie that can also be read in its own units."""

    def read_both(self, frame_index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return ``(Y, X, 3)`` uint8 RGB, and ``(channels, Y, X)`` as it is stored."""


class KeptFrames(WrappedFrames):
    """A `FrameSource` that keeps the frames read last; safe to read in two threads.

    Parameters
    ----------
    max_bytes
        About how many bytes of frames are kept, a few frames at least.
    """

    _source: Frames

    def __init__(self, source: Frames, max_bytes: int = 0) -> None:
        super().__init__(source)
        height, width = source.frame_shape
        count = max_bytes // (height * width * BYTES_PER_PIXEL)
        self._frames: LRUCache[int, tuple[np.ndarray, np.ndarray]] = LRUCache(
            max(FEWEST, count)
        )
        self._lock = Lock()

    def read(self, frame_index: int) -> np.ndarray:
        """Return one frame, ``(Y, X, 3)`` uint8 RGB."""
        return self._both(frame_index)[0]

    def intensities(self, frame_index: int) -> np.ndarray:
        """Return ``(Y, X)`` float32: the mean of the channels in the movie's units."""
        mean: np.ndarray = self._both(frame_index)[1].mean(axis=0, dtype=np.float32)
        return mean

    def close(self) -> None:
        """Release what the source holds."""
        self._frames.clear()
        super().close()

    @cachedmethod(attrgetter("_frames"), lock=attrgetter("_lock"))
    def _both(self, frame_index: int) -> tuple[np.ndarray, np.ndarray]:
        return self._source.read_both(frame_index)
