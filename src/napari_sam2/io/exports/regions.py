"""Rows of measurements: one for each object on each frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from skimage.measure import regionprops_table

from napari_sam2.io.exports.masklets import MaskletMovie

SHAPE = ("axis_major_length", "axis_minor_length", "perimeter")


@dataclass(frozen=True, slots=True, eq=False)
class FrameRegions:
    """The objects of one frame, or stack, by id.

    Attributes
    ----------
    frame_index
        Which frame.
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
    frame_index
        Which frame.
    labels
        ``(Y, X)`` label image.
    image
        ``(Y, X)`` or ``(Y, X, channels)`` intensities.
    """
    wanted = ["label", "area", "centroid", *SHAPE]
    if image is not None:
        image = image if image.ndim == 3 else image[..., None]
        wanted.append("intensity_mean")
    found: dict[str, np.ndarray] = regionprops_table(  # type: ignore[no-untyped-call]
        labels, image, properties=wanted
    )
    channels = [found[name] for name in found if name.startswith("intensity_mean")]
    return FrameRegions(
        frame_index,
        found["label"].astype(np.int64),
        found["area"].astype(np.int64),
        {"y": found["centroid-0"], "x": found["centroid-1"]},
        {name: found[name] for name in SHAPE},
        np.stack(channels, axis=1) if channels else None,
    )


def measure_sections(
    frame_index: int, sections: Iterable[tuple[np.ndarray, np.ndarray | None]]
) -> FrameRegions:
    """Measure the objects of one stack, without shapes.

    A section is in memory at a time.

    Parameters
    ----------
    frame_index
        Which time point.
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
            channels = image[y, x].reshape(len(y), -1).T
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
