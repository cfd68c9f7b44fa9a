"""The keys of `tool_keys` on our layers, and how the platform writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtGui import QKeySequence

from napari_sam2.ui.keys.keys import KEYS, Ground, key_named

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer


class ToolKeys(QObject):
    """Binds keys to layers, tells that one was pressed, and gives them all back."""

    toggle_requested = Signal()
    new_object_requested = Signal()
    previous_object_requested = Signal()
    next_object_requested = Signal()
    flip_requested = Signal()
    remove_requested = Signal()
    hide_requested = Signal()
    lock_requested = Signal()
    doubtful_requested = Signal()
    review_requested = Signal()
    previous_anchor_requested = Signal()
    next_anchor_requested = Signal()
    accept_division_requested = Signal()
    reject_division_requested = Signal()
    cut_requested = Signal()
    track_requested = Signal()
    undo_requested = Signal()
    redo_requested = Signal()
    key_sheet_requested = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._bound: list[LayerKeys] = []

    def bind(self, layer: Layer, ground: Ground) -> None:
        """Bind the keys of a kind of layer; a layer that has them keeps them."""
        if not any(keys.is_on(layer) for keys in self._bound):
            self._bind(layer, ground)

    def bind_viewer(self, viewer: Viewer) -> None:
        """Let the keys work whatever layer is selected."""
        self._bind(viewer, Ground.VIEWER)

    def _bind(self, target: Layer | Viewer, ground: Ground) -> None:
        keys = LayerKeys(target)
        for entry in KEYS:
            if ground in entry.grounds:
                for key in entry.keys:
                    keys.bind(key, self._emitter(entry.name))
        self._bound.append(keys)

    def release(self, layer: Layer) -> None:
        """Give a layer's keys back."""
        for keys in [one for one in self._bound if one.is_on(layer)]:
            keys.close()
            self._bound.remove(keys)

    def close(self) -> None:
        """Give all keys back."""
        for keys in self._bound:
            keys.close()
        self._bound.clear()

    def _emitter(self, name: str) -> Callable[[object], None]:
        signal = getattr(self, f"{name}_requested")

        def emit(_layer: object) -> None:
            signal.emit()

        return emit


class LayerKeys:
    """Keys bound to a layer, or to the viewer; `close` restores what was bound."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._layer_id = getattr(layer, "unique_id", None)
        self._before: list[tuple[str, Any]] = []

    def is_on(self, layer: Any) -> bool:
        """Whether these are the keys of a layer."""
        return bool(self._layer_id == layer.unique_id)

    def bind(self, key: str, callback: Callable[[Any], object]) -> None:
        """Bind a key, whatever was bound to it on this very layer."""
        before = self._layer.bind_key(key, callback, overwrite=True)
        self._before.append((key, before))

    def close(self) -> None:
        """Restore; may be called twice."""
        for key, before in reversed(self._before):
            self._layer.bind_key(key, before, overwrite=True)
        self._before.clear()


QT_NAMES = {"Control": "Ctrl", "PageUp": "PgUp", "PageDown": "PgDown"}
"""Keys that Qt calls otherwise than napari."""


def shown_key(key: str) -> str:
    """Return a key as the platform writes it: ``Ctrl+Z``, ``⌘Z``."""
    *modifiers, last = key.split("-")
    names = [QT_NAMES.get(one, one) for one in (*modifiers, last)]
    sequence = QKeySequence("+".join(names))
    return str(sequence.toString(QKeySequence.SequenceFormat.NativeText))


def shown_modifier(name: str) -> str:
    """Return a modifier as the platform writes it before a key: ``Ctrl+``, ``⌘``."""
    return shown_key(f"{name}-A")[:-1]


def with_key(text: str, name: str) -> str:
    """Return a tooltip that ends in the key of an entry of the table."""
    return f"{text} ({shown_key(key_named(name).keys[0])})"
