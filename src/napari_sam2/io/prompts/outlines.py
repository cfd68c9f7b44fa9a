"""Shapes as napari draws them: areas become masks, lines become points along them."""

from __future__ import annotations

import numpy as np
from skimage.draw import polygon

from napari_sam2.prompts import MaskPrompt, PointPrompt

RECTANGLE, ELLIPSE, POLYGON = "rectangle", "ellipse", "polygon"
AREAS = (RECTANGLE, ELLIPSE, POLYGON)
"""napari's words for shapes that have an inside; paths and lines have none."""
LINES = ("path", "line")
ELLIPSE_CORNERS = 180
POINT_STEP, MOST_POINTS = 8.0, 8
"""A line gets a point for each so many pixels, and at most so many points: more say
nothing new to SAM 2, and each takes its time."""
FAR = 1e6


def mask_inside(
    kind: str, corners: np.ndarray, frame_shape: tuple[int, int]
) -> MaskPrompt | None:
    """Return the pixels whose centres lie inside an outline; None without any.

    Parameters
    ----------
    kind
        One of `AREAS`.
    corners
        ``(vertices, 2)`` in ``(y, x)``; of ellipses the four corners around them.
    frame_shape
        ``(Y, X)``, to which the mask is cut.
    """
    # What lies at the end of the world is cut off all the same, and counts in int64.
    rim = np.clip(_ellipse(corners) if kind == ELLIPSE else corners, -FAR, FAR)
    rows, columns = polygon(  # type: ignore[no-untyped-call]
        rim[:, 0], rim[:, 1], frame_shape
    )
    if len(rows) == 0:
        return None
    mask = np.zeros(frame_shape, bool)
    mask[rows, columns] = True
    return MaskPrompt(mask)


def points_along(
    vertices: np.ndarray, frame_shape: tuple[int, int], *, is_positive: bool
) -> tuple[PointPrompt, ...]:
    """Return clicks along a line, in its order: the middles of equal parts of it.

    Parameters
    ----------
    vertices
        ``(vertices, 2)`` in ``(y, x)``.
    frame_shape
        ``(Y, X)``; what lies outside is left out.
    is_positive
        Whether the line lies inside of the object.
    """
    steps = np.hypot(*np.diff(vertices, axis=0).T)
    ways = np.concatenate(([0.0], np.cumsum(steps)))
    count = int(np.clip(np.ceil(ways[-1] / POINT_STEP), 1, MOST_POINTS))
    middles = ways[-1] * (np.arange(count) + 0.5) / count
    y, x = (np.interp(middles, ways, column) for column in vertices.T)
    height, width = frame_shape
    is_inside = (y >= -0.5) & (y < height - 0.5) & (x >= -0.5) & (x < width - 0.5)
    return tuple(
        PointPrompt(float(row), float(column), is_positive)
        for row, column in zip(y[is_inside], x[is_inside], strict=True)
    )


def _ellipse(corners: np.ndarray) -> np.ndarray:
    """Return ``(vertices, 2)`` around an ellipse."""
    centre = corners.mean(axis=0)
    one, other = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, ELLIPSE_CORNERS, endpoint=False)[:, None]
    rim: np.ndarray = centre + np.cos(angle) * one + np.sin(angle) * other
    return rim
