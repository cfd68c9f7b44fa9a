"""The timeline: a lane per object, to look at, to point at, and to mark in."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QPointF, Qt, Signal
from qtpy.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QApplication, QToolTip, QWidget

from napari_sam2.ui.timeline.keys import frame_after_key, lane_after_key
from napari_sam2.ui.timeline.lanes import LANE_HEIGHT, LaneView
from napari_sam2.ui.timeline.model import Hit, Part
from napari_sam2.ui.timeline.text import lane_text

ZOOM_PER_NOTCH = 1.25
NOTCH = 120
"""Eighths of a degree that a mouse wheel turns in one click."""


class Timeline(LaneView):
    """Shows all objects over time, and asks for what is pointed at.

    Click: go there and choose the lane's object. Drag or Shift+wheel: move in time.
    Wheel: zoom; over the names, or with Ctrl: scroll through the lanes. Drag in the
    ruler: go along. Drag a bracket: mark a range.
    """

    frame_requested = Signal(int)
    selection_requested = Signal(object)
    """A tuple of object ids, the one to work on first."""
    range_requested = Signal(int, int)
    """First and last frame of the marked range."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pressed: Hit | None = None
        self._pressed_at = QPointF()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._port.setMouseTracking(True)

    # --- Mouse

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Begin a click or a drag."""
        assert event is not None
        if event.button() != Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)
            return
        self._pressed, self._pressed_at = self._hit(event), event.position()
        self._is_dragging = False
        if self._pressed.part is Part.RULER:
            self._request_frame(self._pressed.frame)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Go along, mark a range, or move the movie."""
        assert event is not None
        pressed = self._pressed
        if pressed is None:
            self._show_cursor_for(self._hit(event).part)
            return
        x = event.position().x() - self._names_width()
        if pressed.part is Part.RULER:
            self._request_frame(self._view.frame_at(x))
        elif pressed.part is Part.RANGE_FIRST:
            frame = min(self._view.frame_at(x), self._range[1])
            self._drag_range = (frame, self._range[1])
        elif pressed.part is Part.RANGE_LAST:
            frame = max(self._view.frame_at(x - 1), self._range[0])
            self._drag_range = (self._range[0], frame)
        elif pressed.part is not Part.NAME:
            self._drag_lanes(event.position())
        self._port.update()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Go there and choose the lane, or ask for the range that was marked."""
        assert event is not None
        pressed, was_dragging = self._pressed, self._is_dragging
        self._pressed, self._is_dragging = None, False
        if self._drag_range is not None:
            first, last = self._drag_range
            self._drag_range = None
            if (first, last) != self._range:
                self.show_range(first, last)
                self.range_requested.emit(first, last)
            return
        if pressed is None or was_dragging or pressed.lane is None:
            return
        adds = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        self._request_selection(self._lanes[pressed.lane].object_id, adds=bool(adds))
        if pressed.part is Part.LANE:
            self._request_frame(pressed.frame)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Show the whole movie, in the ruler; else it is a click."""
        assert event is not None
        if self._hit(event).part is Part.RULER:
            self.show_whole()
        else:
            self.mousePressEvent(event)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Zoom, move in time, or scroll through the lanes."""
        assert event is not None
        turned, modifiers = event.angleDelta(), event.modifiers()
        over_names = event.position().x() < self._names_width()
        if modifiers & Qt.KeyboardModifier.ControlModifier or over_names:
            # By the scroll bar alone: Ctrl would make it scroll by pages.
            bar = self._bar
            bar.setValue(bar.value() - round(turned.y() / NOTCH * 2 * LANE_HEIGHT))
        elif modifiers & Qt.KeyboardModifier.ShiftModifier or turned.x():
            self._set_view(self._view.panned((turned.x() or turned.y()) / 2))
        else:
            factor = ZOOM_PER_NOTCH ** (turned.y() / NOTCH)
            x = event.position().x() - self._names_width()
            self._set_view(self._view.zoomed(factor, x))
        event.accept()

    def _drag_lanes(self, position: QPointF) -> None:
        moved = position - self._pressed_at
        if not self._is_dragging:
            least = QApplication.startDragDistance()
            self._is_dragging = moved.manhattanLength() >= least
        if self._is_dragging:
            self._pressed_at = position
            self._set_view(self._view.panned(moved.x()))
            bar = self._bar
            bar.setValue(bar.value() - round(moved.y()))

    def _show_cursor_for(self, part: Part) -> None:
        is_handle = part in (Part.RANGE_FIRST, Part.RANGE_LAST)
        shape = Qt.CursorShape.SplitHCursor if is_handle else Qt.CursorShape.ArrowCursor
        self._port.setCursor(shape)

    def viewportEvent(self, event: QEvent | None) -> bool:
        """Say what lies under the mouse."""
        assert event is not None
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            at = event.pos()
            hit = self.geometry_of_lanes.hit(at.x(), at.y(), self.marked)
            lane = None if hit.lane is None else self._lanes[hit.lane]
            text = lane_text(lane, hit, self._tables)
            QToolTip.showText(event.globalPos(), text, self._port)
            return True
        return bool(super().viewportEvent(event))

    # --- Keys

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Do without a mouse what can be done with it."""
        assert event is not None
        ids = [lane.object_id for lane in self._lanes]
        chosen = [ids.index(one) for one in self._selected if one in ids]
        lane = lane_after_key(event.key(), chosen[0] if chosen else None, len(ids))
        if lane is not None:
            self._request_selection(ids[lane], adds=False)
            return
        anchors = self._lanes[chosen[0]].anchors if chosen else []
        last = self._view.frame_count - 1
        if event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._request_frame(0 if event.key() == Qt.Key.Key_Home else last)
            return
        frame = frame_after_key(event.key(), event.modifiers(), self._frame, anchors)
        if frame is not None:
            self._request_frame(min(max(frame, 0), last))
            return
        if not self._zoom_or_mark(event.key()):
            super().keyPressEvent(event)

    def _zoom_or_mark(self, key: int) -> bool:
        """Return whether a key means one of these, after doing it."""
        match key:
            case Qt.Key.Key_Plus | Qt.Key.Key_Equal:
                self.zoom(ZOOM_PER_NOTCH)
            case Qt.Key.Key_Minus:
                self.zoom(1 / ZOOM_PER_NOTCH)
            case Qt.Key.Key_0:
                self.show_whole()
            case Qt.Key.Key_BracketLeft:
                self.range_requested.emit(self._frame, max(self._frame, self._range[1]))
            case Qt.Key.Key_BracketRight:
                self.range_requested.emit(min(self._frame, self._range[0]), self._frame)
            case _:
                return False
        return True

    # --- Steps

    def _hit(self, event: QMouseEvent) -> Hit:
        at = event.position()
        return self.geometry_of_lanes.hit(at.x(), at.y(), self._range)

    def _request_frame(self, frame_index: int) -> None:
        if frame_index != self._frame:
            self.frame_requested.emit(frame_index)

    def _request_selection(self, object_id: int, *, adds: bool) -> None:
        others = tuple(one for one in self._selected if one != object_id)
        if not adds:
            wanted: tuple[int, ...] = (object_id,)
        elif len(others) < len(self._selected):
            wanted = others
        else:
            wanted = (object_id, *others)
        if wanted != self._selected:
            self.show_selected(wanted)
            self.selection_requested.emit(wanted)
