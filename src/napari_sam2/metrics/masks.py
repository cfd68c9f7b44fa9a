"""How alike two masks are: J by their regions, F by their boundaries (DAVIS).

Definitions of F. Perazzi et al., "A benchmark dataset and evaluation methodology for
video object segmentation" (CVPR 2016), in the form of the DAVIS 2017 benchmark.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

TOLERANCE = 0.008
"""Boundaries match within this part of the frame's diagonal, rounded up to pixels."""


def region_similarity(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Return J, the intersection over the union of two masks.

    Parameters
    ----------
    truth, prediction
        ``(Y, X)``; True, or not 0, inside.

    Returns
    -------
    float
        0 … 1. Two empty masks agree: 1, the DAVIS convention.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    truth, prediction = _as_masks(truth, prediction)
    union = np.count_nonzero(truth | prediction)
    if union == 0:
        return 1.0
    return float(np.count_nonzero(truth & prediction) / union)


def boundary_similarity(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Return F, the harmonic mean of precision and recall of the boundary pixels.

    A boundary pixel counts as found if the other mask has one within
    `boundary_radius` pixels.

    Parameters
    ----------
    truth, prediction
        ``(Y, X)``; True, or not 0, inside. Whole frames: the radius follows from
        their shape.

    Returns
    -------
    float
        0 … 1. Two masks without a boundary agree: 1; if only one has none: 0.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    truth, prediction = _as_masks(truth, prediction)
    radius = boundary_radius(truth.shape)
    window = _window(truth | prediction)
    true_boundary = boundary_map(truth[window])
    found_boundary = boundary_map(prediction[window])
    true_count = np.count_nonzero(true_boundary)
    found_count = np.count_nonzero(found_boundary)
    if true_count == 0 or found_count == 0:
        return float(true_count == found_count)
    found_right = found_boundary & _dilate(true_boundary, radius)
    true_found = true_boundary & _dilate(found_boundary, radius)
    precision = np.count_nonzero(found_right) / found_count
    recall = np.count_nonzero(true_found) / true_count
    if precision + recall == 0:
        return 0.0
    return float(2 * precision * recall / (precision + recall))


def boundary_radius(frame_shape: tuple[int, ...]) -> int:
    """Return the tolerance in pixels for frames of ``(Y, X)``."""
    return math.ceil(TOLERANCE * math.hypot(*frame_shape))


def boundary_map(mask: np.ndarray) -> np.ndarray:
    """Mark the pixels of a ``(Y, X)`` bool mask that differ from a later neighbour.

    Neighbours are the pixel to the right, the one below and the one between them, so
    that boundaries are one pixel wide and lie half a pixel towards the origin. The
    frame's border is no boundary.
    """
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    right, below, diagonal = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    boundary: np.ndarray = (mask ^ right) | (mask ^ below) | (mask ^ diagonal)
    return boundary


def _window(mask: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns that hold a mask and its boundary."""
    # One pixel more on each side, as boundaries lie half a pixel outside.
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if rows.size == 0:
        return slice(0, 1), slice(0, 1)
    return (
        slice(max(0, int(rows[0]) - 1), int(rows[-1]) + 2),
        slice(max(0, int(columns[0]) - 1), int(columns[-1]) + 2),
    )


def _dilate(boundary: np.ndarray, radius: int) -> np.ndarray:
    """Grow by a disk; by distances, which costs the same for every radius."""
    near: np.ndarray = ndimage.distance_transform_edt(~boundary) <= radius
    return near


def _as_masks(
    truth: np.ndarray, prediction: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if truth.shape != prediction.shape or truth.ndim != 2:
        raise ValueError(
            "masks must be (Y, X) of equal shape; got "
            f"{truth.shape} for the truth and {prediction.shape} for the prediction"
        )
    return np.asarray(truth, bool), np.asarray(prediction, bool)
