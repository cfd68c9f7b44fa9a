"""Frames whose red, green and blue come from several sources, and small pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from napari_sam2.engine.movie.channels import COLORS
from napari_sam2.interfaces import FrameSource
from napari_sam2.io.movies.frame_sources import StackFrames
from napari_sam2.io.movies.wrapped_frames import WrappedFrames

PICTURE_SIDE = 256
"""Pixels of the longer side of a small picture."""

RGB_DIMENSIONS = 3


class MergedFrames(WrappedFrames):
    """Frames put together of channels that lie in several arrays.

    Fulfils `napari_sam2.interfaces.FrameSource`.

    Parameters
    ----------
    parts
        Sources of equal frames, and for each of its channels which column of the
        picture it goes to: 0 red, 1 green, 2 blue. A channel of one alone is grey.
    """

    def __init__(self, parts: Sequence[tuple[StackFrames, tuple[int, ...]]]) -> None:
        self._parts = tuple(parts)
        super().__init__(self._parts[0][0])

    @property
    def provenance(self) -> Mapping[str, object]:
        """JSON-able description: that of each part, and the colours it gives."""
        parts = [
            {**frames.provenance, "colors": [COLORS[at] for at in targets]}
            for frames, targets in self._parts
        ]
        names = dict.fromkeys(str(part["source"]) for part in parts)
        return {"source": " + ".join(names), "parts": parts}

    def read(self, frame_index: int) -> np.ndarray:
        """Return one frame as the model sees it: ``(Y, X, 3)`` uint8 RGB."""
        return self.read_both(frame_index)[0]

    def read_raw(self, frame_index: int) -> np.ndarray:
        """Return the channels as they are stored: ``(channels, Y, X)``, one dtype."""
        return self.read_both(frame_index)[1]

    def read_both(self, frame_index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what `read` and `read_raw` return, reading the frame once."""
        image = np.zeros((*self.frame_shape, RGB_DIMENSIONS), np.uint8)
        planes = []
        for frames, targets in self._parts:
            part, stored = frames.read_both(frame_index)
            planes.append(stored)
            for column, target in enumerate(targets):
                image[..., target] = part[..., column]
        return image, np.concatenate(planes)

    def close(self) -> None:
        """Release the files; reading afterwards is an error."""
        for frames, _ in self._parts:
            frames.close()


def small_picture(
    frames: FrameSource, frame_index: int, side: int = PICTURE_SIDE
) -> np.ndarray:
    """Return a frame as the model sees it, made small; to be called in the worker.

    Parameters
    ----------
    frames
        The movie.
    frame_index
        Which frame.
    side
        Most pixels of the longer side.

    Returns
    -------
    np.ndarray
        ``(Y, X, 3)`` uint8, each pixel the mean of a square of the frame.
    """
    frame = frames.read(frame_index)
    step = -(-max(frame.shape[:2]) // side)
    if step == 1:
        return frame
    rows, columns = (length // step for length in frame.shape[:2])
    if not rows or not columns:  # thinner than a square
        return frame[::step, ::step]
    squares = frame[: rows * step, : columns * step].reshape(
        rows, step, columns, step, RGB_DIMENSIONS
    )
    picture: np.ndarray = squares.mean(axis=(1, 3)).round().astype(np.uint8)
    return picture
