"""Frames that were read lately, so that a click reads none again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import numpy as np

from napari_sam2.interfaces import Calibration, FrameSource


class KeptFrames:
    """A `FrameSource` that keeps the frames read last.

    Parameters
    ----------
    source
        Where frames come from.
    max_bytes
        How many bytes of frames are kept, one frame at least.
    """

    def __init__(self, source: FrameSource, max_bytes: int) -> None:
        self._source = source
        self._max_bytes = max_bytes
        self._frames: OrderedDict[int, np.ndarray] = OrderedDict()

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return self._source.frame_count

    @property
    def frame_shape(self) -> tuple[int, int]:
        """``(Y, X)`` in pixels."""
        return self._source.frame_shape

    @property
    def calibration(self) -> Calibration:
        """Physical scale."""
        return self._source.calibration

    @property
    def provenance(self) -> Mapping[str, object]:
        """Description of the movie."""
        return self._source.provenance

    def read(self, frame_index: int) -> np.ndarray:
        """Return one frame, ``(Y, X, 3)`` uint8 RGB."""
        if frame_index in self._frames:
            self._frames.move_to_end(frame_index)
            return self._frames[frame_index]
        frame = self._source.read(frame_index)
        while self._frames and (len(self._frames) + 1) * frame.nbytes > self._max_bytes:
            self._frames.popitem(last=False)
        self._frames[frame_index] = frame
        return frame

    def close(self) -> None:
        """Release what the source holds."""
        self._frames.clear()
        self._source.close()
