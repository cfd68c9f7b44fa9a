"""GEFF (Graph Exchange File Format) with the label images that it points at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.imports.graph import Link, Node, follow
from napari_sam2.io.imports.tracked_labels import TrackedLabels
from napari_sam2.io.movies.files.image_stacks import reading
from napari_sam2.io.movies.label_frames import EVERYTHING, LabelFrames, cut_label_frames
from napari_sam2.io.optional_packages import optional_package


def read_geff(path: Path) -> TrackedLabels:
    """Open a GEFF whose metadata name label images and each node's label in them.

    Raises
    ------
    InputError
        If it is no valid GEFF, has no label images, or contradicts itself or them; the
        message names row and frame.
    """
    graph = _graph(path)
    place, label_column = _related_labels(path, graph["metadata"])
    nodes = _nodes(path, graph, label_column)
    links = (
        Link(f"{path}, edge row {row}", int(source), int(target))
        for row, (source, target) in enumerate(graph["edge_ids"], 1)
    )
    family = follow(nodes, links)
    images = cut_label_frames(place, EVERYTHING)
    objects: dict[int, dict[int, int]] = {}
    for key, node in nodes.items():
        if not 0 <= node.frame_index < images.frame_count:
            images.close()
            raise InputError(
                f"{node.where}: is on frame {node.frame_index}, but {place} has "
                f"{images.frame_count} frames"
            )
        objects.setdefault(node.frame_index, {})[node.label] = family.objects[key]
    return TrackedLabels(
        str(path),
        images.frame_count,
        images.frame_shape,
        lambda frame: _named(path, images, frame, objects.get(frame, {})),
        family.mothers,
        images.close,
    )


def _nodes(path: Path, graph: Any, label_column: str) -> dict[int, Node]:
    """Return the nodes by id; each has a label of its own on its frame."""
    metadata = graph["metadata"]
    frames = _whole_numbers(path, graph, _frame_axis(path, metadata))
    labels = _whole_numbers(path, graph, label_column)
    column = (metadata.track_node_props or {}).get("tracklet")
    tracklets = _whole_numbers(path, graph, column) if column else np.zeros_like(labels)
    nodes: dict[int, Node] = {}
    known: dict[tuple[int, int], str] = {}
    table = np.stack([graph["node_ids"].astype(np.int64), frames, labels, tracklets], 1)
    for row, (key, frame, label, tracklet) in enumerate(table.tolist(), 1):
        where = f"{path}, node row {row}"
        if key in nodes:
            raise InputError(
                f"{where}: node {key} is there already: {nodes[key].where}"
            )
        if label < 1:
            raise InputError(f"{where}: label {label} is none; labels count from 1")
        if (frame, label) in known:
            raise InputError(
                f"{where}: label {label} on frame {frame} is that of "
                f"{known[frame, label]}; give each node a label of its own"
            )
        nodes[key] = Node(f"{where}, id {key}", frame, label, tracklet)
        known[frame, label] = where
    return nodes


def _graph(path: Path) -> Any:
    geff = optional_package("geff", "export")
    with reading(path, "it is no valid GEFF"):
        return geff.core_io.read_to_memory(path)


def _frame_axis(path: Path, metadata: Any) -> str:
    """Return the column with the frame, of a graph in two dimensions and time."""
    axes = metadata.axes or []
    times = [axis.name for axis in axes if axis.type == "time"]
    spaces = [axis.name for axis in axes if axis.type == "space"]
    if not times and len(spaces) == 3:
        return str(spaces[0])
    if len(times) != 1 or len(spaces) != 2:
        raise InputError(
            f"{path}: its axes are {[axis.name for axis in axes]}; give a graph with "
            "one axis of time and two of space"
        )
    return str(times[0])


def _related_labels(path: Path, metadata: Any) -> tuple[Path, str]:
    """Return where the label images lie, and the column with each node's label."""
    for related in metadata.related_objects or []:
        if related.type == "labels" and related.node_prop:
            with reading(f"{path}: the path {related.path!r} of its label images"):
                place = (path / related.path).resolve()
                is_there = place.exists()
            if not is_there:
                raise InputError(
                    f"{path}: its label images {related.path} are not there; move them "
                    "back beside it"
                )
            return place, str(related.node_prop)
    raise InputError(
        f"{path}: names no label images (related_objects of type labels with a "
        "node_prop), so there are no masks to import"
    )


def _whole_numbers(path: Path, graph: Any, name: str) -> np.ndarray:
    """Return a column, ``(nodes,)`` int64, none of which is missing."""
    column: Mapping[str, Any] | None = graph["node_props"].get(name)
    if column is None:
        raise InputError(f"{path}: its nodes have no {name}")
    values = np.asarray(column["values"])
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise InputError(f"{path}: {name} of its nodes are no whole numbers")
    with np.errstate(invalid="ignore"):
        whole = values.astype(np.int64)
    is_wrong = whole != values
    if column.get("missing") is not None:
        is_wrong |= np.asarray(column["missing"], bool)
    if is_wrong.any():
        row = int(np.flatnonzero(is_wrong)[0])
        raise InputError(
            f"{path}, node row {row + 1}: its {name} is missing or no whole number"
        )
    return whole


def _named(
    path: Path, images: LabelFrames, frame_index: int, objects: Mapping[int, int]
) -> np.ndarray:
    """Return a label image with objects instead of labels."""
    labels = images.read(frame_index)
    ids, places = np.unique(labels, return_inverse=True)
    found = set(ids[ids != 0].tolist())
    where = f"{path}, frame {frame_index}"
    for label in sorted(found - objects.keys()):
        raise InputError(
            f"{where}: label {label} of {images.name} is no node's; remove it there, "
            "or add a node"
        )
    for label in sorted(objects.keys() - found):
        raise InputError(
            f"{where}: label {label} of a node is not in {images.name}; remove the "
            "node, or give its mask"
        )
    named = np.array([objects.get(int(label), 0) for label in ids])
    result: np.ndarray = named[places].reshape(labels.shape)
    return result
