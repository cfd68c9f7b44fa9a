"""The tool on the masklets: clicks, boxes and previews on the picture itself.

It is switched on and off like a mode of the layer, but built of public parts: mouse
callbacks, keys, the cursor. While it is off, napari's own modes work as ever; choosing
one of them switches it off.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal
from qtpy.QtGui import QAction

from napari_sam2.engine.movie.axes import (
    LayerAxes,
    Spot,
    box_between,
    is_on_frame,
    spot_at,
)
from napari_sam2.io.prompts.outlines import points_along
from napari_sam2.session.book.state import BookState
from napari_sam2.ui.keys.bindings import (
    LayerKeys,
    ToolKeys,
    shown_key,
    shown_modifier,
    with_key,
)
from napari_sam2.ui.keys.keys import PAN_KEY, PREVIEW_KEY, Ground, key_named
from napari_sam2.ui.layers.colors import own_colors
from napari_sam2.ui.tool.gestures import (
    ALT,
    CONTROL,
    SHIFT,
    Box,
    BoxDraft,
    Choose,
    Click,
    Gestures,
    Hover,
    Intent,
    Line,
    LineDraft,
    Pointer,
    PointerAction,
    PreviewEnd,
    gives_up_mask,
    with_box,
    with_click,
    with_points,
)
from napari_sam2.ui.tool.preview import ToolPreview
from napari_sam2.ui.widgets.connections import Connections
from napari_sam2.ui.widgets.icons import icon
from napari_sam2.ui.widgets.timers import single_shot

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

PAN_ZOOM = "pan_zoom"
CURSOR = "cross"


@dataclass(frozen=True, slots=True)
class HeldBy:
    """Who is called for what while a layer is held.

    Attributes
    ----------
    drag, move
        napari's mouse callbacks.
    preview
        Generator for the key of previews: pressed, then let go.
    left
        Called when the person chooses another mode of the layer.
    """

    drag: Callable[[Any, Any], Iterator[None]]
    move: Callable[[Any, Any], None]
    preview: Callable[[Any], Iterator[None]]
    left: Callable[[], None]


class LayerHold:
    """Holds a layer until `close`.

    napari has no modes of one's own. This is its mode for moving the picture, with the
    moving kept for the space bar.
    """

    def __init__(self, layer: Layer, by: HeldBy) -> None:
        layer.mode = PAN_ZOOM
        self.is_panning = False
        self._layer: Any = layer
        self._by = by
        self._before = {name: getattr(layer, name) for name in _SET}
        layer.mouse_drag_callbacks.insert(0, by.drag)
        layer.mouse_move_callbacks.insert(0, by.move)
        self._keys = LayerKeys(layer)
        # Bound through a function of its own: napari looks whether it is a generator's.
        self._keys.bind(PREVIEW_KEY, by.preview)
        self._keys.bind(PAN_KEY, self._on_pan_key)
        self._set_ours()
        self._events = Connections()
        self._events.add(layer.events.mode, self._on_mode)

    def close(self) -> None:
        """Give back what was taken; what a new mode has set stays."""
        self._events.close()
        self._layer.mouse_drag_callbacks.remove(self._by.drag)
        self._layer.mouse_move_callbacks.remove(self._by.move)
        self._keys.close()
        if self._layer.mode == PAN_ZOOM:
            for name, value in self._before.items():
                setattr(self._layer, name, value)

    def _set_ours(self) -> None:
        self._layer.mouse_pan = False
        self._layer.cursor = CURSOR
        self._layer.help = help_text()

    def _on_pan_key(self, _layer: Any) -> Iterator[None]:
        """Let the picture be moved while the key is held."""
        self.is_panning = True
        self._layer.mouse_pan = True
        self._layer.cursor = "standard"
        yield
        self.is_panning = False
        if self._layer.mode == PAN_ZOOM:
            self._set_ours()

    def _on_mode(self, _event: Any) -> None:
        self._by.left()


_SET = ("mouse_pan", "cursor", "help")


def help_text() -> str:
    """Return what the status bar says while the tool is on."""
    sheet, off = (
        shown_key(key_named(name).keys[0]) for name in ("key_sheet", "toggle")
    )
    return (
        f"click: inside, {shown_modifier('Control')}click: outside, drag: box, "
        f"{shown_modifier('Shift')}move: preview, Space: move the picture, "
        f"{off}: tool off, {sheet}: all keys"
    )


def shows_rows_and_columns(viewer: Viewer) -> bool:
    """Whether the viewer shows the last two dimensions, either way round, in 2D."""
    dims = viewer.dims
    return dims.ndisplay == 2 and set(dims.displayed) == {dims.ndim - 2, dims.ndim - 1}


class BrushLabel:
    """The label that napari's own brush paints with: always the selected object's."""

    def __init__(self, chosen: Callable[[int], None]) -> None:
        self._chosen = chosen
        self._layer: Labels | None = None
        self._events = Connections()

    def attach(self, layer: Layer) -> None:
        """Follow a layer; one that has no labels has no brush."""
        self.close()
        if isinstance(layer, Labels):
            self._layer = layer
            self._events.add(layer.events.selected_label, self._on_selected_label)

    def show(self, object_id: int) -> None:
        """Let the brush paint an object."""
        if self._layer is not None and self._layer.selected_label != object_id:
            self._layer.selected_label = object_id

    def close(self) -> None:
        """Follow nothing."""
        self._events.close()
        self._layer = None

    def _on_selected_label(self, _event: Any) -> None:
        if self._layer is not None and self._layer.selected_label > 0:
            self._chosen(int(self._layer.selected_label))


MODIFIERS = (SHIFT, CONTROL, ALT)
LEFT, MIDDLE = 1, 3

NO_LAYER = "Choose a movie first: the SAM 2 tool works on its masklets."
ONLY_2D = (
    "The SAM 2 tool works where rows and columns are shown in 2D: "
    "switch the 3D view off, or turn the axes back."
)


class LabelsTool(QObject):
    """Turns gestures on a layer into prompts."""

    toggled = Signal(bool)
    """It was switched on or off."""
    prompt_requested = Signal(object)
    """A `FramePrompt`: all that is said about an object on a frame now."""
    object_selected = Signal(int)
    """Go on with this object."""
    object_chosen = Signal(int)
    """The same, where somebody pointed at it to go on with it."""
    hover_requested = Signal(int, object)
    """What would the mask be on this frame, given a `FramePrompt`? None: no matter."""
    told = Signal(str)
    """Something that the person should know."""

    def __init__(self, viewer: Viewer, keys: ToolKeys, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._keys = keys
        self._layer: Layer | None = None
        self._axes: LayerAxes | None = None
        self._hold: LayerHold | None = None
        self._book = BookState()
        self._object_id: int | None = None
        self._gestures = Gestures()
        self._performers: dict[type, Callable[[Any], None]] = {
            Click: self._click,
            Box: self._box,
            BoxDraft: self._draft,
            Line: self._line,
            LineDraft: self._draft_line,
            Choose: self._choose,
            Hover: self._hover,
            PreviewEnd: self._end_preview,
        }
        self._hovered: int | None = None
        self._pointed: tuple[int, int] | None = None
        self._is_each_new = False
        self._last: Pointer | None = None
        self._preview = ToolPreview(viewer)
        self._brush = BrushLabel(self._select)
        self._events = Connections()
        for changed in (viewer.dims.events.ndisplay, viewer.dims.events.order):
            self._events.add(changed, self._on_display)
        self._events.add(viewer.layers.events.removed, self._on_layer_removed)
        self._timer = single_shot(self, self._on_due)
        self.action = QAction(icon("tool"), "SAM 2 tool", self)
        self.action.setCheckable(True)
        self.action.setToolTip(with_key("Click and draw boxes on the cells", "toggle"))
        self.action.triggered.connect(self.set_on)
        self.toggled.connect(self.action.setChecked)
        keys.toggle_requested.connect(self._on_toggle)

    @property
    def is_on(self) -> bool:
        """Whether gestures on the layer are ours."""
        return self._hold is not None

    @property
    def layer(self) -> Layer | None:
        """The layer on which it works."""
        return self._layer

    # --- What it is told

    def attach(self, layer: Layer, axes: LayerAxes) -> None:
        """Work on a layer; it stays on if it was.

        Parameters
        ----------
        layer
            The masklets; before there are any, the image.
        """
        if self._layer is not None and self._layer.unique_id == layer.unique_id:
            self._axes = axes
            return
        was_on = self.is_on
        self.detach()
        self._layer, self._axes = layer, axes
        self._keys.bind(layer, Ground.MASKLETS)
        self._brush.attach(layer)
        self._brush.show(self._current_object())
        if was_on:
            self.set_on(True)

    def detach(self) -> None:
        """Work on no layer, and leave it as it was found."""
        self.set_on(False)
        self._preview.close()
        self._brush.close()
        if self._layer is not None:
            self._keys.release(self._layer)
        self._layer = self._axes = None

    def set_on(self, is_on: bool) -> None:
        """Switch on or off; where it cannot work, it stays off and says why."""
        if is_on and not self.is_on:
            self._switch_on()
        elif not is_on and self._hold is not None:
            hold, self._hold = self._hold, None
            self._perform(self._gestures.cancel())
            self._timer.stop()
            hold.close()
            self.toggled.emit(False)
        self.action.setChecked(self.is_on)

    def show_book(self, book: BookState) -> None:
        """Know what has been said."""
        before, self._book = self._book, book
        if not book.is_colored_as(before):
            self._preview.show_colors(own_colors(book))
        self._brush.show(self._current_object())

    def show_selected(self, object_id: int | None) -> None:
        """Know which object gestures are about; None for a new one."""
        if object_id != self._object_id:
            self._preview.clear()
        self._object_id = object_id
        self._brush.show(self._current_object())

    def show_hover(
        self, frame_index: int, object_id: int, mask: np.ndarray | None
    ) -> None:
        """Show the mask ``(Y, X)`` of a click that is tried out, unless it is late."""
        if self._layer is None or self._axes is None or self._gestures.is_drawing:
            return
        if mask is None or self._hovered != frame_index:
            self._preview.clear()
            return
        labels = np.where(mask, object_id, 0)
        self._preview.show_mask(self._layer, self._axes, frame_index, labels)

    def let_each_click_be_new(self, is_each_new: bool) -> None:
        """Let clicks beside all objects, and boxes, begin new ones."""
        self._is_each_new = is_each_new

    def await_outline(self, object_id: int, frame_index: int) -> None:
        """Outline an object on a frame, as soon as its labels are told."""
        self._pointed = (object_id, frame_index)

    def show_frame(self, frame_index: int, labels: np.ndarray) -> None:
        """Know the labels ``(Y, X)`` of a frame: outline what waits for that."""
        if self._pointed is None or self._layer is None or self._axes is None:
            return
        object_id, wanted = self._pointed
        if wanted == frame_index:
            self._pointed = None
            mask = labels == object_id
            self._preview.outline(self._layer, self._axes, frame_index, mask)

    def close(self) -> None:
        """Let go of everything."""
        self.detach()
        self._events.close()

    # --- What the mouse does

    def _on_drag(self, _layer: Any, event: Any) -> Iterator[None]:
        """Follow a press to its release; napari's kind of generator."""
        if self._hold is None or self._hold.is_panning:
            return
        if event.button == MIDDLE and self._layer is not None:
            # Window managers of Linux keep Alt and the mouse for themselves.
            place = self._layer.world_to_data(event.position)
            self._choose(Choose(tuple(map(float, place))))
            return
        is_left = event.button == LEFT
        self._take(PointerAction.PRESS, event, is_left=is_left)
        if not is_left:
            return
        yield
        while event.type == "mouse_move":
            self._take(PointerAction.MOVE, event)
            yield
        self._take(PointerAction.RELEASE, event)

    def _on_move(self, _layer: Any, event: Any) -> None:
        self._take(PointerAction.MOVE, event)

    def _on_shift(self, _layer: Any) -> Iterator[None]:
        """Try a click out where the pointer rests; stop when the key is let go."""
        if self._last is not None:
            held = self._last.modifiers | {SHIFT}
            self._feed(_moved(self._last, held))
        yield
        if self._last is not None:
            self._feed(_moved(self._last, self._last.modifiers - {SHIFT}))

    def _take(self, action: PointerAction, event: Any, *, is_left: bool = True) -> None:
        if self._layer is None or self._hold is None or self._hold.is_panning:
            return
        position = tuple(map(float, self._layer.world_to_data(event.position)))
        held = [str(getattr(one, "name", one)) for one in event.modifiers or ()]
        x, y = event.pos[:2]
        pointer = Pointer(
            action,
            position,
            (float(y), float(x)),
            time.monotonic(),
            frozenset(name for name in MODIFIERS if name in held),
            is_left,
        )
        self._last = pointer
        self._feed(pointer)

    def _feed(self, pointer: Pointer) -> None:
        self._perform(self._gestures.take(pointer))
        self._await_due()

    def _await_due(self) -> None:
        due = self._gestures.due
        if due is not None and not self._timer.isActive():
            self._timer.start(max(1, round(1000 * (due - time.monotonic()) + 1)))

    def _on_due(self) -> None:
        self._perform(self._gestures.tick(time.monotonic()))
        self._await_due()  # timers may come early

    # --- What it means

    def _perform(self, intents: list[Intent]) -> None:
        for intent in intents:
            self._performers[type(intent)](intent)

    def _click(self, click: Click) -> None:
        spot, is_positive = self._spot(click.position), click.is_positive
        if spot is None:
            return
        one = self._about(click.position, is_positive=is_positive)
        self._ask(with_click(self._book, one, spot, is_positive=is_positive))

    def _box(self, drawn: Box) -> None:
        found = self._box_at(drawn.first, drawn.last)
        if found is not None:
            frame_index, box = found
            one = self._new_object() if self._is_each_new else self._current_object()
            self._ask(with_box(self._book, one, frame_index, box))

    def _line(self, line: Line) -> None:
        spot, axes = self._spot(line.positions[0]), self._axes
        if spot is None or axes is None:
            return
        vertices, is_positive = np.array(line.positions)[:, -2:], line.is_positive
        points = points_along(vertices, axes.frame_shape, is_positive=is_positive)
        if points:
            one = self._about(line.positions[0], is_positive=is_positive)
            self._ask(with_points(self._book, one, spot.frame_index, points))

    def _draft_line(self, draft: LineDraft) -> None:
        spot = self._spot(draft.positions[0])
        if spot is not None and self._layer is not None and self._axes is not None:
            drawn = (self._current_object(), np.array(draft.positions)[:, -2:])
            self._preview.show_line(self._layer, self._axes, spot.frame_index, drawn)

    def _ask(self, prompt: Any) -> None:
        if gives_up_mask(self._book, prompt):
            self.told.emit(
                f"The mask drawn for object {prompt.object_id} on frame "
                f"{prompt.frame_index} gave way to the click; undo brings it back."
            )
        self._preview.clear()
        self._select(prompt.object_id)
        self.prompt_requested.emit(prompt)

    def _select(self, object_id: int) -> None:
        if self._object_id != object_id:
            self.show_selected(object_id)
            self.object_selected.emit(object_id)

    def _draft(self, draft: BoxDraft) -> None:
        found = self._box_at(draft.first, draft.last)
        if self._layer is None or self._axes is None or found is None:
            self._preview.clear()
            return
        frame_index, box = found
        drawn = (self._current_object(), box)
        self._preview.show_box(self._layer, self._axes, frame_index, drawn)

    def _choose(self, choice: Choose) -> None:
        position = choice.position
        if not isinstance(self._layer, Labels) or self._spot(position) is None:
            return
        value = self._layer.get_value(position)
        if value:
            self._select(int(value))
            self.object_chosen.emit(int(value))

    def _hover(self, hover: Hover) -> None:
        position, is_positive = hover.position, hover.is_positive
        spot = self._spot(position)
        if spot is None:
            self._end_preview()
            return
        self._hovered = spot.frame_index
        one = self._about(position, is_positive=is_positive)
        prompt = with_click(self._book, one, spot, is_positive=is_positive)
        self.hover_requested.emit(spot.frame_index, prompt)

    def _end_preview(self, _end: PreviewEnd | None = None) -> None:
        self._preview.clear()
        if self._hovered is not None:
            frame_index, self._hovered = self._hovered, None
            self.hover_requested.emit(frame_index, None)

    def _about(self, position: tuple[float, ...], *, is_positive: bool) -> int:
        """Return the object that a click is about."""
        if not (self._is_each_new and is_positive):
            return self._current_object()
        if isinstance(self._layer, Labels):
            value = self._layer.get_value(position)
            if value and int(value) in self._book:
                return int(value)
        return self._new_object()

    def _new_object(self) -> int:
        """Return the chosen object if nothing is said about it yet, else the next."""
        current = self._current_object()
        state = self._book.get(current)
        return current if state is None or not state.prompts else self._book.next_id

    def _current_object(self) -> int:
        return self._book.next_id if self._object_id is None else self._object_id

    def _spot(self, position: tuple[float, ...]) -> Spot | None:
        return None if self._axes is None else spot_at(position, self._axes)

    def _box_at(self, first: tuple[float, ...], last: tuple[float, ...]) -> Any:
        """Return ``(frame_index, box)``; None outside, or if the frame changed."""
        axes = self._axes
        if axes is None or not is_on_frame(first, axes):
            return None
        if first[:-2] != last[:-2]:
            return None
        box = box_between(first[-2:], last[-2:], axes.frame_shape)
        return None if box is None else (axes.frame_at(first), box)

    # --- On and off

    def _switch_on(self) -> None:
        layer = self._layer
        if layer is None:
            self.told.emit(NO_LAYER)
            return
        if not shows_rows_and_columns(self._viewer):
            self.told.emit(ONLY_2D)
            return
        self._viewer.layers.selection.active = layer
        by = HeldBy(self._on_drag, self._on_move, self._on_shift, self._on_left)
        self._hold = LayerHold(layer, by)
        self.toggled.emit(True)

    def _on_left(self) -> None:
        self.set_on(False)

    def _on_toggle(self) -> None:
        self.set_on(not self.is_on)

    def _on_display(self, _event: Any) -> None:
        if self.is_on and not shows_rows_and_columns(self._viewer):
            self.set_on(False)
            self.told.emit(ONLY_2D)

    def _on_layer_removed(self, event: Any) -> None:
        if self._layer is not None and event.value.unique_id == self._layer.unique_id:
            self.detach()


def _moved(pointer: Pointer, modifiers: frozenset[str]) -> Pointer:
    """Return a pointer that rests where it was, with other keys held."""
    return replace(
        pointer,
        action=PointerAction.MOVE,
        modifiers=modifiers,
        seconds=time.monotonic(),
    )
