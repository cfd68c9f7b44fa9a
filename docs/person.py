"""Somebody at a viewer, for pictures and trials: real clicks, keys and drags."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
from pictures import SETTING, save_pixels

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtGui import QAction
    from qtpy.QtWidgets import QMenu, QWidget

    from napari_sam2.ui.dock.dock import TrackerDock

CELLS = 5
"""Nuclei that are clicked on in a sample movie."""

PATIENCE = 600.0
MOMENT = 0.6
"""Seconds that a window takes to be drawn."""


class Person:
    """Somebody at a viewer with a movie: mouse, keys, and eyes.

    Parameters
    ----------
    movie
        Name of a sample, as the menu calls it, or ``(T, Y, X)`` pixels.
    theme
        Of napari.
    """

    def __init__(self, movie: str | np.ndarray, theme: str) -> None:
        import napari
        from qtpy.QtWidgets import QApplication

        viewer = napari.Viewer()
        viewer.theme = theme
        viewer.window.resize(*SETTING.size)
        process_events(MOMENT)
        self.viewer: Viewer = viewer
        window, plugin = viewer.window, "SAM 2 Tracker"
        if isinstance(movie, str):
            choose(window.file_menu, ("Open Sample", plugin, movie))
        else:
            viewer.add_image(movie, name="small cells", axis_labels=("t", "y", "x"))
        choose(window.plugins_menu, (plugin, plugin))
        self.dock = find_dock()
        self.parts = self.dock.parts
        self.canvas: QWidget = next(
            widget
            for widget in QApplication.allWidgets()
            if "CanvasBackend" in type(widget).__name__ and widget.isVisible()
        )
        process_events(MOMENT)
        self.go_to(0)
        viewer.reset_view()
        process_events(MOMENT)

    # --- Eyes

    def largest_cells(self) -> list[tuple[float, float]]:
        """Return ``(y, x)`` well inside of the largest cells of frame 0."""
        truth = np.asarray(self.viewer.layers[1].data[0])
        ids, areas = np.unique(truth, return_counts=True)
        chosen = ids[1:][np.argsort(-areas[1:])][:CELLS]
        return [middle_of(truth == one) for one in chosen]

    def labels(self, frame_index: int) -> np.ndarray:
        """Return ``(Y, X)`` masks that are shown on a frame."""
        layer = self.parts.masklets.layer
        assert layer is not None
        return np.asarray(layer.data[frame_index])

    def somewhere_in(self, object_id: int, frame_index: int) -> tuple[float, float]:
        """Return ``(y, x)`` well inside of an object."""
        return middle_of(self.labels(frame_index) == object_id)

    # --- Hands

    def press(self, button: QWidget) -> None:
        """Click on a button of the dock, which is scrolled to where it is seen."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest
        from qtpy.QtWidgets import QScrollArea

        area = self.dock.findChild(QScrollArea)
        if area is not None and area.isAncestorOf(button):
            area.ensureWidgetVisible(button)
        process_events(0.1)
        assert button.visibleRegion().contains(button.rect().center())
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def click(self, y: float, x: float) -> None:
        """Click on a place of the picture."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        QTest.mouseMove(self.canvas, self._spot(y, x))
        process_events(0.05)
        QTest.mouseClick(self.canvas, Qt.MouseButton.LeftButton, pos=self._spot(y, x))

    def drag(
        self, first: tuple[float, float], last: tuple[float, float], *held: str
    ) -> None:
        """Drag from one place to another."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        button, modifiers = Qt.MouseButton.LeftButton, _modifiers(held)
        QTest.mousePress(self.canvas, button, modifiers, self._spot(*first))
        for share in np.linspace(0, 1, 9):
            y, x = (a + share * (b - a) for a, b in zip(first, last, strict=True))
            QTest.mouseMove(self.canvas, self._spot(y, x))
            process_events(0.05)
        QTest.mouseRelease(self.canvas, button, modifiers, self._spot(*last))

    def preview(self, y: float, x: float) -> None:
        """Hold Shift over a place until the preview is there."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        QTest.mouseMove(self.canvas, self._spot(y, x))
        process_events(0.2)
        QTest.keyPress(self.canvas, Qt.Key.Key_Shift)
        process_events(3 * MOMENT)

    def let_go_of_shift(self) -> None:
        """End a preview."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        QTest.keyRelease(self.canvas, Qt.Key.Key_Shift)
        process_events(MOMENT)

    def push(self, key: str, *held: str) -> None:
        """Press a key above the picture."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        QTest.keyClick(self.canvas, getattr(Qt.Key, f"Key_{key}"), _modifiers(held))
        process_events(0.1)

    def go_to(self, frame_index: int) -> None:
        """Move the slider."""
        self.viewer.dims.set_current_step(0, frame_index)
        process_events(MOMENT)

    def rest(self) -> None:
        """Wait until clicks are answered, gaps repaired and tracking is done."""
        # Live repair begins a moment after the last correction.
        for _ in range(2):
            process_events(2 * MOMENT)
            process_events(PATIENCE, lambda: self.parts.conductor.worker.is_idle)
        process_events(MOMENT)

    def save(self, name: str) -> None:
        """Save the whole window."""
        save_pixels(self.viewer.screenshot(canvas_only=False, flash=False), name)

    def close(self) -> None:
        """Close the window."""
        self.viewer.close()
        process_events(MOMENT)

    def _spot(self, y: float, x: float) -> QPoint:
        """Return the pixel of the canvas under which a place lies."""
        from qtpy.QtCore import QPoint

        _, y, x = self.viewer.layers[0].data_to_world((0, y, x))
        camera = self.viewer.scene.camera
        (_, middle_y, middle_x), zoom = camera.center, camera.zoom
        across = self.canvas.width() / 2 + (x - middle_x) * zoom
        down = self.canvas.height() / 2 + (y - middle_y) * zoom
        return QPoint(round(across), round(down))


def _modifiers(held: Iterable[str]) -> Qt.KeyboardModifier:
    from qtpy.QtCore import Qt

    modifiers = Qt.KeyboardModifier.NoModifier
    for name in held:
        modifiers |= getattr(Qt.KeyboardModifier, f"{name}Modifier")
    return modifiers


def middle_of(mask: np.ndarray) -> tuple[float, float]:
    """Return the pixel ``(y, x)`` of a mask that is nearest to its middle."""
    inside = np.argwhere(mask)
    from_middle = np.abs(inside - inside.mean(axis=0)).sum(axis=1)
    y, x = inside[from_middle.argmin()]
    return float(y), float(x)


def process_events(seconds: float, is_done: Callable[[], bool] = lambda: False) -> None:
    """Let the window live for some time, or until something is done."""
    from qtpy.QtCore import QEvent
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end and not is_done():
        QApplication.processEvents()
        # Where no loop runs, Qt leaves in the window what is to be deleted.
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        time.sleep(0.01)


def choose(menu: QMenu, titles: Iterable[str]) -> None:
    """Go down menus by what their entries are called, and take the last one."""
    *above, last = titles
    for title in above:
        below = _entry(menu, title).menu()
        assert below is not None, title
        menu = below
    _entry(menu, last).trigger()
    process_events(MOMENT)


def _entry(menu: QMenu, title: str) -> QAction:
    menu.aboutToShow.emit()
    found = {action.text().replace("&", ""): action for action in menu.actions()}
    names = [name for name in found if name == title or name.startswith(f"{title} (")]
    assert names, f"{title!r} is not among {sorted(found)}"
    return found[names[0]]


def find_dock() -> TrackerDock:
    """Return the dock that was opened last."""
    from qtpy.QtWidgets import QApplication

    from napari_sam2.ui.dock.dock import TrackerDock

    docks = [
        one
        for one in QApplication.allWidgets()
        if isinstance(one, TrackerDock) and one.isVisible()
    ]
    (dock,) = docks
    return dock
