"""GEFF, the Graph Exchange File Format: written as frames come, chunk by chunk."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import zarr

from napari_sam2.io.exports.links import (
    FRAME_UNIT,
    PIXEL_UNIT,
    Link,
    LinkedFrame,
    Linking,
)
from napari_sam2.io.exports.masklets import MaskletMovie
from napari_sam2.io.ome_zarr.watched_store import WatchedStore
from napari_sam2.io.optional_packages import optional_package

GEFF_VERSION = "1.1.0"
CHUNK_ROWS = 8192
"""Nodes or edges of a chunk: those that are not written yet are held in memory."""


class _Column:
    """A zarr array that grows by whole chunks."""

    def __init__(
        self, group: zarr.Group, path: str, dtype: np.dtype, width: tuple[int, ...] = ()
    ) -> None:
        self.dtype = dtype
        self.low, self.high = np.inf, -np.inf
        self._array = group.create_array(
            path, shape=(0, *width), chunks=(CHUNK_ROWS, *width), dtype=dtype
        )
        self._rows = np.empty((0, *width), dtype)

    def add(self, rows: np.ndarray) -> None:
        """Take ``(rows, …)`` values, and write the chunks that are full."""
        if not len(rows):
            return
        self.low, self.high = min(self.low, rows.min()), max(self.high, rows.max())
        self._rows = np.concatenate([self._rows, rows.astype(self.dtype)])
        full = len(self._rows) // CHUNK_ROWS * CHUNK_ROWS
        if full:
            self._array.append(self._rows[:full])
            self._rows = self._rows[full:]

    def finish(self) -> None:
        """Write what is left."""
        if len(self._rows):
            self._array.append(self._rows)


def write_geff(masklets: MaskletMovie, path: Path) -> None:
    """Write a GEFF (Graph Exchange File Format), with the labels as related object.

    Raises
    ------
    InputError
        If the package geff is not installed.
    """
    geff = optional_package("geff", "export")
    group = zarr.create_group(WatchedStore(path), zarr_format=3)
    group.create_group("edges/props")
    nodes = _Column(group, "nodes/ids", np.dtype(np.uint64))
    edges = _Column(group, "edges/ids", np.dtype(np.uint64), (2,))
    frame_axis, *space = masklets.axes
    whole, real = np.dtype(np.int64), np.dtype(np.float64)
    kinds = {frame_axis: whole, **dict.fromkeys(space, real)}
    kinds |= {"label": whole, "lineage": whole, masklets.size_name: real}
    columns = {
        name: _Column(group, f"nodes/props/{name}/values", kind)
        for name, kind in kinds.items()
    }
    linking = Linking(masklets)
    for linked in linking.frames():
        nodes.add(linked.nodes)
        edges.add(_as_edges(linked.links))
        for name, values in _values(masklets, linked).items():
            columns[name].add(values)
    edges.add(_as_edges(list(linking.births())))
    for column in (nodes, edges, *columns.values()):
        column.finish()
    related = [
        {"type": "labels", "path": _beside(place, path), "node_prop": "label"}
        for place in masklets.labels_path
    ]
    geff.GeffMetadata(
        geff_version=GEFF_VERSION,
        directed=True,
        axes=_axes(masklets, columns),
        node_props_metadata={
            name: {"identifier": name, "dtype": str(column.dtype)}
            for name, column in columns.items()
        },
        edge_props_metadata={},
        track_node_props={"lineage": "lineage", "tracklet": "label"},
        related_objects=related or None,
    ).write(group.store)


def _as_edges(links: list[Link]) -> np.ndarray:
    ends = [(link.source, link.target) for link in links]
    return np.array(ends, np.int64).reshape(-1, 2)


def _values(masklets: MaskletMovie, linked: LinkedFrame) -> dict[str, np.ndarray]:
    """Return the properties of a frame's nodes."""
    found = linked.regions
    return {
        masklets.calibration.frame_axis: np.full(len(linked.nodes), found.frame_index),
        **found.centre,
        "label": found.object_ids,
        "lineage": linked.lineages,
        masklets.size_name: found.size,
    }


def _beside(place: Path, path: Path) -> str:
    """Return a path as seen from another one, or whole if that is on another drive."""
    try:
        return Path(os.path.relpath(place, path)).as_posix()
    except ValueError:
        return str(place)


def _axes(
    masklets: MaskletMovie, columns: dict[str, _Column]
) -> list[dict[str, object]]:
    axes = []
    for name, step, start, unit in zip(
        masklets.axes,
        masklets.geometry.scale,
        masklets.geometry.translation,
        masklets.units,
        strict=True,
    ):
        in_time = name == "t"
        axis: dict[str, object] = {
            "name": name,
            "type": "time" if in_time else "space",
            "unit": FRAME_UNIT if in_time else PIXEL_UNIT,
        }
        if unit is not None:
            axis |= {"scale": step, "scaled_unit": unit, "offset": start}
        column = columns[name]
        if column.low <= column.high:
            axis |= {"min": float(column.low), "max": float(column.high)}
        axes.append(axis)
    return axes
