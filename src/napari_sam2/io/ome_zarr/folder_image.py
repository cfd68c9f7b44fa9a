"""The images that an OME-Zarr folder holds, opened for looking at them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zarr

from napari_sam2.io.levels import finest_first
from napari_sam2.io.ome_zarr.metadata import image_axes, ome_metadata, read_geometry
from napari_sam2.io.ome_zarr.zarr_nodes import array_at, attributes_of
from napari_sam2.io.storage import storage_errors


@dataclass(frozen=True, slots=True, eq=False)
class FolderImage:
    """An image of an OME-Zarr.

    Attributes
    ----------
    name
        What tells it from others in the folder.
    levels
        Arrays, finest first.
    axes
        What their dimensions are: ``t``, ``c``, ``z``, ``y``, ``x``.
    scale, translation
        Of the finest level, by dimension.
    units
        As OME-Zarr calls them; None where it says nothing.
    """

    name: str
    levels: tuple[zarr.Array, ...]
    axes: tuple[str, ...]
    scale: tuple[float, ...]
    translation: tuple[float, ...]
    units: tuple[str | None, ...]


def read_images(path: Path) -> tuple[FolderImage, ...]:
    """Open the images of an OME-Zarr, for reading; none if it holds none.

    A group may list several: those of the same finest level are one image.

    Raises
    ------
    OutputError
        If a level is missing, or the disk refuses.
    """
    with storage_errors(path, "open the movie"):
        group = zarr.open_group(path, mode="r", use_consolidated=False)
        found: dict[str, FolderImage] = {}
        for entry in ome_metadata(attributes_of(group)).get("multiscales") or ():
            image = _image(group, entry)
            found.setdefault(image.levels[0].path, image)
        return tuple(found.values())


def _image(group: zarr.Group, entry: dict[str, Any]) -> FolderImage:
    axes = entry["axes"]
    listed = [(array_at(group, one["path"]), one) for one in entry["datasets"]]
    levels = finest_first((level[0].shape, level) for level in listed)
    finest = levels[0][1]
    geometry = read_geometry(finest, len(axes))
    return FolderImage(
        name=str(entry.get("name") or finest["path"]),
        levels=tuple(array for array, _ in levels),
        axes=image_axes(entry),
        scale=geometry.scale,
        translation=geometry.translation,
        units=tuple(axis.get("unit") for axis in axes),
    )
