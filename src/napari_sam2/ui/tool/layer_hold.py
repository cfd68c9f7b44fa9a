"""Taking hold of a layer's mouse, cursor and help text, and giving all of it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari.layers import Labels

from napari_sam2.ui.keys.bindings import LayerKeys, shown_key, shown_modifier
from napari_sam2.ui.keys.keys import PAN_KEY, PREVIEW_KEY, key_named
from napari_sam2.ui.widgets.connections import Connections

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

    Parameters
    ----------
    layer
        What is held.
    by
        Who is called.
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
