"""Coarser levels of a label image, frame by frame, by taking the nearest pixel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import zarr

from napari_sam2.io.ome_zarr.planes import LabelPlanes, PlaneLayout, label_planes
from napari_sam2.io.ome_zarr.zarr_nodes import ArraySpec, array_at, create_array

MAX_CHUNK = 1024


def label_spec(
    shape: tuple[int, ...], dtype: np.typing.DTypeLike, names: tuple[str, ...]
) -> ArraySpec:
    """Return the storage of a label array: chunks lie in one frame and plane."""
    *others, height, width = shape
    planes = (1,) * len(others)
    return ArraySpec(
        shape=shape,
        chunks=(*planes, min(height, MAX_CHUNK), min(width, MAX_CHUNK)),
        dtype=dtype,
        fill_value=0,
        dimension_names=names,
    )


def build_level(
    group: zarr.Group, number: int, shape: tuple[int, ...], layout: PlaneLayout
) -> None:
    """Write array ``<number>`` from array ``0``.

    One frame is in memory at a time. A level half as large takes every second pixel,
    as strided reading does.
    """
    dtype = array_at(group, "0").dtype
    level = create_array(group, str(number), label_spec(shape, dtype, layout.axes))
    planes, coarse = _level_and_source(group, level, layout)
    for frame_index, labels in enumerate(coarse):
        if labels.any():
            planes[frame_index] = labels


def differing_frames(
    group: zarr.Group, number: int, layout: PlaneLayout
) -> Iterator[int]:
    """Yield the frames on which array ``<number>`` is not what array ``0`` makes it."""
    planes, coarse = _level_and_source(group, array_at(group, str(number)), layout)
    for frame_index, labels in enumerate(coarse):
        if not np.array_equal(np.asarray(planes[frame_index]), labels):
            yield frame_index


def _level_and_source(
    group: zarr.Group, level: zarr.Array, layout: PlaneLayout
) -> tuple[zarr.Array | LabelPlanes, Iterator[np.ndarray]]:
    """Return the planes of a level, and what they are to hold, frame by frame."""
    stored = array_at(group, "0")
    finest = label_planes(stored, layout)
    planes = label_planes(level, _coarser(layout, stored.shape, level.shape))
    frames, rows, columns = (
        np.arange(length) * full // length
        for length, full in zip(planes.shape, finest.shape, strict=True)
    )
    corners = np.ix_(rows, columns)
    return planes, (np.asarray(finest[one])[corners] for one in frames.tolist())


def _coarser(
    layout: PlaneLayout, finest: tuple[int, ...], level: tuple[int, ...]
) -> PlaneLayout:
    """Return where the labels' plane lies in a level that may have fewer planes."""
    ratios = {
        name: (coarse, fine)
        for name, fine, coarse in zip(layout.axes, finest, level, strict=True)
    }
    fixed = {
        name: index * ratios[name][0] // ratios[name][1]
        for name, index in layout.fixed.items()
    }
    return replace(layout, fixed=fixed)
