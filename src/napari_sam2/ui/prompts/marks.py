"""Prompts as marks that can be seen, moved and deleted: clicks and boxes in layers.

The book is the truth; the marks are a view of it that can be edited. What a person
changes in them is asked for, and what the book says then is shown.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari.layers import Points
from qtpy.QtCore import QObject, Signal

from napari_sam2.engine.movie.axes import LayerAxes
from napari_sam2.errors import InputError
from napari_sam2.prompts import Place
from napari_sam2.session.book.state import BookState, Color
from napari_sam2.ui.keys.bindings import ToolKeys
from napari_sam2.ui.keys.keys import Ground
from napari_sam2.ui.layers.colors import own_colors
from napari_sam2.ui.prompts.mark_layers import (
    MARK_PIXELS,
    BoxView,
    PointView,
    add_points_layer,
    adopt_points_layer,
)
from napari_sam2.ui.prompts.mark_rows import (
    Marks,
    changed_places,
    edits_between,
    marks_of,
)
from napari_sam2.ui.tool.gestures import gives_up_mask
from napari_sam2.ui.widgets.connections import Connections
from napari_sam2.ui.widgets.timers import single_shot

if TYPE_CHECKING:
    from napari.layers import Image, Layer, Shapes
    from napari.viewer import Viewer

SETTLING_MS = 40
"""A click, or a drag, has come to rest after so many milliseconds."""


class PromptMarks(QObject):
    """Shows all clicks and boxes of the book, and asks for what people make of them."""

    changes_requested = Signal(list, list, str)
    """One step: `FramePrompt`s to be said, ``(object_id, frame)`` about which nothing
    is said any more, and what the step is called."""
    told = Signal(str)
    """Something that the person should know."""

    def __init__(self, viewer: Viewer, keys: ToolKeys, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._keys = keys
        self._image: Image | None = None
        self._axes: LayerAxes | None = None
        self._points: PointView | None = None
        self._boxes: BoxView | None = None
        self._book = BookState()
        self._colors: dict[int, Color] = {}
        self._baseline = Marks()
        self._object_id = 1
        self._is_positive = True
        self._is_writing = False
        self._is_held = False
        self._lacks_layer = False
        self._complaint = ""
        self._timer = single_shot(self, self._on_settled, SETTLING_MS)
        self._events = Connections()
        self._events.add(viewer.layers.events.removed, self._on_layer_removed)
        self._events.add(viewer.dims.events.current_step, self._fit_marks)

    @property
    def points(self) -> Points | None:
        """The layer of clicks: ours, or one of the person's own."""
        return None if self._points is None else self._points.layer

    @property
    def boxes(self) -> Shapes | None:
        """The layer of boxes."""
        return None if self._boxes is None else self._boxes.layer

    @property
    def is_settled(self) -> bool:
        """Whether all that a person changed in the layers has been asked for."""
        return not self._timer.isActive()

    # --- What it is told

    def show_on(self, image: Image, axes: LayerAxes) -> None:
        """Put marks on another movie; marks on the one before are taken away."""
        is_same = self._image is not None and self._image.unique_id == image.unique_id
        if is_same and self._axes == axes:
            return
        self._take_away()
        self._image, self._axes = image, axes
        self._show()

    def add_points(self) -> Points:
        """Return the layer of clicks, made if there is none, with its adding tool on.

        Raises
        ------
        InputError
            If no movie is chosen.
        """
        if self._points is None:
            self._add_points()
        if self._points is None:
            raise InputError("Choose a movie first: clicks are put on it")
        layer = self._points.layer
        self._viewer.layers.selection.active = layer
        layer.mode = "add"
        return layer

    def use_points(self, points: Points) -> None:
        """Show clicks in a layer of the person's own, and ask for those that it has.

        Raises
        ------
        InputError
            If no movie is chosen, or the layer does not say the frame of its points.
        """
        if self._points is not None and self._points.is_on(points):
            return
        if self._image is None or self._axes is None:
            raise InputError("Choose a movie first: clicks are put on it")
        if points.ndim < self._image.ndim:
            raise InputError(
                f"{points.name} has {points.ndim} dimensions, {self._image.name} has "
                f"{self._image.ndim}: use a points layer that says the frame"
            )
        self._drop_points()
        adopt_points_layer(points, self._book.next_id)
        self._watch_points(PointView(points, self._image, self._axes, is_own=False))
        self._baseline = replace(self._baseline, points={})
        self._on_settled()

    def show_book(self, book: BookState) -> None:
        """Show what is said now; what a person has just moved is asked for first."""
        before = self._book
        if not book.is_colored_as(before):
            self._show_colors(own_colors(book))
        places = changed_places(before, book)
        if places and self._timer.isActive():
            self._on_settled()
            if self._book is not before:
                return  # what was asked for is in a later book, and shown
        self._book = book
        if places:
            self._show(places)

    def show_selected(self, object_id: int, *, is_positive: bool = True) -> None:
        """Say what marks that are set by hand are about."""
        self._object_id, self._is_positive = object_id, is_positive
        for view in (self._points, self._boxes):
            if view is not None:
                self._set_next(view)

    def leave(self, layer_id: Hashable) -> None:
        """Take marks away that were put on a layer, which is gone."""
        if self._image is not None and self._image.unique_id == layer_id:
            self._take_away()

    def bring_to_front(self) -> None:
        """Put the marks above all other layers, such as masklets that are new."""
        layers = self._viewer.layers
        active = layers.selection.active
        for view in (self._boxes, self._points):
            if view is not None:
                layers.move(layers.index(view.layer.name), len(layers))
        layers.selection.active = active

    def close(self) -> None:
        """Let go of everything; layers of ours are taken away."""
        self._take_away()
        self._events.close()

    # --- What a person does

    def _on_data(self, event: Any) -> None:
        if self._is_writing:
            return
        self._read_anew()
        # While a mark is being dragged or drawn, nobody else moves the marks.
        self._is_held = str(event.action).endswith("ing")
        if not self._is_held:
            self._timer.start()

    def _on_features(self, _event: Any) -> None:
        if not self._is_writing:
            self._read_anew()
        if not self._is_writing and not self._is_held:
            self._timer.start()

    def _on_settled(self) -> None:
        """Ask for what was changed since; then show what the book says."""
        self._timer.stop()
        if self._axes is None or self._is_held:
            return
        try:
            marks = self._read()
        except InputError as error:
            self.told.emit(str(error))
            return
        edits = edits_between(self._baseline, marks, self._book)
        self._baseline = marks
        if any(gives_up_mask(self._book, prompt) for prompt in edits.prompts):
            self.told.emit("A mask that was drawn gave way; undo brings it back.")
        if edits.prompts or edits.cleared:
            self.changes_requested.emit(
                list(edits.prompts), list(edits.cleared), edits.text
            )
        # Also what was refused is shown as it is; the book's answer came before.
        self._show()

    def _read_anew(self) -> None:
        if self._points is not None:
            self._points.forget()

    def _read(self) -> Marks:
        """Return what the layers say; of one that is gone, what it said last."""
        marks = self._baseline
        if self._points is not None:
            marks = replace(marks, points=self._points.read())
            self._complain(self._points.complaint)
        if self._boxes is not None:
            boxes, masks = self._boxes.read(self._viewer.dims.point, self._object_id)
            marks = replace(marks, boxes=boxes, masks=masks)
        return marks

    def _complain(self, complaint: str) -> None:
        if complaint and complaint != self._complaint:
            self.told.emit(complaint)
        self._complaint = complaint

    # --- What is shown

    def _show(self, places: Collection[Place] | None = None) -> None:
        """Show what the book says, everywhere or at some places."""
        if self._image is None or self._is_held:
            return
        if self._lacks_layer:
            self._lacks_layer, places = False, None
        wanted = marks_of(self._book, places)
        if wanted.points and self._points is None:
            self._add_points()
        if wanted.boxes and self._boxes is None:
            self._add_boxes()
        self._is_writing = True
        try:
            if self._points is not None and self._points.show(wanted.points, places):
                self._set_next(self._points)
            if self._boxes is not None and self._show_boxes(wanted, places):
                self._set_next(self._boxes)
                places = None
            self._baseline = self._seen(places)
        except InputError as error:
            self.told.emit(str(error))
        finally:
            self._is_writing = False
        self._fit_marks()

    def _fit_marks(self, _event: object = None) -> None:
        """Let nothing be drawn on frames without clicks.

        There napari draws a point of no size, which the least size of ours would show.
        """
        view, axes = self._points, self._axes
        if view is None or axes is None or not view.is_own:
            return
        here = axes.frame_at(view.layer.world_to_data(self._viewer.dims.point))
        has_clicks = any(
            frame_index == here for _, frame_index in self._baseline.points
        )
        least, most = MARK_PIXELS
        limits = (least if has_clicks else 0, most)
        if tuple(view.layer.canvas_size_limits) != limits:
            view.layer.canvas_size_limits = limits

    def _show_boxes(self, wanted: Marks, places: Collection[Place] | None) -> bool:
        assert self._boxes is not None
        if places is None:
            return self._boxes.show(wanted.boxes)
        before = self._baseline.boxes
        if {
            place: before[place] for place in places if place in before
        } == wanted.boxes:
            return False
        return self._boxes.show(marks_of(self._book).boxes)

    def _seen(self, places: Collection[Place] | None) -> Marks:
        """Return what is marked now; elsewhere than at some places, what was."""
        if places is None:
            return replace(self._read(), masks={})
        if self._points is None:
            return self._baseline
        before = self._baseline.points
        points = {place: before[place] for place in before if place not in places}
        return replace(self._baseline, points=points | self._points.read(places))

    def _add_points(self) -> None:
        if self._image is None or self._axes is None:
            return
        active = self._viewer.layers.selection.active
        layer = add_points_layer(self._viewer, self._image, self._axes)
        layer.mode = "pan_zoom"
        self._viewer.layers.selection.active = active
        self._watch_points(PointView(layer, self._image, self._axes, is_own=True))

    def _watch_points(self, view: PointView) -> None:
        self._points = view
        self._watch(view, Ground.POINTS)

    def _add_boxes(self) -> None:
        if self._image is None or self._axes is None:
            return
        self._boxes = BoxView.add(self._viewer, self._image, self._axes)
        self._watch(self._boxes, Ground.SHAPES)

    def _show_colors(self, own: dict[int, Color]) -> None:
        if own == self._colors:
            return
        self._colors, self._is_writing = own, True
        for view in (self._points, self._boxes):
            if view is not None:
                view.show_colors(own)
                self._set_next(view)
        self._is_writing = False

    def _watch(self, view: PointView | BoxView, ground: Ground) -> None:
        if self._colors:
            view.show_colors(self._colors)
        self._set_next(view)
        view.events.add(view.layer.events.data, self._on_data)
        view.events.add(view.layer.events.features, self._on_features)
        self._keys.bind(view.layer, ground)

    def _set_next(self, view: PointView | BoxView) -> None:
        view.set_next(self._object_id, is_positive=self._is_positive)

    def _on_layer_removed(self, event: Any) -> None:
        """Forget a layer that is gone; its marks come back with the next change."""
        views = [view for view in (self._points, self._boxes) if view is not None]
        self._lacks_layer |= any(view.is_on(event.value) for view in views)
        if self._points is not None and self._points.is_on(event.value):
            self._forget(self._points)
            self._points = None
        if self._boxes is not None and self._boxes.is_on(event.value):
            self._forget(self._boxes)
            self._boxes = None

    def _take_away(self) -> None:
        self._drop_points()
        if self._boxes is not None:
            self._forget(self._boxes)
            self._remove(self._boxes.layer)
            self._boxes = None
        self._image = self._axes = None
        self._baseline = Marks()
        self._timer.stop()

    def _drop_points(self) -> None:
        if self._points is None:
            return
        view, self._points = self._points, None
        self._forget(view)
        if view.is_own:
            self._remove(view.layer)

    def _forget(self, view: PointView | BoxView) -> None:
        view.events.close()
        self._keys.release(view.layer)
        self._is_held = False

    def _remove(self, layer: Layer) -> None:
        if any(other.unique_id == layer.unique_id for other in self._viewer.layers):
            self._viewer.layers.remove(layer.name)
