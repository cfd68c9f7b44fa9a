"""Positions in a layer as places in the movie, and back.

Pure: nothing of Qt or napari.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_sam2.engine.movie.axes import LayerAxes
from napari_sam2.prompts import BoxPrompt


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in the movie: frame, row and column, in pixels of the frame."""

    frame_index: int
    y: float
    x: float


def spot_at(position: Sequence[float], axes: LayerAxes) -> Spot | None:
    """Return the place at a position of the layer; None outside, or on another plane.

    Parameters
    ----------
    position
        One number for each dimension of the layer, in its pixels.
    axes
        Where frames lie in the layer.
    """
    *_, y, x = (float(part) for part in position)
    height, width = axes.frame_shape
    is_inside = -0.5 <= y <= height - 0.5 and -0.5 <= x <= width - 0.5
    if not is_inside or not is_on_frame(position, axes):
        return None
    return Spot(axes.frame_at(position), y, x)


def is_on_frame(position: Sequence[float], axes: LayerAxes) -> bool:
    """Whether a position lies on a frame of the movie, inside or beside the picture."""
    return 0 <= axes.frame_at(position) < axes.frame_count and axes.is_on_plane(
        position
    )


def position_of(spot: Spot, axes: LayerAxes) -> list[float]:
    """Return where a place lies in the layer."""
    position = [0.0] * len(axes.shape)
    for axis, index in axes.fixed:
        position[axis] = float(index)
    if axes.frame_axis is not None:
        position[axes.frame_axis] = float(spot.frame_index)
    position[-2:] = [spot.y, spot.x]
    return position


def box_between(
    first: Sequence[float], last: Sequence[float], frame_shape: tuple[int, int]
) -> BoxPrompt | None:
    """Return the box of the pixels between two corners; None if there are none.

    A pixel reaches half a step to each side of its centre, and a corner lies between
    pixels, while a box names the centres of its first and last row and column.

    Parameters
    ----------
    first, last
        ``(y, x)`` of two opposite corners, which may lie outside the picture.
    frame_shape
        ``(Y, X)``, to which the box is cut.
    """
    sides = []
    for one, other, length in zip(first, last, frame_shape, strict=True):
        low, high = sorted((float(one), float(other)))
        low, high = max(low, -0.5) + 0.5, min(high, length - 0.5) - 0.5
        if high < low:
            return None
        sides.append((low, high))
    (y0, y1), (x0, x1) = sides
    return BoxPrompt(y0, x0, y1, x1)


def corners_of(box: BoxPrompt) -> list[tuple[float, float]]:
    """Return the four ``(y, x)`` corners around the pixels of a box, in turn."""
    top, bottom = box.y0 - 0.5, box.y1 + 0.5
    left, right = box.x0 - 0.5, box.x1 + 0.5
    return [(top, left), (top, right), (bottom, right), (bottom, left)]
