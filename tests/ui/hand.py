"""A person at the mouse and the keyboard, by napari's own event path."""

from types import SimpleNamespace

import wrapt
from napari.utils import interactions
from napari.utils.key_bindings import KeymapHandler

SCREEN = 4.0
"""Screen pixels for each step in the world."""


class Hand:
    """Moves over the active layer of a viewer; places are in the world."""

    def __init__(self, viewer):
        self.viewer = viewer
        self.keys = KeymapHandler()

    def click(self, *place, held=(), button=1):
        self.press(*place, held=held, button=button)
        self.release(*place, held=held)

    def drag(self, first, last, held=()):
        self.press(*first, held=held)
        self.move(*last, held=held, is_dragging=True)
        self.release(*last, held=held)

    def press(self, *place, held=(), button=1):
        event = self._event("mouse_press", place, held, button)
        interactions.mouse_press_callbacks(self._layer, event)

    def move(self, *place, held=(), is_dragging=False):
        event = self._event("mouse_move", place, held, None, is_dragging)
        interactions.mouse_move_callbacks(self._layer, event)

    def release(self, *place, held=()):
        event = self._event("mouse_release", place, held, 1)
        interactions.mouse_release_callbacks(self._layer, event)

    def push(self, key):
        """Press a key, and let it go unless `let_go` does."""
        self.keys.keymap_providers = [self._layer, unwrapped(self.viewer)]
        return self.keys.press_key(key)

    def let_go(self, key):
        return self.keys.release_key(key)

    @property
    def _layer(self):
        return unwrapped(self.viewer.layers.selection.active)

    def _event(self, kind, place, held, button, is_dragging=False):
        y, x = place[-2:]
        dims = self.viewer.dims
        return wrapt.ObjectProxy(
            SimpleNamespace(
                type=kind,
                position=tuple(place),
                pos=(x * SCREEN, y * SCREEN),
                modifiers=tuple(held),
                button=button,
                is_dragging=is_dragging,
                view_direction=None,
                dims_displayed=list(dims.displayed),
                dims_point=list(dims.point),
                handled=False,
            )
        )


def unwrapped(thing):
    """Return the napari object behind a plugin's view of it."""
    return getattr(thing, "__wrapped__", thing)
