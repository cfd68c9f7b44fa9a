"""Two who are followed in one body: after a crossing both hold on to the same cell."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from napari_sam2.tracking.automatic.bodies.clefts import look_whole
from napari_sam2.tracking.automatic.bodies.sisters import (
    LONG_BEFORE,
    are_cut,
    are_joined,
    shape_of,
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
        for pair in self.fitting(labels, FITS):
            if not _is_one(frame, labels, pair):
                continue
            run = min(pair), max(pair)
            runs[run] = self._runs.get(run, 0) + 1
            if runs[run] == STABLE:
                found.append(pair)
        self._runs = runs
        for whole in set(np.flatnonzero(areas).tolist()) - {0, *are_cut(labels)}:
            sizes = self._whole.setdefault(whole, deque(maxlen=LONG_BEFORE))
            sizes.append(int(areas[whole]))
        return found

    def fitting(
        self, labels: np.ndarray, fits: tuple[float, float]
    ) -> Iterator[tuple[int, int]]:
        """Yield host and guest of each two that touch and are together one's size.

        Parameters
        ----------
        labels
            ``(Y, X)`` of whom is followed.
        fits
            Together they have so many times the area that one had by itself, at least
            and at most. The host is whose own is nearer.
        """
        areas, (low, high) = np.bincount(labels.ravel()), fits
        for pair in _touching(labels):
            together = int(areas[list(pair)].sum())
            sizes = {one: self._size(one) for one in pair}
            if any(low * one <= together <= high * one for one in sizes.values()):
                host, guest = sorted(pair, key=lambda one: abs(together - sizes[one]))
                yield host, guest

    def _size(self, object_id: int) -> float:
        return float(np.median(self._whole.get(object_id, [0])))


def _is_one(frame: np.ndarray, labels: np.ndarray, pair: tuple[int, int]) -> bool:
    """Tell whether two look like one body."""
    one, other = (labels == object_id for object_id in pair)
    return (
        are_joined(one, other)
        and solidity(one | other) >= CONVEX
        and shape_of(one | other)[0] >= LONG
        and look_whole(frame, (one, other), (labels > 0) & ~one & ~other)
    )


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
