"""TrackMate's XML: spots with outlines or radii, and the links of visible tracks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from xml import sax
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

import numpy as np
from skimage.draw import disk, polygon

from napari_sam2.errors import InputError
from napari_sam2.io.imports.graph import Link, Node, follow
from napari_sam2.io.imports.tracked_labels import TrackedLabels
from napari_sam2.paths import refuse_pipe

Value = TypeVar("Value", int, float)
FAR = 1e9
"""Pixels: no frame is as large."""
NOWHERE = 0
"""Track of spots that no link names."""


@dataclass(slots=True)
class Spot:
    """A spot, in the units of the file.

    Attributes
    ----------
    where
        File and line.
    outline
        ``(points, 2)`` of y, x from the centre; None for a circle.
    """

    where: str
    frame_index: int
    y: float
    x: float
    radius: float
    outline: np.ndarray | None = None


@dataclass(slots=True)
class Settings:
    """The image: its shape, and the size of a pixel in the units of the file."""

    width: int
    height: int
    frame_count: int
    pixel_height: float
    pixel_width: float


class _Document(ContentHandler):
    """Hears the elements that tracks are made of, one after the other."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.spots: dict[int, Spot] = {}
        self.links: dict[int, list[Link]] = {}
        self.settings: Settings | None = None
        self.visible: set[int] | None = None
        self._track = NOWHERE
        self._outlined: tuple[Spot, int] | None = None
        self._text: list[str] = []
        self._begin = {
            "Spot": self._spot,
            "Track": self._begin_track,
            "Edge": self._edge,
            "FilteredTracks": self._filter,
            "TrackID": self._show_track,
            "ImageData": self._image,
        }

    @property
    def where(self) -> str:
        """File and line, for errors."""
        return f"{self.path}, line {self._locator.getLineNumber()}"  # type: ignore[attr-defined]

    def startElement(self, name: str, attrs: AttributesImpl) -> None:
        """Take what an element says."""
        begin = self._begin.get(name)
        if begin is not None:
            begin(attrs)

    def characters(self, content: str) -> None:
        """Collect the numbers of an outline."""
        if self._outlined is not None:
            self._text.append(content)

    def endElement(self, name: str) -> None:
        """Close an outline."""
        if name != "Spot" or self._outlined is None:
            return
        spot, points = self._outlined
        self._outlined = None
        try:
            numbers = np.array("".join(self._text).split(), np.float64)
        except ValueError as error:
            raise InputError(f"{spot.where}: its outline holds no numbers") from error
        if len(numbers) != 2 * points or points < 3 or not np.isfinite(numbers).all():
            raise InputError(
                f"{spot.where}: its outline has {len(numbers)} numbers, ROI_N_POINTS "
                f"says {points} points"
            )
        spot.outline = numbers.reshape(-1, 2)[:, ::-1]

    def _spot(self, attributes: AttributesImpl) -> None:
        if self._number(attributes, "VISIBILITY", int, 1) == 0:
            return
        key = self._number(attributes, "ID", int)
        if key in self.spots:
            raise InputError(
                f"{self.where}: spot {key} is there already: {self.spots[key].where}"
            )
        spot = Spot(
            self.where,
            self._number(attributes, "FRAME", int),
            self._number(attributes, "POSITION_Y", float),
            self._number(attributes, "POSITION_X", float),
            self._number(attributes, "RADIUS", float, 0.0),
        )
        self.spots[key] = spot
        points = self._number(attributes, "ROI_N_POINTS", int, 0)
        if points:
            self._outlined, self._text = (spot, points), []

    def _begin_track(self, attributes: AttributesImpl) -> None:
        self._track = self._number(attributes, "TRACK_ID", int)

    def _edge(self, attributes: AttributesImpl) -> None:
        ends = (
            self._number(attributes, "SPOT_SOURCE_ID", int),
            self._number(attributes, "SPOT_TARGET_ID", int),
        )
        self.links.setdefault(self._track, []).append(Link(self.where, *ends))

    def _filter(self, _attributes: AttributesImpl) -> None:
        self.visible = set()

    def _show_track(self, attributes: AttributesImpl) -> None:
        if self.visible is not None:
            self.visible.add(self._number(attributes, "TRACK_ID", int))

    def _image(self, attributes: AttributesImpl) -> None:
        if self._number(attributes, "nslices", int, 1) > 1:
            raise InputError(
                f"{self.where}: the movie has planes in z; give tracks of a movie of "
                "single planes"
            )
        self.settings = Settings(
            self._number(attributes, "width", int),
            self._number(attributes, "height", int),
            self._number(attributes, "nframes", int),
            self._number(attributes, "pixelheight", float, 1.0),
            self._number(attributes, "pixelwidth", float, 1.0),
        )

    def _number(
        self,
        attributes: AttributesImpl,
        name: str,
        kind: Callable[[str], Value],
        default: Value | None = None,
    ) -> Value:
        text = attributes.get(name)
        if text is None and default is not None:
            return default
        try:
            value = kind(text or "")
        except ValueError:
            value = kind("0")
            text = None
        if text is None or not math.isfinite(value):
            raise InputError(f"{self.where}: {name} is missing or no number")
        return value


def read_trackmate(path: Path) -> TrackedLabels:
    """Open a file that TrackMate saved; masks are the spots' outlines, or circles.

    Spots and tracks that TrackMate's filters hide are left out. Where spots overlap,
    the smaller one has the pixels.

    Raises
    ------
    InputError
        If it is no such file, or contradicts itself; the message names the line and the
        frame.
    """
    document = _Document(path)
    try:
        refuse_pipe(path)
        with path.open("rb") as file:
            sax.parse(file, document)
    except (sax.SAXException, OSError, ValueError, LookupError) as error:
        raise InputError(f"{path}: cannot be read as XML: {error}") from error
    settings = document.settings
    if settings is None or not document.spots:
        what = "no spot" if settings else "no ImageData with the movie's shape"
        raise InputError(f"{path}: holds {what}; give a file that TrackMate saved")
    if min(settings.pixel_height, settings.pixel_width) <= 0:
        raise InputError(f"{path}: the size of a pixel must be above 0")
    spots = _shown(document)
    family = follow(
        {key: Node(spot.where, spot.frame_index) for key, spot in spots.items()},
        (_forward(link, spots) for link in _links(document)),
    )
    by_frame: dict[int, list[tuple[Spot, int]]] = {}
    for key, spot in spots.items():
        if not 0 <= spot.frame_index < settings.frame_count:
            raise InputError(
                f"{spot.where}: is on frame {spot.frame_index}, but the movie has "
                f"{settings.frame_count} frames (nframes)"
            )
        found = by_frame.setdefault(spot.frame_index, [])
        found.append((spot, family.objects[key]))
    return TrackedLabels(
        str(path),
        settings.frame_count,
        (settings.height, settings.width),
        lambda frame: _drawn(settings, by_frame.get(frame, [])),
        family.mothers,
    )


def _links(document: _Document) -> list[Link]:
    """Return the links of the tracks that are shown."""
    return [
        link
        for track, links in document.links.items()
        if document.visible is None or track in document.visible
        for link in links
    ]


def _shown(document: _Document) -> dict[int, Spot]:
    """Return the spots but those of tracks that are hidden."""
    if document.visible is None:
        return document.spots
    hidden = {
        key
        for track, links in document.links.items()
        if track not in document.visible
        for link in links
        for key in (link.source, link.target)
    }
    return {key: spot for key, spot in document.spots.items() if key not in hidden}


def _forward(link: Link, spots: dict[int, Spot]) -> Link:
    """Return a link from the earlier to the later spot: TrackMate's have no arrow."""
    ends = [spots.get(link.source), spots.get(link.target)]
    if ends[0] and ends[1] and ends[0].frame_index > ends[1].frame_index:
        return Link(link.where, link.target, link.source)
    return link


def _drawn(settings: Settings, spots: list[tuple[Spot, int]]) -> np.ndarray:
    """Return ``(Y, X)`` labels: the smaller spot has the pixels of two."""
    shape = settings.height, settings.width
    labels = np.zeros(shape, np.int64)
    drawn = [(_pixels(settings, spot), spot, object_id) for spot, object_id in spots]
    for pixels, _, object_id in sorted(drawn, key=lambda spot: -len(spot[0][0])):
        labels[pixels] = object_id
    left = set(np.unique(labels).tolist())
    for _, spot, object_id in drawn:
        if object_id not in left:
            raise InputError(
                f"{spot.where} (frame {spot.frame_index}): no pixel of the movie is "
                "its own; it lies outside, is too small, or is covered by smaller ones"
            )
    return labels


def _pixels(settings: Settings, spot: Spot) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of a spot; the centre of the first pixel is (0, 0)."""
    shape = settings.height, settings.width
    size = np.array([settings.pixel_height, settings.pixel_width])
    with np.errstate(over="ignore"):
        centre = np.array([spot.y, spot.x]) / size
        radius = spot.radius / math.sqrt(math.prod(size))
        around = np.zeros((1, 2)) if spot.outline is None else spot.outline / size
    farthest = max(np.abs(centre).max(), radius, np.abs(around).max())
    if not 0 <= radius <= farthest <= FAR:
        raise InputError(
            f"{spot.where} (frame {spot.frame_index}): lies, or reaches, farther than "
            "any movie does; check its numbers and the size of a pixel"
        )
    if spot.outline is not None:
        y, x = (around + centre).T
        rows, columns = polygon(y, x, shape=shape)  # type: ignore[no-untyped-call]
    else:
        rows, columns = disk(centre, max(radius, 0.5), shape=shape)  # type: ignore[no-untyped-call]
    return rows, columns
