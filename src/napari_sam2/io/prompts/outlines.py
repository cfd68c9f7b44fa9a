"""Areas inside outlines, as napari draws them: polygons and ellipses become masks."""

from __future__ import annotations

import numpy as np
from skimage.draw import polygon

from napari_sam2.prompts import MaskPrompt

RECTANGLE, ELLIPSE, POLYGON = "rectangle", "ellipse", "polygon"
AREAS = (RECTANGLE, ELLIPSE, POLYGON)
"""napari's words for shapes that have an inside; paths and lines have none."""
ELLIPSE_CORNERS = 180
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


def _ellipse(corners: np.ndarray) -> np.ndarray:
    """Return ``(vertices, 2)`` around an ellipse."""
    centre = corners.mean(axis=0)
    one, other = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, ELLIPSE_CORNERS, endpoint=False)[:, None]
    rim: np.ndarray = centre + np.cos(angle) * one + np.sin(angle) * other
    return rim
