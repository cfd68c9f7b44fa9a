"""ImageJ's ROI sets: an outline for each object on each frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from skimage.measure import find_contours, regionprops

from napari_sam2.io.exports.masklets import MaskletMovie
from napari_sam2.io.exports.zip_archive import ZipArchive
from napari_sam2.io.optional_packages import optional_package


def write_rois(masklets: MaskletMovie, path: Path) -> None:
    """Write a zip of polygons, named after object and frame, for ImageJ's ROI manager.

    An object in several pieces has a polygon for each; holes are not kept.

    Raises
    ------
    InputError
        If the package roifile is not installed.
    """
    roifile = optional_package("roifile", "export")
    axis = masklets.calibration.frame_axis
    with ZipArchive(path) as archive:
        for frame_index, labels in masklets.frames():
            place = {axis: frame_index, "position": frame_index + 1}
            for object_id, piece, outline in outlines(labels):
                name = f"{object_id:04d}-{frame_index + 1:04d}-{piece}"
                roi = roifile.ImagejRoi.frompoints(outline[:, ::-1], name=name, **place)
                archive.add(f"{name}.roi", roi.tobytes())


def outlines(labels: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield id, number of the piece, and ``(points, 2)`` float32 of y, x.

    Coordinates are ImageJ's: the corner of the first pixel is ``(0, 0)``. Outlines run
    along the border of pixels, so that filling them gives the mask back.
    """
    for region in regionprops(labels):  # type: ignore[no-untyped-call]
        top, left = region.bbox[:2]
        mask = np.pad(region.image, 1)
        # Doubled pixels: the contour at one half then runs a quarter outside of each.
        found = find_contours(np.kron(mask, np.ones((2, 2))), 0.5)  # type: ignore[no-untyped-call]
        outer = [line for line in found if _area(line) > 0]
        for piece, line in enumerate(sorted(outer, key=_area, reverse=True)):
            corners = np.round((line + 0.5) / 2) - 1 + np.array([top, left])
            yield int(region.label), piece, _without_repeats(corners)


def _without_repeats(corners: np.ndarray) -> np.ndarray:
    """Return a closed line without points that stand twice or lie on a straight way."""
    ring = corners[:-1]
    ring = ring[np.any(ring != np.roll(ring, 1, axis=0), axis=1)]
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    kept: np.ndarray = ring[turns].astype(np.float32)
    return kept


def _area(line: np.ndarray) -> float:
    """Return the signed area of a closed line; holes run the other way round."""
    y, x = line.T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)
