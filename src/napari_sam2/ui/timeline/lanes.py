"""The lanes of a timeline as a widget that only shows."""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent
from qtpy.QtWidgets import QAbstractScrollArea, QFrame, QScrollBar, QWidget

from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.ui.timeline.image import LaneStyle, lane_picture
from napari_sam2.ui.timeline.model import Geometry, Lane, TimeView, lane_of
from napari_sam2.ui.timeline.paint import TimelinePainter, lane_style

LANE_HEIGHT = 18
RULER_HEIGHT = 22
WIDEST_NAMES = 130
NAMES_SHARE = 0.28
"""Of the width, for the names."""

SHOWN_LANES = 8
"""Lanes for which room is asked."""


class LaneView(QAbstractScrollArea):
    """Shows presence, trust, anchors, locks and reviews of all objects over time.

    The lanes are one picture, made anew only when something in it has changed.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lanes: tuple[Lane, ...] = ()
        self._things: dict[int, ObjectState] = {}
        self._tables: ScoreTables | None = None
        self._view = TimeView.whole(1, 1)
        self._range = (0, 0)
        self._drag_range: tuple[int, int] | None = None
        self._is_dragging = False
        self._frame = 0
        self._selected: tuple[int, ...] = ()
        self._picture: QImage | None = None
        self._style: LaneStyle | None = None
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumHeight(RULER_HEIGHT + 3 * LANE_HEIGHT)
        self._bar.setSingleStep(LANE_HEIGHT)

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
        old, self._things = self._things, {one.object_id: one for one in state.objects}
        lanes = {lane.object_id: lane for lane in self._lanes}
        self._lanes = tuple(
            lanes[number] if old.get(number) is thing else lane_of(thing)
            for number, thing in self._things.items()
        )
        self._fit_scroll_bar()
        self._renew()

    def show_scores(self, tables: ScoreTables | None) -> None:
        """Show presence and trust; call again when a table was written to."""
        self._tables = tables
        self._renew()

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

    # --- Steps

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
