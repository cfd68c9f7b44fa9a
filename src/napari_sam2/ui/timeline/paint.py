"""Draws a timeline: the picture of the lanes, and the few things that lie on it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import QPointF, QRect, QRectF, QSize, Qt
from qtpy.QtGui import (
    QColor,
    QFontMetrics,
    QImage,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QPolygonF,
)
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.ui.layers.colors import object_color, trust_colors
from napari_sam2.ui.timeline.model import (
    Geometry,
    Lane,
    TimeView,
    any_per_pixel,
    least_per_pixel,
    pixels_of,
    spaced,
    tick_step,
)

STALE_STRENGTH = 0.35
HIDDEN_STRENGTH = 0.4
BED_STRENGTH = 0.07
"""How much of its colour a lane keeps."""

HATCH = 5
"""Pixels between the stripes of a lock."""


@dataclass(frozen=True, slots=True)
class LaneStyle:
    """Colours and sizes of lanes.

    Attributes
    ----------
    background, text, selected
        ``(r, g, b)`` in 0…255 from the window's palette.
    height
        Pixels of a lane.
    scale
        Pixels of the screen for each of ours; lines are so many wide.
    """

    background: tuple[int, int, int]
    text: tuple[int, int, int]
    selected: tuple[int, int, int]
    height: int
    scale: int = 1

    @property
    def band(self) -> slice:
        """Rows of a lane that show trust."""
        return slice(3 * self.scale, self.height - 5 * self.scale)

    @property
    def line(self) -> slice:
        """Rows in the middle, which show that the object is known to be absent."""
        middle = (self.band.start + self.band.stop) // 2
        return slice(middle - self.scale // 2, middle - self.scale // 2 + self.scale)

    @property
    def ticks(self) -> slice:
        """Rows under the band, which show that a frame was reviewed."""
        return slice(self.height - 4 * self.scale, self.height - 2 * self.scale)

    def mixed(self, share: float) -> np.ndarray:
        """Return a colour between background (0) and text (1)."""
        ends = np.array([self.background, self.text], np.float32)
        return _mix(ends[0], ends[1], share)


def lane_picture(
    lanes: Sequence[Lane],
    tables: ScoreTables | None,
    view: TimeView,
    style: LaneStyle,
    selected: frozenset[int] = frozenset(),
) -> np.ndarray:
    """Return the picture of some lanes, one below the other.

    Parameters
    ----------
    tables
        Presence and trust; None if nothing is known yet.

    Returns
    -------
    ``(lanes × height, width, 4)`` uint8 RGBA.
    """
    count, width = len(lanes), view.width
    ground = _grounds(lanes, style, selected)
    trust, present, computed = _known(lanes, tables, view)
    band = _band_colors(lanes, trust, ground, view)
    # A pixel is one number, so that a row of a lane is copied at once.
    picture = np.empty((count, style.height, width), np.uint32)
    picture[...] = packed(ground)[:, None, None]
    bed = packed(_mix(ground, style.mixed(1), BED_STRENGTH))
    picture[:, style.band] = np.where(present, packed(band), bed[:, None])[:, None]
    absent = (computed & ~present)[:, None]
    np.copyto(picture[:, style.line], packed(style.mixed(0.55)), where=absent)
    _hatch(picture[:, style.band], _pixels(lanes, "locked", view), style)
    reviewed = _pixels(lanes, "reviewed", view)[:, None]
    np.copyto(picture[:, style.ticks], packed(style.mixed(0.9)), where=reviewed)
    return picture.view(np.uint8).reshape(count * style.height, width, 4)


def packed(colors: np.ndarray) -> np.ndarray:
    """Return colours ``(…, 3)`` in 0…255 as ``(…)`` uint32, whose bytes are RGBA."""
    rgba = np.full((*colors.shape[:-1], 4), 255, np.uint8)
    rgba[..., :3] = colors
    return rgba.view(np.uint32)[..., 0]


def _grounds(
    lanes: Sequence[Lane], style: LaneStyle, selected: frozenset[int]
) -> np.ndarray:
    """Return ``(lanes, 3)`` float32 colours on which the lanes are drawn."""
    colors = [
        style.selected if lane.object_id in selected else style.background
        for lane in lanes
    ]
    return np.array(colors, np.float32).reshape(len(lanes), 3)


def _band_colors(
    lanes: Sequence[Lane], trust: np.ndarray, ground: np.ndarray, view: TimeView
) -> np.ndarray:
    """Return ``(lanes, width, 3)`` colours of trust, pale where it is out of date."""
    strength = np.where(_pixels(lanes, "stale", view), STALE_STRENGTH, 1.0)
    hidden = np.array([lane.is_hidden for lane in lanes], bool)
    strength[hidden] *= HIDDEN_STRENGTH
    strength = strength[..., None].astype(np.float32)
    return _mix(ground[:, None], trust_colors(trust), strength)


def _known(
    lanes: Sequence[Lane], tables: ScoreTables | None, view: TimeView
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``(lanes, width)`` least trust, presence, and whether it is known."""
    trust = np.full((len(lanes), view.width), np.nan, np.float32)
    present, computed = np.zeros((2, len(lanes), view.width), bool)
    if tables is None:
        return trust, present, computed
    known = [row for row, x in enumerate(lanes) if x.object_id in tables.columns]
    columns = [tables.columns[lanes[row].object_id] for row in known]
    if not columns:
        return trust, present, computed
    window = slice(*view.window)
    there = tables.presence()[window][:, columns]
    values = np.where(there, tables.trust()[window][:, columns], np.nan)
    trust[known] = least_per_pixel(values, view).T
    present[known] = any_per_pixel(there, view).T
    computed[known] = any_per_pixel(tables.computed()[window][:, columns], view).T
    return trust, present, computed


def _pixels(lanes: Sequence[Lane], name: str, view: TimeView) -> np.ndarray:
    rows = [pixels_of(getattr(lane, name), view) for lane in lanes]
    return np.array(rows, bool).reshape(len(lanes), view.width)


def _hatch(band: np.ndarray, locked: np.ndarray, style: LaneStyle) -> None:
    """Draw stripes over the ``(lanes, rows, width)`` bands of locked frames."""
    if not locked.any():
        return
    y, x = np.ogrid[: band.shape[1], : band.shape[2]]
    stripe = (x + y) % (HATCH * style.scale) < style.scale
    np.copyto(band, packed(style.mixed(1)), where=stripe & locked[:, None])


def _mix(below: np.ndarray, above: np.ndarray, share: float | np.ndarray) -> np.ndarray:
    result: np.ndarray = below + (above - below) * share
    return result


SWATCH = 9
DOT = 3.2
"""Radius of an anchor's dot."""
FORK = 5.0
"""Length of a prong where a division is proposed."""

ANCHOR_SPACING = 3
"""Pixels that have one dot at most."""

TICK_SPACING = 55
FLAG_WIDTH, BRACKET_WIDTH = 34, 10
"""Pixels on either side of the current frame, and of a bracket, without numbers."""

OUTSIDE_STRENGTH = 170
"""Opacity in 0…255 of the veil over what lies outside the range."""


def lane_style(palette: QPalette, height: int) -> LaneStyle:
    """Return the style of lanes in a window of this palette."""
    background = palette.color(QPalette.ColorRole.Base)
    text = palette.color(QPalette.ColorRole.Text)
    selected = palette.color(QPalette.ColorRole.Highlight)
    return LaneStyle(_rgb(background), _rgb(text), _rgb(selected), height)


def _rgb(color: QColor) -> tuple[int, int, int]:
    return color.red(), color.green(), color.blue()


class TimelinePainter:
    """Draws the parts of one timeline."""

    def __init__(
        self, painter: QPainter, geometry: Geometry, style: LaneStyle, viewport: QWidget
    ) -> None:
        self._painter = painter
        self._geometry = geometry
        self._style = style
        self._size = viewport.size()
        self._text = QColor(*style.text)
        self._faint = self._mixed(0.55)
        painter.fillRect(viewport.rect(), QColor(*style.background))

    def draw_lanes(
        self,
        picture: QImage,
        lanes: Sequence[Lane],
        visible: range,
        selected: Iterable[int],
    ) -> None:
        """Draw the picture of the visible lanes, their names and anchors."""
        geometry, chosen = self._geometry, set(selected)
        if not visible:
            return
        top = geometry.lane_top(visible.start)
        self._clip(self._below_ruler())
        self._painter.drawImage(QPointF(geometry.names_width, top), picture)
        for number in visible:
            self._draw_name(lanes[number], number, lanes[number].object_id in chosen)
        self._clip(self._below_ruler(geometry.names_width))
        self._painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for number in visible:
            self._draw_anchors(lanes[number], number)
        self._painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        self._painter.setClipping(False)

    def draw_divisions(
        self,
        lanes: Sequence[Lane],
        visible: range,
        divisions: Mapping[int, Collection[int]],
    ) -> None:
        """Draw a fork where an object is proposed to divide."""
        painter, geometry = self._painter, self._geometry
        self._clip(self._below_ruler(geometry.names_width))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._text, 2))
        band = self._style.band
        for number in visible:
            frames = np.array(sorted(divisions.get(lanes[number].object_id, ())), int)
            y = geometry.lane_top(number) + (band.start + band.stop) / 2
            for x in self._places(frames):
                for end in (-FORK, FORK):
                    painter.drawLine(QPointF(x - FORK, y), QPointF(x, y))
                    painter.drawLine(QPointF(x, y), QPointF(x + FORK, y + end))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setClipping(False)

    def draw_range(self, marked: tuple[int, int]) -> None:
        """Draw a veil over what lies outside the range."""
        left, right = self._edges(marked)
        veil = QColor(*self._style.background)
        veil.setAlpha(OUTSIDE_STRENGTH)
        area = self._below_ruler(self._geometry.names_width)
        self._clip(area)
        self._painter.fillRect(
            QRectF(area.left(), area.top(), left - area.left(), area.height()), veil
        )
        self._painter.fillRect(
            QRectF(right, area.top(), area.right() + 1 - right, area.height()), veil
        )
        self._painter.setClipping(False)

    def draw_ruler(self, marked: tuple[int, int], current: int) -> None:
        """Draw the range's brackets, and frame numbers where there is room."""
        geometry, painter = self._geometry, self._painter
        view, height = geometry.view, geometry.ruler_height
        area = QRect(geometry.names_width, 0, view.width, height)
        self._clip(area)
        step = tick_step(view, TICK_SPACING)
        first, stop = view.window
        flag = geometry.names_width + view.x_of(current + 0.5)
        left, right = self._edges(marked)
        taken = ((flag, FLAG_WIDTH), (left, BRACKET_WIDTH), (right, BRACKET_WIDTH))
        font = painter.font()
        font.setPixelSize(10)
        painter.setFont(font)
        for frame in range(first // step * step, stop, step):
            x = geometry.names_width + view.x_of(frame + 0.5)
            painter.setPen(self._faint)
            painter.drawLine(QPointF(x, height - 5), QPointF(x, height - 2))
            painter.setPen(self._text)
            is_taken = any(abs(x - place) < room for place, room in taken)
            if is_taken or x < area.left():
                continue
            half = painter.fontMetrics().horizontalAdvance(str(frame)) / 2 + 1
            middle = max(x, area.left() + half)
            label = QRectF(middle - half, 1, 2 * half, height - 6)
            painter.drawText(label, Qt.AlignmentFlag.AlignCenter, str(frame))
        painter.setClipping(False)
        painter.setPen(self._mixed(0.25))
        painter.drawLine(0, height - 1, self._size.width(), height - 1)
        self._clip(area.adjusted(-2, 0, 2, 0))
        self._draw_bracket(left + 0.5, 1)
        self._draw_bracket(right - 0.5, -1)
        painter.setClipping(False)

    def draw_cursor(self, frame_index: int) -> None:
        """Draw the line, and the place in the ruler, of the current frame."""
        geometry, painter = self._geometry, self._painter
        x = geometry.names_width + geometry.view.x_of(frame_index + 0.5)
        self._clip(QRect(geometry.names_width, 0, geometry.view.width, 1 << 14))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        label = str(frame_index)
        metrics = QFontMetrics(painter.font())
        width = metrics.horizontalAdvance(label) + 8
        left = min(
            max(x - width / 2, geometry.names_width),
            geometry.names_width + geometry.view.width - width,
        )
        flag = QRectF(left, 2, width, geometry.ruler_height - 6)
        painter.setPen(QPen(QColor(*self._style.background), 3))
        bottom = QPointF(x, self._size.height())
        painter.drawLine(QPointF(x, flag.bottom()), bottom)
        painter.setPen(QPen(self._text, 1.2))
        painter.drawLine(QPointF(x, flag.bottom()), bottom)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._text)
        painter.drawRoundedRect(flag, 3, 3)
        painter.setPen(QColor(*self._style.background))
        painter.drawText(flag, Qt.AlignmentFlag.AlignCenter, label)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setClipping(False)

    # --- Parts

    def _draw_name(self, lane: Lane, number: int, is_selected: bool) -> None:
        geometry, painter = self._geometry, self._painter
        top, height = geometry.lane_top(number), geometry.lane_height
        if is_selected:
            ground = QColor(*self._style.selected)
            painter.fillRect(0, top, geometry.names_width, height, ground)
        color = _color_of(lane)
        margin = (height - SWATCH) // 2
        swatch = QRect(margin, top + margin, SWATCH, SWATCH)
        if lane.is_hidden:
            painter.setPen(color)
            painter.drawRect(swatch.adjusted(0, 0, -1, -1))
        else:
            painter.fillRect(swatch, color)
        font = painter.font()
        font.setPixelSize(11)
        font.setBold(is_selected)
        font.setItalic(lane.is_hidden)
        painter.setFont(font)
        painter.setPen(self._faint if lane.is_hidden else self._text)
        left = swatch.right() + margin + 1
        room = geometry.names_width - left - 4
        name = QFontMetrics(font).elidedText(
            lane.name, Qt.TextElideMode.ElideRight, room
        )
        painter.drawText(
            QRect(left, top, room, height), Qt.AlignmentFlag.AlignVCenter, name
        )

    def _draw_anchors(self, lane: Lane, number: int) -> None:
        painter = self._painter
        color = _color_of(lane)
        painter.setBrush(color)
        painter.setPen(QPen(self._text, 1.2))
        band = self._style.band
        y = self._geometry.lane_top(number) + (band.start + band.stop) / 2
        for x in self._places(lane.click_anchors):
            painter.drawEllipse(QPointF(x, y), DOT, DOT)
        for x in self._places(lane.mask_anchors):
            r = DOT + 1
            corners = ((x, y - r), (x + r, y), (x, y + r), (x - r, y))
            painter.drawPolygon(QPolygonF([QPointF(*corner) for corner in corners]))

    def _places(self, anchors: np.ndarray) -> list[float]:
        geometry = self._geometry
        found = spaced(anchors, geometry.view, ANCHOR_SPACING) + geometry.names_width
        places: list[float] = found.tolist()
        return places

    def _draw_bracket(self, x: float, direction: int) -> None:
        height = self._geometry.ruler_height
        foot = 4 * direction
        self._painter.setPen(QPen(self._text, 2))
        self._painter.drawPolyline(
            QPolygonF(
                [
                    QPointF(x + foot, 3),
                    QPointF(x, 3),
                    QPointF(x, height - 3),
                    QPointF(x + foot, height - 3),
                ]
            )
        )

    def _edges(self, marked: tuple[int, int]) -> tuple[float, float]:
        view, names = self._geometry.view, self._geometry.names_width
        return names + view.x_of(marked[0]), names + view.x_of(marked[1] + 1)

    def _below_ruler(self, left: int = 0) -> QRect:
        top = self._geometry.ruler_height
        return QRect(left, top, self._size.width() - left, self._size.height() - top)

    def _clip(self, area: QRect) -> None:
        self._painter.setClipRect(area)

    def _mixed(self, share: float) -> QColor:
        red, green, blue = self._style.mixed(share).tolist()
        return QColor(int(red), int(green), int(blue))


def _color_of(lane: Lane) -> QColor:
    rgba = lane.color or object_color(lane.object_id)
    return QColor.fromRgbF(*map(float, rgba))


BAR_WIDTH, BAR_HEIGHT = 60, 8
TEXT_WIDTH = 52


class TrustScale(QWidget):
    """A bar from doubtful to sure."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Trust of a mask. A pixel shows the least trusted of its frames.\n"
            "● anchor: clicks or a box   ◆ anchor: a mask\n"
            "thin line: absent   stripes: locked   line below: reviewed\n"
            "pale: out of date, to be tracked again"
        )

    def sizeHint(self) -> QSize:
        """Ask for room for the bar and both words."""
        return QSize(BAR_WIDTH + 2 * TEXT_WIDTH, 16)

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        """Draw the bar."""
        painter = QPainter(self)
        font = painter.font()
        font.setPixelSize(10)
        painter.setFont(font)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        height = self.height()
        ends = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(
            QRect(0, 0, TEXT_WIDTH - 4, height),
            ends | Qt.AlignmentFlag.AlignRight,
            "doubtful",
        )
        painter.drawText(
            QRect(TEXT_WIDTH + BAR_WIDTH + 4, 0, TEXT_WIDTH, height), ends, "sure"
        )
        colors = trust_colors(np.linspace(0, 1, BAR_WIDTH))
        top = (height - BAR_HEIGHT) // 2
        for x, (red, green, blue) in enumerate(colors.tolist()):
            color = QColor(int(red), int(green), int(blue))
            painter.fillRect(TEXT_WIDTH + x, top, 1, BAR_HEIGHT, color)
        painter.end()
