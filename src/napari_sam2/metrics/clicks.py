"""Where a careful person clicks: SAM 2's simulator of clicks, and what it stands on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True, slots=True)
class Click:
    """A click on a pixel.

    Attributes
    ----------
    positive
        Whether it says "this, too".
    """

    y: int
    x: int
    positive: bool


def next_click(truth: np.ndarray, guess: np.ndarray | None = None) -> Click | None:
    """Return the click that mends the worst of a mask; None if nothing is wrong.

    The pixel of what was missed, or of what is too much, that lies deepest inside it;
    the frame's border counts as an edge. Missed pixels must lie deeper to be clicked
    on; of equally deep pixels the first in row order is.

    Parameters
    ----------
    truth, guess
        ``(Y, X)`` bool; no guess is an empty one.
    """
    if guess is None:
        guess = np.zeros_like(truth)
    missed, spilled = _deepest(truth & ~guess), _deepest(guess & ~truth)
    if missed and (spilled is None or missed[0] > spilled[0]):
        return Click(*missed[1:], positive=True)
    return Click(*spilled[1:], positive=False) if spilled else None


def deepest_pixel(mask: np.ndarray) -> tuple[int, int]:
    """Return ``(y, x)`` farthest from the mask's border, the first in row order."""
    found = _deepest(mask)
    if found is None:
        raise ValueError("an empty mask has no deepest pixel")
    return found[1:]


def inner_distance(mask: np.ndarray) -> tuple[int, int, np.ndarray]:
    """Return the bounding box's corner ``y, x``, and the distance to the border inside.

    Pixels outside the picture count as outside the object.
    """
    y0, x0, y1, x1 = bounding_box(mask)
    window = np.pad(mask[y0 : y1 + 1, x0 : x1 + 1], 1)
    depth = ndimage.distance_transform_edt(window)[1:-1, 1:-1]
    return y0, x0, depth


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return first and last row and column, ``(y0, x0, y1, x1)``, of a mask."""
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]), int(columns[-1])


def _deepest(mask: np.ndarray) -> tuple[float, int, int] | None:
    """Return depth, y and x of the deepest pixel; None of an empty mask."""
    if not mask.any():
        return None
    y0, x0, depth = inner_distance(mask)
    y, x = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return float(depth[y, x]), y0 + int(y), x0 + int(x)
