"""TrackMate's XML, written spot by spot and edge by edge."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

import numpy as np

from napari_sam2.io.exports.links import FRAME_UNIT, PIXEL_UNIT, Link, Linking
from napari_sam2.io.exports.masklets import MaskletMovie
from napari_sam2.io.exports.outlines import outlines
from napari_sam2.io.exports.regions import measure_sections

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
    with (
        closing(_Families(masklets)) as families,
        path.open("w", encoding="utf-8", newline="\n") as file,
    ):
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
        _write_spots(xml, masklets, families.spot_count)
        _write_tracks(xml, families, masklets.calibration.scale[0])
        xml.close("Model")
        _write_settings(xml, masklets)
        xml.close("TrackMate")
        xml.generator.endDocument()


class _Families:
    """The links of all families.

    Frames give them one after the other, the file wants them family by family: they are
    sorted on the disk, so that memory does not grow with the movie.
    """

    def __init__(self, masklets: MaskletMovie) -> None:
        # Without a name SQLite makes a file of its own, and removes it.
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE links (family, source, target, middle)")
        linking = Linking(masklets)
        for linked in linking.frames():
            self._add(linked.links)
        self._add(linking.births())
        self.spot_count = linking.node_count

    def _add(self, links: Iterable[Link]) -> None:
        self._database.executemany(
            "INSERT INTO links VALUES (?, ?, ?, ?)",
            (
                (link.lineage, link.source, link.target, sum(link.frames) / 2)
                for link in links
            ),
        )

    def __iter__(self) -> Iterator[tuple[int, Iterator[tuple[int, int, float]]]]:
        """Yield each founder, and source, target and frame between of its links."""
        rows = self._database.execute("SELECT * FROM links ORDER BY 1, 2, 3")
        for founder, links in groupby(rows, key=itemgetter(0)):
            yield founder, (link[1:] for link in links)

    def close(self) -> None:
        self._database.close()


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


def _write_spots(xml: _Xml, masklets: MaskletMovie, count: int) -> None:
    names = {state.object_id: state.name for state in masklets.objects}
    xml.open("AllSpots", nspots=count)
    node = 0
    for frame_index, labels in masklets.frames():
        xml.open("SpotsInFrame", frame=frame_index)
        found = measure_sections(frame_index, [(labels, None)])
        lines = {
            object_id: line for object_id, piece, line in outlines(labels) if piece == 0
        }
        for object_id, size, y, x in zip(
            found.object_ids.tolist(),
            found.size.tolist(),
            found.centre["y"].tolist(),
            found.centre["x"].tolist(),
            strict=True,
        ):
            spot = _Spot(node, frame_index, size, (y, x), lines[object_id])
            name = names.get(object_id) or f"object {object_id}"
            _write_spot(xml, name, spot, masklets.calibration.scale)
            node += 1
        xml.close("SpotsInFrame")
    xml.close("AllSpots")


class _Spot(NamedTuple):
    """An object on a frame; pixels."""

    node: int
    frame_index: int
    area: int
    centre: tuple[float, float]
    outline: np.ndarray


def _write_spot(
    xml: _Xml, name: str, spot: _Spot, scale: tuple[float, float, float]
) -> None:
    step, row, column = scale
    y, x = spot.centre
    area = spot.area * row * column
    # Outlines count from the corner of the first pixel, spots from its centre.
    line = (spot.outline - 0.5 - (y, x)) * (row, column)
    xml.open(
        "Spot",
        ID=spot.node,
        name=name,
        QUALITY=1.0,
        POSITION_X=x * column,
        POSITION_Y=y * row,
        POSITION_Z=0.0,
        POSITION_T=spot.frame_index * step,
        FRAME=spot.frame_index,
        RADIUS=(area / np.pi) ** 0.5,
        VISIBILITY=1,
        AREA=area,
        ROI_N_POINTS=len(line),
    )
    numbers = line[:, ::-1].ravel().tolist()
    xml.generator.characters(" ".join([f"{number:.6g}" for number in numbers]))
    xml.close("Spot")


def _write_tracks(xml: _Xml, families: _Families, step: float) -> None:
    """Write a track for each family that has links."""
    xml.open("AllTracks")
    count = 0
    for founder, links in families:
        xml.open("Track", name=f"Track_{founder}", TRACK_ID=count)
        for source, target, middle in links:
            xml.add(
                "Edge",
                SPOT_SOURCE_ID=source,
                SPOT_TARGET_ID=target,
                EDGE_TIME=middle * step,
            )
        xml.close("Track")
        count += 1
    xml.close("AllTracks")
    xml.open("FilteredTracks")
    for number in range(count):
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
