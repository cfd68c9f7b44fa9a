"""The timeline: a lane per object, to look at, to point at, and to mark in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from qtpy.QtCore import QEvent, QPointF, QSize, Qt, Signal
from qtpy.QtGui import (
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from qtpy.QtWidgets import (
    QAbstractScrollArea,
    QApplication,
    QFrame,
    QScrollBar,
    QToolTip,
    QWidget,
)

from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.ui.timeline.model import Geometry, Hit, Lane, Part, TimeView, lane_of
from napari_sam2.ui.timeline.paint import (
    LaneStyle,
    TimelinePainter,
    lane_picture,
    lane_style,
)

HINTS = {
    Part.RULER: "Drag to go through the movie; double-click to see all of it",
    Part.RANGE_FIRST: "Drag: first frame of the range",
    Part.RANGE_LAST: "Drag: last frame of the range",
}


def lane_text(
    lane: Lane | None,
    hit: Hit,
    tables: ScoreTables | None,
    divisions: Collection[int] = (),
) -> str:
    """Return what is known of a place in the timeline, for a tooltip."""
    if lane is None:
        return HINTS.get(hit.part, "")
    if hit.part is Part.NAME:
        return f"{lane.name} (id {lane.object_id})"
    frame = hit.frame
    facts = [
        f"{lane.name}, frame {frame}",
        _tracked_text(lane.object_id, frame, tables),
    ]
    if frame in lane.click_anchors:
        facts.append("anchor: clicks or a box")
    if frame in lane.mask_anchors:
        facts.append("anchor: a mask")
    if frame in divisions:
        facts.append("a division is proposed: D accepts, Ctrl+D rejects")
    marks = {
        "locked": lane.locked,
        "reviewed": lane.reviewed,
        "out of date": lane.stale,
    }
    facts.extend(text for text, frames in marks.items() if frame in frames)
    return "\n".join(facts)


def _tracked_text(object_id: int, frame: int, tables: ScoreTables | None) -> str:
    if tables is None or object_id not in tables.columns:
        return "not tracked yet"
    column = tables.columns[object_id]
    if not tables.computed()[frame, column]:
        return "not tracked yet"
    trust = f"trust {tables.trust()[frame, column]:.2f}"
    if not tables.presence()[frame, column]:
        return f"absent ({trust})"
    return f"{trust}, {tables.area[frame, column]:.0f} px"


STRIDE = 10
"""Frames that an arrow goes with Shift."""


def frame_after_key(
    key: int, modifiers: Qt.KeyboardModifier, frame_index: int, anchors: Sequence[int]
) -> int | None:
    """Return where a key leads from a frame; None if it has nothing to do with frames.

    Parameters
    ----------
    key, modifiers
        Left and right go a frame, with Shift `STRIDE`; Page Up and Down to the anchor
        before and behind.
    anchors
        Of the chosen object, ascending.
    """
    stride = STRIDE if modifiers & Qt.KeyboardModifier.ShiftModifier else 1
    match key:
        case Qt.Key.Key_Left:
            return frame_index - stride
        case Qt.Key.Key_Right:
            return frame_index + stride
        case Qt.Key.Key_PageUp:
            before = [one for one in anchors if one < frame_index]
            return before[-1] if before else frame_index
        case Qt.Key.Key_PageDown:
            behind = [one for one in anchors if one > frame_index]
            return behind[0] if behind else frame_index
    return None


def lane_after_key(key: int, lane: int | None, lane_count: int) -> int | None:
    """Return the lane above or below; None if the key does not choose lanes."""
    steps = {int(Qt.Key.Key_Up): -1, int(Qt.Key.Key_Down): 1}
    if int(key) not in steps or lane_count == 0:
        return None
    if lane is None:
        return 0
    return min(max(lane + steps[int(key)], 0), lane_count - 1)


LANE_HEIGHT = 18
RULER_HEIGHT = 22
WIDEST_NAMES = 130
NAMES_SHARE = 0.28
"""Of the width, for the names."""

SHOWN_LANES = 8
"""Lanes for which room is asked."""


ZOOM_PER_NOTCH = 1.25
NOTCH = 120
"""Eighths of a degree that a mouse wheel turns in one click."""


class Timeline(QAbstractScrollArea):
    """Shows all objects over time, and asks for what is pointed at.

    Click: go there and choose the lane's object. Drag or Shift+wheel: move in time.
    Wheel: zoom; over the names, or with Ctrl: scroll through the lanes. Drag in the
    ruler: go along. Drag a bracket: mark a range.

    The lanes are one picture, made anew only when something in it has changed.
    """

    frame_requested = Signal(int)
    selection_requested = Signal(object)
    """A tuple of object ids, the one to work on first."""
    range_requested = Signal(int, int)
    """First and last frame of the marked range."""

    def __init__(self) -> None:
        super().__init__()
        self._lanes: tuple[Lane, ...] = ()
        self._objects: dict[int, ObjectState] = {}
        self._tables: ScoreTables | None = None
        self.divisions: Mapping[int, Collection[int]] = {}
        self._view = TimeView.whole(1, 1)
        self._range = (0, 0)
        self._drag_range: tuple[int, int] | None = None
        self._pressed: Hit | None = None
        self._pressed_at = QPointF()
        self._is_dragging = False
        self._frame = 0
        self._selected: tuple[int, ...] = ()
        self._picture: QImage | None = None
        self._style: LaneStyle | None = None
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumHeight(RULER_HEIGHT + LANE_HEIGHT)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._bar.setSingleStep(LANE_HEIGHT)
        self._port.setMouseTracking(True)

    # --- What is shown

    def show_movie(self, frame_count: int) -> None:
        """Show a movie of another length as a whole, all of it in the range."""
        self._view = TimeView.whole(frame_count, self._time_width())
        self._range = (0, self._view.frame_count - 1)
        self._frame = min(self._frame, self._view.frame_count - 1)
        self._renew()

    def show_state(self, state: BookState) -> None:
        """Show the objects of a book."""
        # An object that was not touched is the same one: only changed lanes are new.
        old, self._objects = (
            self._objects,
            {one.object_id: one for one in state.objects},
        )
        lanes = {lane.object_id: lane for lane in self._lanes}
        self._lanes = tuple(
            lanes[number] if old.get(number) is state else lane_of(state)
            for number, state in self._objects.items()
        )
        self._fit_scroll_bar()
        for chosen in self._selected[:1]:  # it may have been chosen before it was there
            if chosen in self._objects and chosen not in old:
                self._scroll_to(chosen)
        self._renew()

    def show_scores(self, tables: ScoreTables | None) -> None:
        """Show presence and trust; call again when a table was written to."""
        self._tables = tables
        self._renew()

    def show_divisions(self, divisions: Mapping[int, Collection[int]]) -> None:
        """Show on which frames objects are proposed to divide, by object."""
        self.divisions = divisions
        self._port.update()

    def show_frame(self, frame_index: int) -> None:
        """Show where the viewer is."""
        self._frame = frame_index
        seen = self._view.showing(frame_index)
        if seen is not self._view and not self._is_dragging:
            self._set_view(seen)
        self._port.update()

    def show_range(self, first: int, last: int) -> None:
        """Show the marked range."""
        self._range = (first, last)
        self._port.update()

    def show_selected(self, object_ids: Iterable[int]) -> None:
        """Show which objects are chosen, and scroll to the first; asks for nothing."""
        ids = tuple(object_ids)
        if ids == self._selected:
            return
        self._selected = ids
        if ids:
            self._scroll_to(ids[0])
        self._renew()

    def show_whole(self) -> None:
        """Zoom out to the whole movie."""
        self._set_view(TimeView.whole(self._view.frame_count, self._time_width()))

    def zoom(self, factor: float) -> None:
        """Zoom around the current frame."""
        x = self._view.x_of(self._frame + 0.5)
        if not 0 <= x <= self._view.width:
            x = self._view.width / 2
        self._set_view(self._view.zoomed(factor, x))

    @property
    def view(self) -> TimeView:
        """The part of the movie that is shown."""
        return self._view

    @property
    def marked(self) -> tuple[int, int]:
        """First and last frame of the range, as it is being dragged."""
        return self._drag_range or self._range

    @property
    def geometry_of_lanes(self) -> Geometry:
        """Where everything lies."""
        return Geometry(
            view=self._view,
            names_width=self._names_width(),
            ruler_height=RULER_HEIGHT,
            lane_height=LANE_HEIGHT,
            lane_count=len(self._lanes),
            scroll=self._bar.value(),
        )

    # --- Painting

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        """Draw the lanes and what lies on them."""
        if self._style is None:
            self._style = lane_style(self._port.palette(), LANE_HEIGHT)
        geometry = self.geometry_of_lanes
        visible = geometry.visible_lanes(self._port.height())
        if self._picture is None:
            self._picture = self._lane_image(visible)
        painter = QPainter(self._port)
        drawing = TimelinePainter(painter, geometry, self._style, self._port)
        drawing.draw_lanes(self._picture, self._lanes, visible, self._selected)
        drawing.draw_divisions(self._lanes, visible, self.divisions)
        drawing.draw_range(self.marked)
        drawing.draw_ruler(self.marked, self._frame)
        drawing.draw_cursor(self._frame)
        painter.end()

    def _lane_image(self, visible: range) -> QImage:
        assert self._style is not None
        ratio = max(1, round(self._port.devicePixelRatioF()))
        style = LaneStyle(
            self._style.background,
            self._style.text,
            self._style.selected,
            LANE_HEIGHT * ratio,
            ratio,
        )
        pixels = lane_picture(
            self._lanes[visible.start : visible.stop],
            self._tables,
            self._view.resized(self._view.width * ratio),
            style,
            frozenset(self._selected),
        )
        height, width, _ = pixels.shape
        image = QImage(
            pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888
        ).copy()
        image.setDevicePixelRatio(ratio)
        return image

    def sizeHint(self) -> QSize:
        """Ask for room for a few lanes."""
        lanes = min(max(3, len(self._lanes)), SHOWN_LANES)
        return QSize(480, RULER_HEIGHT + lanes * LANE_HEIGHT)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Show the same part of the movie on other pixels."""
        assert event is not None
        super().resizeEvent(event)
        self._view = self._view.resized(self._time_width())
        self._fit_scroll_bar()
        self._renew()

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow the theme."""
        assert event is not None
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._style = None
            self._renew()

    def scrollContentsBy(self, _dx: int, _dy: int) -> None:
        """Show other lanes."""
        self._renew()

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
            divisions = self.divisions.get(lane.object_id, ()) if lane else ()
            text = lane_text(lane, hit, self._tables, divisions)
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

    @property
    def _port(self) -> QWidget:
        viewport = self.viewport()
        assert viewport is not None
        return viewport

    @property
    def _bar(self) -> QScrollBar:
        bar = self.verticalScrollBar()
        assert bar is not None
        return bar

    def _scroll_to(self, object_id: int) -> None:
        ids = [lane.object_id for lane in self._lanes]
        if object_id not in ids:
            return
        top = ids.index(object_id) * LANE_HEIGHT
        bar = self._bar
        room = max(LANE_HEIGHT, self._port.height() - RULER_HEIGHT)
        bar.setValue(min(max(bar.value(), top + LANE_HEIGHT - room), top))

    def _fit_scroll_bar(self) -> None:
        room = max(0, self._port.height() - RULER_HEIGHT)
        bar = self._bar
        bar.setRange(0, max(0, len(self._lanes) * LANE_HEIGHT - room))
        bar.setPageStep(room)
        self.updateGeometry()

    def _names_width(self) -> int:
        return min(WIDEST_NAMES, round(NAMES_SHARE * self._port.width()))

    def _time_width(self) -> int:
        return max(1, self._port.width() - self._names_width())

    def _set_view(self, view: TimeView) -> None:
        self._view = view
        self._renew()

    def _renew(self) -> None:
        """Make the picture of the lanes anew, when it is painted next."""
        self._picture = None
        self._port.update()
