"""Rows of measurements: one for each object on each frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from napari_sam2.io.exports.masklets import MaskletMovie

SHAPE = ("axis_major_length", "axis_minor_length", "perimeter")
_PIXEL_LENGTHS = np.zeros((5, 5))
"""What a pixel adds to a perimeter, by its neighbours beside it and at its corners."""
_PIXEL_LENGTHS[2:4, :3] = 1
_PIXEL_LENGTHS[[0, 1], [2, 3]] = np.sqrt(2)
_PIXEL_LENGTHS[1, 1:3] = (1 + np.sqrt(2)) / 2


@dataclass(frozen=True, slots=True, eq=False)
class FrameRegions:
    """The objects of one frame, or stack, by id.

    Attributes
    ----------
    object_ids
        ``(objects,)`` int64.
    size
        ``(objects,)`` int64, pixels: the area, or volume.
    centre
        ``(objects,)`` float64 centroids in pixels, by axis: ``y`` and ``x``, after
        ``z`` in a stack.
    shape
        ``(objects,)`` float64 by name: axes of the ellipse and perimeter, pixels;
        nothing in a stack, or where it was not asked for.
    intensity
        ``(objects, channels)`` float64 means, or None without an image.
    """

    frame_index: int
    object_ids: np.ndarray
    size: np.ndarray
    centre: dict[str, np.ndarray]
    shape: dict[str, np.ndarray]
    intensity: np.ndarray | None


def regions(masklets: MaskletMovie) -> Iterator[FrameRegions]:
    """Measure frame by frame, with shapes and intensities."""
    for frame_index in range(masklets.frame_count):
        sections = (
            (masklets.read(*place), masklets.image and masklets.image(*place))
            for place in masklets.places(frame_index)
        )
        if masklets.planes is None:
            yield measure_regions(frame_index, *next(sections))
        else:
            yield measure_sections(frame_index, sections)


def places(masklets: MaskletMovie) -> Iterator[FrameRegions]:
    """Measure frame by frame where objects are and how large, which is quick."""
    for frame_index in range(masklets.frame_count):
        sections = ((labels, None) for labels in masklets.sections(frame_index))
        found = measure_sections(frame_index, sections)
        yield replace(found, centre={a: found.centre[a] for a in masklets.axes[1:]})


def measure_regions(
    frame_index: int, labels: np.ndarray, image: np.ndarray | None = None
) -> FrameRegions:
    """Measure the objects of one frame.

    Parameters
    ----------
    labels
        ``(Y, X)`` label image.
    image
        ``(Y, X)`` or ``(Y, X, channels)`` intensities.
    """
    found = measure_sections(frame_index, [(labels, image)])
    centre = {axis: found.centre[axis] for axis in "yx"}
    shapes = (*_axes(labels, found), _perimeters(labels, found))
    shape = dict(zip(SHAPE, shapes, strict=True))
    return replace(found, centre=centre, shape=shape)


def _axes(labels: np.ndarray, found: FrameRegions) -> tuple[np.ndarray, np.ndarray]:
    """Return both axes of the ellipses with the second moments of the objects."""
    y, x = np.nonzero(labels)
    places = np.searchsorted(found.object_ids, labels[y, x])
    away_y, away_x = y - found.centre["y"][places], x - found.centre["x"][places]
    count = len(found.object_ids)
    yy, xx, yx = (
        np.bincount(places, product, count) / found.size
        for product in (away_y**2, away_x**2, away_y * away_x)
    )
    middle, half = (yy + xx) / 2, np.hypot((yy - xx) / 2, yx)
    return 4 * np.sqrt(middle + half), 4 * np.sqrt(np.maximum(middle - half, 0))


def _perimeters(labels: np.ndarray, found: FrameRegions) -> np.ndarray:
    """Return the lengths of the lines through the pixels at the borders of objects.

    A pixel counts by which of its neighbours are at the border, too, as in
    scikit-image's `perimeter`.
    """
    padded = np.pad(labels, 2)
    flat, width = padded.ravel(), padded.shape[1]
    straight = np.array([1, width, -1, -width])
    diagonal = straight + np.roll(straight, 1)
    inside = np.flatnonzero(flat)
    same = flat[inside[:, None] + straight] == flat[inside][:, None]
    border = inside[~same.all(1)]
    lines = np.zeros_like(flat)
    lines[border] = flat[border]
    own = flat[border][:, None]
    beside = (lines[border[:, None] + straight] == own).sum(1)
    across = (lines[border[:, None] + diagonal] == own).sum(1)
    weights = _PIXEL_LENGTHS[beside, across]
    places = np.searchsorted(found.object_ids, own[:, 0])
    lengths: np.ndarray = np.bincount(places, weights, len(found.object_ids))
    return lengths


def measure_sections(
    frame_index: int, sections: Iterable[tuple[np.ndarray, np.ndarray | None]]
) -> FrameRegions:
    """Measure the objects of one stack, without shapes.

    A section is in memory at a time.

    Parameters
    ----------
    sections
        ``(Y, X)`` labels of each plane, and ``(Y, X)`` or ``(Y, X, channels)``
        intensities.
    """
    sums: dict[int, np.ndarray] = {}
    columns: list[np.ndarray] = []
    for plane, (labels, image) in enumerate(sections):
        y, x = np.nonzero(labels)
        ids, places = np.unique(labels[y, x], return_inverse=True)
        count = np.bincount(places)
        columns = [count, count * plane, np.bincount(places, y), np.bincount(places, x)]
        if image is not None:
            channels = image.reshape(*labels.shape, -1)[y, x].T
            columns += [np.bincount(places, channel) for channel in channels]
        for object_id, here in zip(ids.tolist(), np.stack(columns, 1), strict=True):
            sums[object_id] = sums.get(object_id, 0.0) + here
    object_ids = sorted(sums)
    table = np.array([sums[one] for one in object_ids]).reshape(-1, len(columns))
    size, *means = table.T
    z, y, x, *intensity = (column / size for column in means)
    return FrameRegions(
        frame_index,
        np.array(object_ids, np.int64),
        size.astype(np.int64),
        {"z": z, "y": y, "x": x},
        {},
        np.stack(intensity, axis=1) if intensity else None,
    )
