"""Frames cut out of a stack, each piece of storage read once.

Storage comes in chunks, and a chunk may span many frames: reading frame by frame would
decode it again for each. So the frames of a chunk are read together, and the last two
such blocks are kept: enough for a walk in either direction.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from threading import Lock

import numpy as np

from napari_sam2.io.movies.axes import FrameLayout
from napari_sam2.io.movies.files.image_stacks import ImageStack

DEFAULT_CACHE_BYTES = 256 * 2**20
KEPT_BLOCKS = 2


class FrameBlocks:
    """Reads raw frames of a stack; safe to call from several threads.

    Parameters
    ----------
    max_bytes
        Most memory for frames kept. Chunks larger than half of it are read in several
        parts, so memory stays bounded where the storage allows it.
    """

    def __init__(
        self,
        stack: ImageStack,
        layout: FrameLayout,
        *,
        max_bytes: int = DEFAULT_CACHE_BYTES,
    ) -> None:
        self._stack = stack
        self._layout = layout
        axis = layout.axes.find(layout.frame_axis) if layout.frame_axis else -1
        self._starts = stack.chunk_starts(axis) if axis >= 0 else (0,)
        height, width = layout.frame_shape
        channels = max(layout.channels) - min(layout.channels) + 1
        frame_bytes = channels * height * width * stack.dtype.itemsize
        self._max_frames = max(1, max_bytes // KEPT_BLOCKS // frame_bytes)
        self._blocks: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = Lock()

    def read(self, frame_index: int) -> np.ndarray:
        """Return the raw ``(channels, Y, X)`` planes of a frame."""
        start, stop = self._block_of(frame_index)
        with self._lock:
            if stop - start == 1:
                only: np.ndarray = self._load(start, stop)[0]
                return only
            if start not in self._blocks:
                while len(self._blocks) >= KEPT_BLOCKS:
                    self._blocks.popitem(last=False)
                self._blocks[start] = self._load(start, stop)
            self._blocks.move_to_end(start)
            planes: np.ndarray = self._blocks[start][frame_index - start]
            return planes

    def clear(self) -> None:
        """Forget the blocks kept."""
        with self._lock:
            self._blocks.clear()

    def _block_of(self, frame_index: int) -> tuple[int, int]:
        """Return first and last frame (exclusive) that are read together."""
        chunk = bisect_right(self._starts, frame_index) - 1
        begin = self._starts[chunk]
        last_chunk = chunk + 1 == len(self._starts)
        end = self._layout.frame_count if last_chunk else self._starts[chunk + 1]
        start = begin + (frame_index - begin) // self._max_frames * self._max_frames
        return start, min(end, start + self._max_frames)

    def _load(self, start: int, stop: int) -> np.ndarray:
        return self._layout.planes(self._stack.read(self._layout.index(start, stop)))
