"""Coarser levels of a label image, frame by frame, by taking the nearest pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import zarr

from napari_sam2.io.ome_zarr.planes import PlaneLayout, label_planes
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
    stored = array_at(group, "0")
    spec = label_spec(shape, stored.dtype, layout.axes)
    finest = label_planes(stored, layout)
    level = label_planes(
        create_array(group, str(number), spec), _coarser(layout, stored.shape, shape)
    )
    frames, rows, columns = (
        np.arange(length) * full // length
        for length, full in zip(level.shape, finest.shape, strict=True)
    )
    for frame_index, source_index in enumerate(frames.tolist()):
        labels = np.asarray(finest[source_index])
        if labels.any():
            level[frame_index] = labels[np.ix_(rows, columns)]


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
