"""Two who are followed in one body: after a crossing both hold on to the same cell."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from napari_sam2.tracking.automatic.clefts import look_whole
from napari_sam2.tracking.automatic.sisters import (
    LONG_BEFORE,
    are_cut,
    are_joined,
    solidity,
)
from napari_sam2.tracking.division_evidence import STABLE

CONVEX = 0.84
"""Two in one body cover together at least this share of their convex hull."""
LONG = 1.8
"""And are so many times as long as wide: of round ones that pass over each other a part
is hidden, and both are there."""
FITS = (0.7, 1.3)
"""And have together so many times the area that one of them had by itself."""


class SharedBodies:
    """Tells who is followed in the body of another one."""

    def __init__(self) -> None:
        self._whole: dict[int, deque[int]] = {}
        self._runs: dict[tuple[int, int], int] = {}

    def seen(self, frame: np.ndarray, labels: np.ndarray) -> list[tuple[int, int]]:
        """Note a frame; return host and guest of each pair that shares a body now.

        Parameters
        ----------
        frame
            ``(Y, X, 3)`` uint8.
        labels
            ``(Y, X)`` of whom is followed, on the frames in their order.
        """
        areas = np.bincount(labels.ravel())
        runs: dict[tuple[int, int], int] = {}
        found = []
        for pair in _touching(labels):
            if not self._is_one(frame, labels, areas, pair):
                continue
            runs[pair] = self._runs.get(pair, 0) + 1
            if runs[pair] == STABLE:
                found.append(self._by_size(pair, int(areas[list(pair)].sum())))
        self._runs = runs
        for whole in set(np.flatnonzero(areas).tolist()) - {0, *are_cut(labels)}:
            sizes = self._whole.setdefault(whole, deque(maxlen=LONG_BEFORE))
            sizes.append(int(areas[whole]))
        return found

    def _is_one(
        self,
        frame: np.ndarray,
        labels: np.ndarray,
        areas: np.ndarray,
        pair: tuple[int, int],
    ) -> bool:
        """Tell whether two look like one body, as large as one of them was."""
        together = int(areas[list(pair)].sum())
        low, high = FITS
        sizes = [self._size(one) for one in pair]
        if not any(low * size <= together <= high * size for size in sizes):
            return False
        one, other = (labels == object_id for object_id in pair)
        return (
            are_joined(one, other)
            and solidity(one | other) >= CONVEX
            and elongation(one | other) >= LONG
            and look_whole(frame, (one, other), (labels > 0) & ~one & ~other)
        )

    def _size(self, object_id: int) -> float:
        return float(np.median(self._whole.get(object_id, [0])))

    def _by_size(self, pair: tuple[int, int], together: int) -> tuple[int, int]:
        """Return first whose own size is nearer to that of both."""
        sizes = [self._size(one) for one in pair]
        is_other = abs(together - sizes[1]) < abs(together - sizes[0])
        return (pair[1], pair[0]) if is_other else pair


def elongation(mask: np.ndarray) -> float:
    """Return how many times as long as wide the ellipse of a ``(Y, X)`` mask is."""
    spread = np.linalg.eigvalsh(np.cov(np.argwhere(mask), rowvar=False))
    return float(np.sqrt((spread[1] + 1 / 12) / (spread[0] + 1 / 12)))


def _touching(labels: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield the pairs in ``(Y, X)`` labels that are at most two pixels apart."""
    for one, region in enumerate(ndimage.find_objects(labels), 1):
        if region is None:
            continue
        wide = tuple(slice(max(0, part.start - 2), part.stop + 2) for part in region)
        near = ndimage.binary_dilation(labels[wide] == one, np.ones((3, 3)), 2)
        for other in np.unique(labels[wide][near]).tolist():
            if other > one:
                yield one, other
