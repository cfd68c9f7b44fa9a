"""A movie embedded as an OME-Zarr image, so that its labels lie beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaozarrs.v05 as models
import zarr

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.ome_zarr.machine_lock import alone
from napari_sam2.io.ome_zarr.metadata import LevelGeometry, multiscale, ome_metadata
from napari_sam2.io.ome_zarr.parent import (
    HAS_EVERY_CHUNK,
    IMAGE_ARRAY,
    MARK,
    NEW_VERSION,
    Parent,
    open_or_create_parent,
    open_parent,
)
from napari_sam2.io.ome_zarr.pyramid import MAX_CHUNK
from napari_sam2.io.ome_zarr.volume_axes import PlaneAxis, volume_axes, volume_geometry
from napari_sam2.io.ome_zarr.zarr_nodes import (
    ArraySpec,
    array_at,
    array_if_any,
    attributes_of,
    chunk_file,
    create_array,
)
from napari_sam2.io.storage import DAMAGED, storage_errors

CHANNELS = (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"))


def holds_image(path: Path) -> bool:
    """Return whether a folder is an OME-Zarr image already."""
    if not (path / "zarr.json").exists() and not (path / ".zgroup").exists():
        return False
    return open_parent(path, "r").image is not None


def embed_image(
    path: Path,
    frames: Iterable[np.ndarray],
    *,
    frame_count: int,
    calibration: Calibration,
    name: str = "image",
    planes: PlaneAxis | None = None,
) -> None:
    """Write a movie as the image of a new OME-Zarr 0.5, one frame at a time.

    Done before `OmeZarrLabelStore.create`, whose labels then point to it. Metadata
    come last: until then the folder holds no image, and may be written again.

    Parameters
    ----------
    path
        Folder of the OME-Zarr.
    frames
        ``(Y, X)`` of any number type, kept as it is, or ``(Y, X, 3)`` uint8 RGB, which
        becomes a channel axis; all of one shape and type. Of stacks the planes, those
        of the first time point first.
    frame_count
        How many there are; of stacks, how many time points.
    name
        What viewers call the image.
    planes
        Of a movie of stacks; None for one of single frames.

    Raises
    ------
    OutputError
        If the folder holds an image already, or anything that this program did not
        write, or the disk refuses.
    """
    with storage_errors(path, "embed the movie"), alone(path, "embedding a movie"):
        parent = open_or_create_parent(path)
        if parent.image is not None:
            raise OutputError(
                f"{path}: holds an image already; do not embed another, or "
                "choose another folder"
            )
        # Space axes follow channels, and a stack's frames are space.
        channel_axis = 0 if calibration.frame_axis == "z" else 1
        lengths = [frame_count] if planes is None else [frame_count, planes.count]
        names = [axis["name"] for axis in volume_axes(calibration, planes)]
        is_rgb = _write_pixels(parent, frames, names, lengths, channel_axis)
        metadata = _metadata(
            name, calibration, planes, channel_axis if is_rgb else None
        )
        parent.end_embedding(metadata)


def _write_pixels(
    parent: Parent,
    frames: Iterable[np.ndarray],
    names: list[str],
    lengths: list[int],
    channel_axis: int,
) -> bool:
    """Write all frames; return whether they are RGB.

    Names are of all axes but channels, lengths of those before row and column.
    """
    array: zarr.Array | None = None
    is_rgb = False
    for index, frame in enumerate(frames):
        is_rgb = frame.ndim == 3
        if array is None:
            _check_labels(parent, (*lengths, *frame.shape[:2]))
            parent.begin_embedding()
            spec = _spec(frame, names, lengths, channel_axis)
            array = create_array(parent.group, IMAGE_ARRAY, spec)
        place: list[Any] = [int(at) for at in np.unravel_index(index, lengths)]
        if is_rgb:
            place.insert(channel_axis, slice(None))
        array[tuple(place)] = np.moveaxis(frame, -1, 0) if is_rgb else frame
    return is_rgb


def _check_labels(parent: Parent, shape: tuple[int, ...]) -> None:
    """Refuse an image beside labels of another movie."""
    for name in parent.listed_labels():
        labels = array_if_any(parent.group, f"labels/{name}/0")
        if labels is not None and labels.shape != shape:
            raise OutputError(
                f"{parent.path}: holds labels {name!r} of shape {labels.shape}, but "
                f"the movie has {shape}; choose another folder"
            )


def image_faults(path: Path) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with an image that was embedded, by frame, in words.

    Images of other makers, and those that version 0.2 embedded, are passed over:
    nobody knows which chunks they had.

    Raises
    ------
    OutputError
        If its metadata are damaged.
    """
    parent = open_parent(path, "r")
    attributes = attributes_of(parent.group)
    mark = attributes.get(MARK)
    if not isinstance(mark, dict) or not mark.get(HAS_EVERY_CHUNK):
        return
    array = array_at(parent.group, IMAGE_ARRAY)
    first_axis = ome_metadata(attributes)["multiscales"][0]["axes"][0]
    along = 1 if first_axis["name"] == "c" else 0
    for place in np.ndindex(*array.cdata_shape):
        file = chunk_file(array, place)
        try:
            array.get_block_selection(place)
        except DAMAGED:
            yield place[along], f"{file} is not what was written"
        if not file.exists():
            yield place[along], f"{file} is missing"


def _spec(
    frame: np.ndarray, names: list[str], lengths: list[int], channel_axis: int
) -> ArraySpec:
    """Return how an image is stored, see `_write_pixels`."""
    names, shape = list(names), [*lengths, *frame.shape[:2]]
    chunks = [1] * (len(shape) - 2) + [min(one, MAX_CHUNK) for one in shape[-2:]]
    if frame.ndim == 3:
        shape.insert(channel_axis, frame.shape[2])
        chunks.insert(channel_axis, 1)
        names.insert(channel_axis, "c")
    spec = ArraySpec(tuple(shape), tuple(chunks), frame.dtype, 0, tuple(names))
    return replace(spec, has_every_chunk=True)


def _metadata(
    name: str,
    calibration: Calibration,
    planes: PlaneAxis | None,
    channel_axis: int | None,
) -> dict[str, Any]:
    axes = volume_axes(calibration, planes)
    geometry = volume_geometry(calibration, planes)
    scale, translation = list(geometry.scale), list(geometry.translation)
    if channel_axis is not None:
        axes.insert(channel_axis, {"name": "c", "type": "channel"})
        scale.insert(channel_axis, 1.0)
        translation.insert(channel_axis, 0.0)
    level = LevelGeometry(tuple(scale), tuple(translation))
    image = models.Image(
        multiscales=[multiscale(NEW_VERSION, name, axes, [level])],
        omero=None if channel_axis is None else _rgb_display(),
    )
    metadata: dict[str, Any] = image.model_dump(exclude_none=True)
    return metadata


def _rgb_display() -> models.Omero:
    window = models.OmeroWindow(start=0, min=0, end=255, max=255)
    return models.Omero(
        channels=[
            models.OmeroChannel(label=label, color=color, window=window, active=True)
            for label, color in CHANNELS
        ]
    )
