"""Where labelled regions are, how large, and how bright: measured once, in one way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What was measured on one frame, for each object that was asked for.

    Attributes
    ----------
    area
        ``(objects,)`` int64, pixels.
    centroid_y, centroid_x
        ``(objects,)`` float32, pixels; NaN of an object without pixels.
    mean_intensity
        ``(objects,)`` float32; NaN without pixels or without an image.
    """

    area: np.ndarray
    centroid_y: np.ndarray
    centroid_x: np.ndarray
    mean_intensity: np.ndarray


def measure(
    labels: np.ndarray, object_ids: Sequence[int], image: np.ndarray | None = None
) -> Measured:
    """Measure objects on one frame.

    Parameters
    ----------
    labels
        ``(Y, X)`` label image of unsigned integers.
    object_ids
        Objects to measure, each once, in the order of the result.
    image
        ``(Y, X)`` or ``(Y, X, C)`` intensities; channels are averaged.
    """
    ids = np.asarray(object_ids, np.int64)
    inside, column = _pixels_of(labels, ids)
    rows, columns = np.divmod(inside, labels.shape[1])
    area = np.bincount(column, minlength=len(ids))

    def mean(weights: np.ndarray) -> np.ndarray:
        sums = np.bincount(column, weights, minlength=len(ids))
        means: np.ndarray = np.divide(
            sums, area, out=np.full(len(ids), np.nan), where=area > 0
        )
        return means.astype(np.float32)

    grey = image if image is None or image.ndim == 2 else image.mean(axis=2)
    return Measured(
        area=area.astype(np.int64),
        centroid_y=mean(rows),
        centroid_x=mean(columns),
        mean_intensity=np.full(len(ids), np.nan, np.float32)
        if grey is None
        else mean(grey.reshape(-1)[inside]),
    )


def areas(labels: np.ndarray, object_ids: Sequence[int]) -> np.ndarray:
    """Return ``(objects,)`` int64 areas in pixels, as `measure` does, and no more."""
    ids = np.asarray(object_ids, np.int64)
    _, column = _pixels_of(labels, ids)
    return np.bincount(column, minlength=len(ids)).astype(np.int64)


def _pixels_of(labels: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the flat places of the pixels of some objects, and whose each is.

    Takes no memory that grows with the ids: those of uint32 reach four billion.
    """
    flat = labels.reshape(-1)
    places = np.flatnonzero(flat)
    if not len(ids):
        return places[:0], places[:0]
    order = np.argsort(ids)
    nearest = np.searchsorted(ids, flat[places], sorter=order)
    column = order[np.minimum(nearest, len(ids) - 1)]
    is_asked = ids[column] == flat[places]
    return places[is_asked], column[is_asked]
