"""Where the microscope's stage was: how far the picture moved between two frames."""

from __future__ import annotations

import numpy as np


class Stage:
    """The jumps that a stream has met, by the later of the two frames of each.

    What lies between two frames is the sum of the jumps between them, whichever way the
    stream ran; frames that it has not come to yet are taken to lie where it is.
    """

    def __init__(self) -> None:
        self._jumps: dict[int, tuple[int, int]] = {}

    @property
    def is_still(self) -> bool:
        """Whether nothing has moved."""
        return not self._jumps

    def add(self, frame_index: int, shift: tuple[int, int]) -> None:
        """Note by how many pixels a frame lies further down and right than before."""
        self._jumps[frame_index] = shift

    def clear(self) -> None:
        """Forget all jumps."""
        self._jumps.clear()

    def shifts(self, frames: np.ndarray, frame_index: int) -> np.ndarray:
        """Return by how much other frames' pictures have to move to lie on this one.

        Parameters
        ----------
        frames
            Integers of any shape.

        Returns
        -------
        numpy.ndarray
            ``(…, 2)`` int64 pixels down and to the right.
        """
        total = np.zeros((*frames.shape, 2), np.int64)
        for later, shift in self._jumps.items():
            forward = (frames < later) & (later <= frame_index)
            backward = (frame_index < later) & (later <= frames)
            total += (forward.astype(np.int64) - backward)[..., None] * shift
        return total

    def to_array(self) -> np.ndarray:
        """Return ``(jumps, 3)`` int64: frame, down, right."""
        rows = [(frame, *shift) for frame, shift in sorted(self._jumps.items())]
        return np.asarray(rows, np.int64).reshape(-1, 3)

    def read(self, array: np.ndarray) -> None:
        """Know the jumps that `to_array` returned, and no others."""
        self._jumps = {frame: (down, right) for frame, down, right in array.tolist()}
