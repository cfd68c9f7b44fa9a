"""ImageJ's ROI sets: an outline for each object on each frame."""

from __future__ import annotations

from pathlib import Path

from napari_sam2.io.exports.masklets import MaskletMovie
from napari_sam2.io.exports.outlines import outlines
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
