"""Prompts as a person would give them, drawn from true masks."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

BOX_JITTER = 0.1
"""Standard deviation of a simulated box's corners, in parts of its sides."""


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return first and last row and column, ``(y0, x0, y1, x1)``, of a mask."""
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]), int(columns[-1])


def deepest_pixel(mask: np.ndarray) -> tuple[int, int]:
    """Return ``(y, x)`` farthest from the mask's border, the first in row order."""
    y0, x0, depth = inner_distance(mask)
    y, x = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return y0 + int(y), x0 + int(x)


def click_inside(mask: np.ndarray, random: np.random.Generator) -> tuple[int, int]:
    """Return ``(y, x)`` of a click on an object: its middle, or well inside it."""
    y0, x0, depth = inner_distance(mask)
    deepest = float(depth.max())
    if random.random() < 0.5:
        choice = int(np.argmax(depth))
    else:
        choice = int(random.choice(np.flatnonzero(depth >= 0.45 * deepest)))
    y, x = np.unravel_index(choice, depth.shape)
    return y0 + int(y), x0 + int(x)


def click_outside(
    labels: np.ndarray, random: np.random.Generator, *, distance: float = 4.0
) -> tuple[int, int] | None:
    """Return ``(y, x)`` on background away from every object, or None."""
    far = ndimage.distance_transform_edt(labels == 0) >= distance
    candidates = np.flatnonzero(far)
    if not len(candidates):
        return None
    y, x = np.unravel_index(int(random.choice(candidates)), labels.shape)
    return int(y), int(x)


def click_beside(
    mask: np.ndarray, random: np.random.Generator, *, gap: int = 3
) -> tuple[int, int]:
    """Return ``(y, x)`` near an object but more than ``gap`` pixels off, if it can be.

    "Near" is its bounding box, made larger by half its size on every side.
    """
    y0, x0, y1, x1 = bounding_box(mask)
    height, width = y1 - y0 + 1, x1 - x0 + 1
    top, left = max(0, y0 - height // 2 - gap - 1), max(0, x0 - width // 2 - gap - 1)
    window = mask[top : y1 + height // 2 + gap + 2, left : x1 + width // 2 + gap + 2]
    outside = ~ndimage.binary_dilation(window, iterations=gap)
    if not outside.any():  # the object fills the picture: any pixel but its own
        outside = ~window if not window.all() else np.ones_like(window)
    y, x = np.unravel_index(int(random.choice(np.flatnonzero(outside))), outside.shape)
    return top + int(y), left + int(x)


def jittered_box(
    mask: np.ndarray, random: np.random.Generator
) -> tuple[float, float, float, float]:
    """Return ``(y0, x0, y1, x1)`` around an object, drawn a little wrongly."""
    y0, x0, y1, x1 = bounding_box(mask)
    height, width = y1 - y0 + 1, x1 - x0 + 1
    scale = np.array([height, width, height, width])
    corners = np.array([y0, x0, y1, x1]) + BOX_JITTER * scale * random.normal(size=4)
    limit = np.array([mask.shape[0], mask.shape[1]] * 2) - 1
    corners = np.clip(corners, 0, limit)
    low, high = (
        np.minimum(corners[:2], corners[2:]),
        np.maximum(corners[:2], corners[2:]),
    )
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def coarse_logits(
    box: tuple[float, float, float, float], size: int, *, stride: int = 4
) -> np.ndarray:
    """Return ``(S/4, S/4)`` float32: +10 in the filled box, −10 elsewhere."""
    y0, x0, y1, x1 = box
    middle = (np.arange(size // stride) + 0.5) * stride - 0.5
    rows = (middle >= y0 - stride / 2) & (middle <= y1 + stride / 2)
    columns = (middle >= x0 - stride / 2) & (middle <= x1 + stride / 2)
    inside = rows[:, None] & columns[None, :]
    return np.where(inside, 10.0, -10.0).astype(np.float32)


def inner_distance(mask: np.ndarray) -> tuple[int, int, np.ndarray]:
    """Return the bounding box's corner ``y, x``, and the distance to the border inside.

    Pixels outside the picture count as outside the object.
    """
    y0, x0, y1, x1 = bounding_box(mask)
    window = np.pad(mask[y0 : y1 + 1, x0 : x1 + 1], 1)
    depth = ndimage.distance_transform_edt(window)[1:-1, 1:-1]
    return y0, x0, depth
