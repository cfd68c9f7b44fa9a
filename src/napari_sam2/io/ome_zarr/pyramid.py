"""Coarser levels of a label image, frame by frame, by taking the nearest pixel."""

from __future__ import annotations

import numpy as np
import zarr

from napari_sam2.io.ome_zarr.zarr_nodes import ArraySpec, array_at, create_array

MAX_CHUNK = 1024


def label_spec(
    shape: tuple[int, ...], dtype: np.typing.DTypeLike, names: tuple[str, ...]
) -> ArraySpec:
    """Return the storage of a ``(T, Y, X)`` label array: chunks lie in one frame."""
    _, height, width = shape
    return ArraySpec(
        shape=shape,
        chunks=(1, min(height, MAX_CHUNK), min(width, MAX_CHUNK)),
        dtype=dtype,
        fill_value=0,
        dimension_names=names,
    )


def build_level(
    group: zarr.Group, number: int, shape: tuple[int, ...], names: tuple[str, ...]
) -> None:
    """Write array ``<number>`` of ``(T, Y, X)`` from array ``0``.

    One frame is in memory at a time. A level half as large takes every second pixel,
    as strided reading does.
    """
    finest = array_at(group, "0")
    level = create_array(group, str(number), label_spec(shape, finest.dtype, names))
    frames, rows, columns = (
        np.arange(length) * full // length
        for length, full in zip(shape, finest.shape, strict=True)
    )
    for frame_index, source_index in enumerate(frames.tolist()):
        labels = np.asarray(finest[source_index])
        if labels.any():
            level[frame_index] = labels[np.ix_(rows, columns)]
