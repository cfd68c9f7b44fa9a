"""What the last frames showed, as label images."""

from __future__ import annotations

import zlib

import numpy as np

from napari_sam2.tracking.automatic.bodies.sisters import (
    LONG_BEFORE,
    SHORTLY_BEFORE,
    are_cut,
    who_halves,
)


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

    def relabel(self, old: int, new: int, first: int, last: int) -> None:
        """Give what an object was on some frames to another."""
        for frame_index in range(first, last + 1):
            labels = self.get(frame_index)
            labels[labels == old] = new
            self.put(frame_index, labels)

    def area(self, object_id: int, frame_index: int) -> int:
        """Return how many pixels an object has on a frame."""
        return int(np.count_nonzero(self.get(frame_index) == object_id))

    def halved(self, frame_index: int) -> set[int]:
        """Return of whom little is left of what they were on the frame before."""
        if frame_index - 1 not in self._frames:
            return set()
        return who_halves(self.get(frame_index - 1), self.get(frame_index))

    def sizes_before(
        self, mother: int, birth: int, first: int
    ) -> tuple[list[int], bool]:
        """Return how large a mother was; while she divides she is not asked.

        Sizes count where neither the frame's border nor a neighbour cuts them. Where
        she never was whole, she is taken to have been as large as the others, and no
        smaller than she last was to be seen.

        Parameters
        ----------
        mother, birth
            Whose sizes before which frame.
        first
            First frame that was followed.

        Returns
        -------
        list, bool
            Areas in pixels, and whether they are her own.
        """
        own: list[int] = []
        others: list[int] = []
        for frame_index in range(
            max(first, birth - LONG_BEFORE), birth - SHORTLY_BEFORE + 1
        ):
            labels = self.get(frame_index)
            areas = np.bincount(labels.ravel())
            for whole in set(np.flatnonzero(areas).tolist()) - {0, *are_cut(labels)}:
                (own if whole == mother else others).append(int(areas[whole]))
        if own or not others:
            return own, bool(own)
        shown = int(np.count_nonzero(labels == mother))
        return [max(shown, int(np.median(others)))], False
