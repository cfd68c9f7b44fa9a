"""Label images of any maker, written as OME-Zarr labels: no session, only labels."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_sam2.errors import InputError, OutputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.label_store.group import aside
from napari_sam2.io.ome_zarr.metadata import (
    ZARR_FORMATS,
    LabelledObject,
    calibrated_axes,
    label_attributes,
)
from napari_sam2.io.ome_zarr.parent import (
    Parent,
    check_fits,
    check_label_name,
    label_levels,
    open_or_create_parent,
)
from napari_sam2.io.ome_zarr.planes import label_planes
from napari_sam2.io.ome_zarr.pyramid import build_level, label_spec
from napari_sam2.io.ome_zarr.watched_store import WatchedStore
from napari_sam2.io.ome_zarr.zarr_nodes import create_array
from napari_sam2.io.storage import storage_errors

SIGNED_AS = np.dtype(np.uint32)


@dataclass(frozen=True, slots=True, eq=False)
class PlainLabels:
    """Labels to be written.

    Attributes
    ----------
    frames
        ``(T, Y, X)`` of integers, indexed by the frame: numpy, dask, zarr.
    objects
        What is known of the labels, by label.
    """

    frames: Any
    calibration: Calibration = field(default_factory=Calibration)
    objects: Mapping[int, LabelledObject] = field(default_factory=dict)


def write_labels(path: Path, name: str, labels: PlainLabels) -> None:
    """Write labels into a new OME-Zarr, or beside the image of an existing one.

    One frame is in memory at a time. The group appears under its name when it is
    whole.

    Raises
    ------
    InputError
        If labels are negative, or too large for uint32.
    OutputError
        If labels of that name exist, the folder is no OME-Zarr or holds another movie,
        or the disk refuses.
    """
    with storage_errors(path, "write the labels"):
        check_label_name(name)
        parent = open_or_create_parent(path)
        shape = tuple(labels.frames.shape)
        check_fits(parent, shape, labels.calibration.frame_axis)
        target = parent.labels_folder() / name
        if target.exists():
            raise OutputError(
                f"{target}: exists already, and labels are not overwritten; choose "
                "another file, or give the layer another name"
            )
        building = aside(target, "new")
        try:
            _fill(parent, building, name, labels)
            building.rename(target)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        parent.list_label(name)
        parent.refresh_consolidated()


def _fill(parent: Parent, folder: Path, name: str, labels: PlainLabels) -> None:
    group = zarr.create_group(
        WatchedStore(folder), zarr_format=ZARR_FORMATS[parent.version]
    )
    calibration = labels.calibration
    dtype, shape = _stored_dtype(labels.frames.dtype), tuple(labels.frames.shape)
    layout, levels = label_levels(parent, calibration, shape, {})
    spec = label_spec(levels[0].shape, dtype, layout.axes)
    array = label_planes(create_array(group, "0", spec), layout)
    found: set[int] = set()
    for frame_index in range(shape[0]):
        frame = _checked(np.asarray(labels.frames[frame_index]), dtype, frame_index)
        if frame.any():
            array[frame_index] = frame
            found.update(np.unique(frame).tolist())
    for number, level in enumerate(levels[1:], start=1):
        build_level(group, number, level.shape, layout)
    objects = [
        labels.objects.get(object_id, LabelledObject(object_id))
        for object_id in sorted(found - {0})
    ]
    group.attrs.put(
        label_attributes(
            parent.version,
            name,
            calibrated_axes(calibration, layout),
            [level.geometry for level in levels],
            objects,
            has_image=parent.image is not None,
        )
    )


def _stored_dtype(dtype: np.typing.DTypeLike) -> np.dtype:
    kept = np.dtype(dtype)
    if kept.kind == "u":
        return kept
    return np.dtype(np.uint8) if kept.kind == "b" else SIGNED_AS


def _checked(frame: np.ndarray, dtype: np.dtype, frame_index: int) -> np.ndarray:
    if frame.dtype.kind not in "bui":
        raise InputError(f"frame {frame_index}: labels are {frame.dtype}, not integers")
    low, high = int(frame.min(initial=0)), int(frame.max(initial=0))
    if low < 0 or high > np.iinfo(dtype).max:
        raise InputError(
            f"frame {frame_index}: label {low if low < 0 else high} is not between 0 "
            f"and {np.iinfo(dtype).max}; relabel the layer first"
        )
    return frame.astype(dtype, copy=False)
