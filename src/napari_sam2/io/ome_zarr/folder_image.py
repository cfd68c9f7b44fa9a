"""The image that an OME-Zarr folder holds, opened for looking at it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import zarr

from napari_sam2.io.ome_zarr.metadata import ome_metadata, read_geometry
from napari_sam2.io.ome_zarr.zarr_nodes import array_at, attributes_of, storage_errors


@dataclass(frozen=True, slots=True, eq=False)
class FolderImage:
    """The image of an OME-Zarr.

    Attributes
    ----------
    levels
        Arrays, finest first.
    axes
        Names of their dimensions.
    scale, translation
        Of the finest level, by dimension.
    units
        As OME-Zarr calls them; None where it says nothing.
    """

    levels: tuple[zarr.Array, ...]
    axes: tuple[str, ...]
    scale: tuple[float, ...]
    translation: tuple[float, ...]
    units: tuple[str | None, ...]


def read_image(path: Path) -> FolderImage | None:
    """Open the image of an OME-Zarr, for reading; None if it holds none.

    Raises
    ------
    OutputError
        If a level is missing, or the disk refuses.
    """
    with storage_errors(path, "open the movie"):
        group = zarr.open_group(path, mode="r", use_consolidated=False)
        metadata = ome_metadata(attributes_of(group))
        if not metadata.get("multiscales"):
            return None
        entry = metadata["multiscales"][0]
        count = len(entry["axes"])
        geometry = read_geometry(entry["datasets"][0], count)
        return FolderImage(
            levels=tuple(array_at(group, one["path"]) for one in entry["datasets"]),
            axes=tuple(axis["name"] for axis in entry["axes"]),
            scale=geometry.scale,
            translation=geometry.translation,
            units=tuple(axis.get("unit") for axis in entry["axes"]),
        )
