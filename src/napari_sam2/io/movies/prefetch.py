"""Read the next frames while the network works on this one."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from napari_sam2.interfaces import FrameSource
from napari_sam2.io.movies.wrapped_frames import WrappedFrames


class PrefetchingFrameSource(WrappedFrames):
    """A frame source that reads ahead in one background thread.

    The direction is taken from the last two frames asked for, so it follows forward and
    backward walks and, after a jump, finds its way within one frame. An error belongs
    to its frame: it is raised when that frame is asked for, and only then.

    Parameters
    ----------
    source
        What to read from. All its reading happens in the one thread; it is closed
        together with this wrapper.
    depth
        Most frames read ahead, at least 1.
    """

    def __init__(self, source: FrameSource, *, depth: int = 2) -> None:
        if depth < 1:
            raise ValueError(f"depth {depth}: read at least one frame ahead")
        super().__init__(source)
        self._depth = depth
        self._step = 1
        self._last: int | None = None
        self._ahead: dict[int, Future[np.ndarray]] = {}
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="frame-reader")
        self._is_open = True

    def read(self, frame_index: int) -> np.ndarray:
        """Return one frame as the model sees it: ``(Y, X, 3)`` uint8 RGB.

        Raises
        ------
        ValueError
            If this source is closed.
        """
        if not self._is_open:
            raise ValueError("the frame source is closed")
        self._notice_direction(frame_index)
        wanted = self._frames_ahead(frame_index)
        for index in [index for index in self._ahead if index not in wanted]:
            self._ahead.pop(index).cancel()
        for index in wanted:
            if index not in self._ahead:
                self._ahead[index] = self._reader.submit(self._source.read, index)
        return self._ahead[frame_index].result()

    def peek(self, frame_index: int) -> np.ndarray | None:
        """Return a frame that was read ahead; None where it was not, or not yet."""
        ahead = self._ahead.get(frame_index)
        if ahead is None or not ahead.done() or ahead.exception() is not None:
            return None
        return ahead.result()

    def close(self) -> None:
        """Stop the thread and close the source."""
        if not self._is_open:
            return
        self._is_open = False
        self._reader.shutdown(wait=True, cancel_futures=True)
        self._ahead.clear()
        super().close()

    def _notice_direction(self, frame_index: int) -> None:
        if self._last is not None and abs(frame_index - self._last) == 1:
            self._step = frame_index - self._last
        self._last = frame_index

    def _frames_ahead(self, frame_index: int) -> list[int]:
        """Return this frame and the next few, this one first."""
        ahead = range(1, self._depth + 1)
        following = [frame_index + self._step * distance for distance in ahead]
        inside = [index for index in following if 0 <= index < self.frame_count]
        return [frame_index, *inside]
