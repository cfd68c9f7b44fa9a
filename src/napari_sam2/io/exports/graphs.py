"""Graphs of tracking: GEFF, and TrackMate's XML."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

import numpy as np

from napari_sam2.io.exports.masklets import MaskletMovie
from napari_sam2.io.exports.regions import places
from napari_sam2.io.exports.rois import outlines
from napari_sam2.io.optional_packages import optional_package

FRAME_UNIT, PIXEL_UNIT = "frame", "pixel"


@dataclass(frozen=True, slots=True, eq=False)
class Lineages:
    """All object-frames as nodes, linked in time.

    Attributes
    ----------
    object_ids, frames
        ``(nodes,)`` int64; nodes are numbered from 0, by frame and object.
    centre
        ``(nodes,)`` float64 centroids in pixels, by axis, as in `FrameRegions`.
    size
        ``(nodes,)`` float64: area or volume in pixels.
    edges
        ``(edges, 2)`` int64 of earlier and later node: an object and itself where it is
        next seen, the last of a mother and the first of a daughter.
    lineages
        ``(nodes,)`` int64: the founder's id, the same for all that descend from it.
    """

    object_ids: np.ndarray
    frames: np.ndarray
    centre: dict[str, np.ndarray]
    size: np.ndarray
    edges: np.ndarray
    lineages: np.ndarray


def lineages_of(masklets: MaskletMovie) -> Lineages:
    """Link all objects in time, reading one frame at a time."""
    parts: list[np.ndarray] = []
    edges: list[np.ndarray] = []
    last: dict[int, int] = {}
    first: dict[int, int] = {}
    node = 0
    for found in places(masklets):
        ids = found.object_ids
        where = np.full(len(ids), found.frame_index)
        centre = found.centre.values()
        parts.append(np.stack([ids, where, found.size, *centre], axis=1))
        nodes = dict(zip(ids.tolist(), range(node, node + len(ids)), strict=True))
        edges.append(
            _as_edges([(last[one], nodes[one]) for one in nodes if one in last])
        )
        first = nodes | first
        last |= nodes
        node += len(ids)
    space = masklets.axes[1:]
    table = np.concatenate([np.empty((0, 3 + len(space))), *parts])
    frames = table[:, 1].astype(np.int64)
    for daughter, mother in masklets.mothers.items():
        if daughter in first and mother in last:
            ends = last[mother], first[daughter]
            if frames[ends[0]] < frames[ends[1]]:
                edges.append(_as_edges([ends]))
    linked = np.concatenate([_as_edges([]), *edges])
    object_ids = table[:, 0].astype(np.int64)
    founders = {object_id: _founder(object_id, masklets.mothers) for object_id in first}
    return Lineages(
        object_ids=object_ids,
        frames=frames,
        centre=dict(zip(space, table[:, 3:].T, strict=True)),
        size=table[:, 2],
        edges=linked[np.lexsort(linked.T[::-1])],
        lineages=np.array([founders[int(i)] for i in object_ids], np.int64),
    )


def _as_edges(pairs: list[tuple[int, int]]) -> np.ndarray:
    return np.array(pairs, np.int64).reshape(-1, 2)


def _founder(object_id: int, mothers: Mapping[int, int]) -> int:
    while object_id in mothers:
        object_id = mothers[object_id]
    return object_id


def write_geff(masklets: MaskletMovie, path: Path) -> None:
    """Write a GEFF (Graph Exchange File Format), with the labels as related object.

    Raises
    ------
    InputError
        If the package geff is not installed.
    """
    geff = optional_package("geff", "export")
    graph = lineages_of(masklets)
    columns = {
        masklets.calibration.frame_axis: graph.frames,
        **graph.centre,
        "label": graph.object_ids,
        "lineage": graph.lineages,
        masklets.size_name: graph.size,
    }
    related = [
        {"type": "labels", "path": _beside(place, path), "node_prop": "label"}
        for place in masklets.labels_path
    ]
    metadata = geff.GeffMetadata(
        geff_version="1.1.0",
        directed=True,
        axes=_axes(masklets),
        node_props_metadata={},
        edge_props_metadata={},
        track_node_props={"lineage": "lineage", "tracklet": "label"},
        related_objects=related or None,
    )
    geff.core_io.write_arrays(
        path,
        np.arange(len(graph.frames), dtype=np.uint64),
        {name: {"values": values, "missing": None} for name, values in columns.items()},
        graph.edges.astype(np.uint64),
        {},
        metadata,
        zarr_format=3,
    )


def _beside(place: Path, path: Path) -> str:
    """Return a path as seen from another one, or whole if that is on another drive."""
    try:
        return Path(os.path.relpath(place, path)).as_posix()
    except ValueError:
        return str(place)


def _axes(masklets: MaskletMovie) -> list[dict[str, object]]:
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
        axes.append(axis)
    return axes


SPOT_FEATURES = (
    *("QUALITY", "POSITION_X", "POSITION_Y", "POSITION_Z", "POSITION_T", "FRAME"),
    *("RADIUS", "VISIBILITY", "AREA"),
)
WHOLE = {"FRAME", "VISIBILITY"}
TRACKMATE_VERSION = "7.12.1"
"""The version whose layout of the file this is."""


def write_trackmate(masklets: MaskletMovie, path: Path) -> None:
    """Write TrackMate's XML: a spot an object-frame, a track a family.

    A spot has the outline of the largest piece of the mask, without its holes, and the
    radius of a circle of the mask's area.
    """
    graph = lineages_of(masklets)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        xml = _Xml(XMLGenerator(file, encoding="utf-8", short_empty_elements=True))
        xml.generator.startDocument()
        xml.open("TrackMate", version=TRACKMATE_VERSION)
        frame_unit, *space = masklets.calibration.units
        xml.open(
            "Model",
            spatialunits=space[0] or PIXEL_UNIT,
            timeunits=frame_unit or FRAME_UNIT,
        )
        _declare(xml)
        _write_spots(xml, masklets, graph)
        _write_edges(xml, masklets, graph)
        xml.close("Model")
        _write_settings(xml, masklets)
        xml.close("TrackMate")
        xml.generator.endDocument()


class _Xml:
    """Elements with values of any kind as attributes."""

    def __init__(self, generator: XMLGenerator) -> None:
        self.generator = generator

    def open(self, element: str, /, **attributes: object) -> None:
        """Begin an element."""
        values = {key: str(value) for key, value in attributes.items()}
        self.generator.startElement(element, AttributesImpl(values))

    def close(self, element: str, /) -> None:
        """End an element."""
        self.generator.endElement(element)
        self.generator.ignorableWhitespace("\n")

    def add(self, element: str, /, **attributes: object) -> None:
        """Write an element that holds nothing."""
        self.open(element, **attributes)
        self.close(element)


def _declare(xml: _Xml) -> None:
    xml.open("FeatureDeclarations")
    xml.open("SpotFeatures")
    for feature in SPOT_FEATURES:
        xml.add(
            "Feature",
            feature=feature,
            name=feature.replace("_", " ").capitalize(),
            shortname=feature,
            dimension="NONE",
            isint="true" if feature in WHOLE else "false",
        )
    xml.close("SpotFeatures")
    xml.add("EdgeFeatures")
    xml.add("TrackFeatures")
    xml.close("FeatureDeclarations")


def _write_spots(xml: _Xml, masklets: MaskletMovie, graph: Lineages) -> None:
    step, row, column = masklets.calibration.scale
    names = {state.object_id: state.name for state in masklets.objects}
    xml.open("AllSpots", nspots=len(graph.frames))
    starts = np.searchsorted(graph.frames, np.arange(masklets.frame_count + 1))
    for frame_index in range(masklets.frame_count):
        xml.open("SpotsInFrame", frame=frame_index)
        lines = {
            object_id: line
            for object_id, piece, line in outlines(masklets.read(frame_index))
            if piece == 0
        }
        for node in range(starts[frame_index], starts[frame_index + 1]):
            object_id = int(graph.object_ids[node])
            area = float(graph.size[node]) * row * column
            y, x = graph.centre["y"][node], graph.centre["x"][node]
            # Outlines count from the corner of the first pixel, spots from its centre.
            line = (lines[object_id] - 0.5 - (y, x)) * (row, column)
            xml.open(
                "Spot",
                ID=node,
                name=names.get(object_id) or f"object {object_id}",
                QUALITY=1.0,
                POSITION_X=float(x) * column,
                POSITION_Y=float(y) * row,
                POSITION_Z=0.0,
                POSITION_T=frame_index * step,
                FRAME=frame_index,
                RADIUS=(area / np.pi) ** 0.5,
                VISIBILITY=1,
                AREA=area,
                ROI_N_POINTS=len(line),
            )
            xml.generator.characters(" ".join(map(_short, line[:, ::-1].ravel())))
            xml.close("Spot")
        xml.close("SpotsInFrame")
    xml.close("AllSpots")


def _short(value: float) -> str:
    return f"{value:.6g}"


def _write_edges(xml: _Xml, masklets: MaskletMovie, graph: Lineages) -> None:
    """Write a track for each family that has links."""
    step = masklets.calibration.scale[0]
    families: dict[int, list[np.ndarray]] = {}
    for edge in graph.edges:
        families.setdefault(int(graph.lineages[edge[0]]), []).append(edge)
    xml.open("AllTracks")
    for number, (founder, edges) in enumerate(sorted(families.items())):
        xml.open("Track", name=f"Track_{founder}", TRACK_ID=number)
        for source, target in edges:
            between = float(graph.frames[source] + graph.frames[target]) / 2
            xml.add(
                "Edge",
                SPOT_SOURCE_ID=source,
                SPOT_TARGET_ID=target,
                EDGE_TIME=between * step,
            )
        xml.close("Track")
    xml.close("AllTracks")
    xml.open("FilteredTracks")
    for number in range(len(families)):
        xml.add("TrackID", TRACK_ID=number)
    xml.close("FilteredTracks")


def _write_settings(xml: _Xml, masklets: MaskletMovie) -> None:
    height, width = masklets.frame_shape
    step, row, column = masklets.calibration.scale
    xml.open("Settings")
    xml.add(
        "ImageData",
        filename="",
        folder="",
        width=width,
        height=height,
        nslices=1,
        nframes=masklets.frame_count,
        pixelwidth=column,
        pixelheight=row,
        voxeldepth=1.0,
        timeinterval=step,
    )
    xml.add("InitialSpotFilter", feature="QUALITY", value=0.0, isabove="true")
    xml.add("SpotFilterCollection")
    xml.add("TrackFilterCollection")
    xml.close("Settings")
