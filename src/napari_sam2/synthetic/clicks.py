"""One click per object, where a careful person would put it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def innermost_pixel(mask: np.ndarray) -> tuple[int, int]:
    """Return the pixel farthest from a mask's border, the first in row order.

    Parameters
    ----------
    mask
        ``(Y, X)`` bool; what lies outside the image counts as outside the mask.

    Returns
    -------
    tuple of int
        ``(y, x)``.

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    if not mask.any():
        raise ValueError("an empty mask has no innermost pixel")
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    y, x = np.unravel_index(np.argmax(depth), mask.shape)
    return int(y), int(x)


def clicks_inside(labels: np.ndarray) -> dict[int, tuple[int, int]]:
    """Return the innermost ``(y, x)`` of every object of a ``(Y, X)`` label image."""
    clicks = {}
    for object_id, window in enumerate(ndimage.find_objects(labels), start=1):
        if window is None:
            continue
        rows, columns = window
        y, x = innermost_pixel(labels[window] == object_id)
        clicks[object_id] = (y + rows.start, x + columns.start)
    return clicks
