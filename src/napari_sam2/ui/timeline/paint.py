"""Draws a timeline: the picture of the lanes, and the few things that lie on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from qtpy.QtCore import QPointF, QRect, QRectF, Qt
from qtpy.QtGui import (
    QColor,
    QFontMetrics,
    QImage,
    QPainter,
    QPalette,
    QPen,
    QPolygonF,
)
from qtpy.QtWidgets import QWidget

from napari_sam2.ui.layers.colors import object_color
from napari_sam2.ui.timeline.image import LaneStyle
from napari_sam2.ui.timeline.model import Geometry, Lane, spaced, tick_step

SWATCH = 9
DOT = 3.2
"""Radius of an anchor's dot."""

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
    """Draws the parts of one timeline.

    Parameters
    ----------
    painter
        On the timeline's viewport.
    geometry, style
        Where things lie, and their colours.
    viewport
        The widget that is painted on.
    """

    def __init__(
        self,
        painter: QPainter,
        geometry: Geometry,
        style: LaneStyle,
        viewport: QWidget,
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
