"""Frames that were read lately, so that a click reads none again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from napari_sam2.interfaces import Calibration, FrameSource


class Frames(FrameSource, Protocol):
    """A movie that can also be read in its own units."""

    def read_raw(self, frame_index: int) -> np.ndarray:
        """Return the chosen channels as they are stored: ``(channels, Y, X)``."""


class KeptFrames:
    """A `FrameSource` that keeps the frames read last.

    Parameters
    ----------
    source
        Where frames come from.
    max_bytes
        How many bytes of frames are kept, one frame at least.
    """

    def __init__(self, source: Frames, max_bytes: int) -> None:
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

    def intensities(self, frame_index: int) -> np.ndarray:
        """Return ``(Y, X)`` float32: the mean of the channels in the movie's units."""
        raw = self._source.read_raw(frame_index)
        mean: np.ndarray = raw.mean(axis=0, dtype=np.float32)
        return mean

    def close(self) -> None:
        """Release what the source holds."""
        self._frames.clear()
        self._source.close()
