"""Rows of measurements: one for each object on each frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from skimage.measure import regionprops_table

from napari_sam2.io.exports.masklets import MaskletMovie

SHAPE = ("axis_major_length", "axis_minor_length", "perimeter")


@dataclass(frozen=True, slots=True, eq=False)
class FrameRegions:
    """The objects of one frame, by id.

    Attributes
    ----------
    frame_index
        Which frame.
    object_ids
        ``(objects,)`` int64.
    area
        ``(objects,)`` int64, pixels.
    y, x
        ``(objects,)`` float64, centroids in pixels.
    shape
        ``(objects,)`` float64 by name: axes of the ellipse and perimeter, pixels.
    intensity
        ``(objects, channels)`` float64 means, or None without an image.
    """

    frame_index: int
    object_ids: np.ndarray
    area: np.ndarray
    y: np.ndarray
    x: np.ndarray
    shape: dict[str, np.ndarray]
    intensity: np.ndarray | None


def regions(masklets: MaskletMovie) -> Iterator[FrameRegions]:
    """Measure frame by frame."""
    for frame_index, labels in masklets.frames():
        image = None if masklets.image is None else masklets.image(frame_index)
        yield measure_regions(frame_index, labels, image)


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
        found["centroid-0"],
        found["centroid-1"],
        {name: found[name] for name in SHAPE},
        np.stack(channels, axis=1) if channels else None,
    )
