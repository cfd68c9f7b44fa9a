"""Make the pictures of the documentation anew, by doing what the tutorial says.

``python tools/with_display.py python docs/make_screenshots.py`` opens the sample movies
in a real viewer, clicks, draws, presses keys, tracks, corrects and undoes as
``docs/tutorial.md`` tells, and saves the windows to ``docs/images``. It stops where the
program does not do what the tutorial promises. Settings and masklets of the person who
runs it are not touched.

With ``--tutorial --size 1089x768 --theme light --folder DIR`` it follows the tutorial
alone, in a window of that size, and leaves the pictures of the documentation as they
are.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.synthetic import MovieConfig, SimulatedMovie

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtGui import QAction
    from qtpy.QtWidgets import QMenu, QWidget

    from napari_sam2.ui.dock.dock import TrackerDock

BATCH_WIDTH = 560
CELLS = 5
"""Nuclei that are clicked on in a sample movie."""

COLORS = 256
"""Colours of a picture: it stays small, and nobody sees the difference."""

STEPS = 0xF8
"""Colours that differ by less are one."""

WIDE = (1366, 768)
"""A window that is wider than napari's at its first start."""

COARSE = 16
"""Points squared at which everything is asked for: cells of the sample are larger."""

LARGE, SMALL, CLOSE_UP = 1024, 13, 5.0
"""Pixels across a movie, and across cells that nano loses in it; zoom on one."""

PATIENCE = 600.0
MOMENT = 0.6
"""Seconds that a window takes to be drawn."""


@dataclass
class Setting:
    """How the windows are, and where their pictures go.

    Attributes
    ----------
    size
        Width and height of a window in pixels; at first, napari's has so many.
    theme
        Of napari, while the tutorial is followed.
    folder
        Where pictures go.
    """

    size: tuple[int, int] = (1089, 768)
    theme: str = "dark"
    folder: Path = Path(__file__).parent / "images"


SETTING = Setting()


def main() -> None:
    """Make all pictures, or those of the tutorial."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tutorial", action="store_true", help="nothing else")
    parser.add_argument("--size", help="of the window, such as 1089x768")
    parser.add_argument("--theme", choices=("dark", "light"), default=SETTING.theme)
    parser.add_argument("--folder", type=Path, default=SETTING.folder)
    asked = parser.parse_args()
    SETTING.theme, SETTING.folder = asked.theme, asked.folder
    if asked.size is not None:
        width, height = map(int, asked.size.split("x"))
        SETTING.size = width, height
    with without_settings_of_a_person() as home:
        follow_the_tutorial()
        if asked.tutorial:
            return
        picture_phase_contrast()
        picture_batch(home)
        picture_everything()
        picture_scribble_and_alike()
        picture_small_cells()


@contextmanager
def without_settings_of_a_person() -> Iterator[Path]:
    """Begin as somebody who never started napari; return the folder of that home."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["NAPARI_CONFIG"] = str(Path(home) / "settings.yaml")
        os.environ["HOME"] = os.environ["USERPROFILE"] = home
        os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_DATA_HOME"] = home
        yield Path(home)


def follow_the_tutorial() -> None:
    """Do all steps of the tutorial."""
    me = Person("Dividing nuclei", SETTING.theme)
    parts = me.parts
    me.save("tutorial-open.png")
    click_on_nuclei(me)
    # --- Track
    me.push("G")
    bar = parts.run_bar.bar
    process_events(PATIENCE, lambda: 0 < bar.maximum() / 2 < bar.value())
    assert parts.frame_cursor.frame_index > 0, "the picture does not go along"
    me.save("tutorial-tracking.png")
    me.rest()
    assert me.labels(-1).any(), "the last frame has no mask"
    # --- What is doubtful
    me.push("J")
    me.rest()
    me.save("tutorial-doubtful.png")
    repair(me)
    save_section(me, "movie", "panel-movie.png")
    save_section(me, "objects", "panel-objects.png")
    save_widget(me.dock.strip, "panel-time.png")
    me.push("Q")
    process_events(MOMENT)
    save_widget(key_sheet(), "keys.png")
    key_sheet().close()
    go_on_tomorrow(me)


def click_on_nuclei(me: Person) -> None:
    """Click, look at a preview, and click on the others."""
    parts = me.parts
    me.press(parts.prompt_panel.tool_button)
    assert parts.tool.is_on
    cells = me.largest_cells()
    me.click(*cells[0])
    me.rest()
    assert me.labels(0).any(), "the first click has no mask"
    me.save("tutorial-click.png")
    me.preview(*cells[1])
    me.save("tutorial-preview.png")
    me.let_go_of_shift()
    for cell in cells[1:]:
        me.click(*cell)
        me.rest()
    assert set(np.unique(me.labels(0))) == {0, *range(1, CELLS + 1)}
    me.save("tutorial-clicks.png")


def repair(me: Person) -> None:
    """Correct an object on a frame, see its gaps repaired, undo and redo."""
    parts = me.parts
    me.go_to(40)
    object_id = parts.selection.current
    before = np.array(me.labels(40))
    y, x = me.somewhere_in(object_id, 40)
    me.drag((y - 12, x - 12), (y + 12, x + 12))
    me.rest()
    corrected = np.array(me.labels(40))
    assert not np.array_equal(before, corrected), "the box changed nothing"
    me.save("tutorial-corrected.png")
    me.push("Z", "Control")
    me.rest()
    np.testing.assert_array_equal(me.labels(40), before)
    me.push("Z", "Control", "Shift")
    me.rest()
    np.testing.assert_array_equal(me.labels(40), corrected)
    save_section(me, "track", "panel-track.png")
    me.go_to(20)
    parts.track_panel.compare_button.click()
    me.rest()
    save_section(me, "track", "panel-compare.png")
    parts.track_panel.comparison_row.stay_button.click()
    me.go_to(40)
    me.push("K")
    me.push("U")
    me.rest()
    assert 40 in parts.conductor.book[object_id].locked


def go_on_tomorrow(me: Person) -> None:
    """Close napari, and go on with the session in another one."""
    parts = me.parts
    last = np.array(me.labels(59))
    said = [
        (one.object_id, one.anchors, one.locked) for one in parts.conductor.book.objects
    ]
    me.close()
    me = Person("Dividing nuclei", SETTING.theme)
    menu = me.parts.output_panel.recent.menu()
    menu.aboutToShow.emit()
    me.rest()
    menu.actions()[0].trigger()
    me.rest()
    me.go_to(59)
    me.rest()
    np.testing.assert_array_equal(me.labels(59), last)
    book = me.parts.conductor.book
    assert said == [(one.object_id, one.anchors, one.locked) for one in book.objects]
    me.close()


def picture_phase_contrast() -> None:
    """Finished masklets on another sample movie, in the light theme."""
    SETTING.size = WIDE
    me = Person("Cells in phase contrast", "light")
    me.press(me.parts.prompt_panel.tool_button)
    for cell in me.largest_cells():
        me.click(*cell)
        me.rest()
    me.push("G")
    me.rest()
    me.go_to(30)
    me.save("light.png")
    me.close()


def picture_batch(home: Path) -> None:
    """Three movies, the last without label images beside it, in *SAM 2 Batch*."""
    import napari

    viewer = napari.Viewer()
    viewer.theme = "dark"
    viewer.window.resize(*SETTING.size)
    window, dock = viewer.window.add_plugin_dock_widget("napari-sam2", "SAM 2 Batch")
    window.setMinimumWidth(BATCH_WIDTH)
    dock.asked.add([str(path) for path in write_movies(home / "movies")])
    dock.asked.policy_combo.setCurrentText("label images of Cellpose")
    process_events(MOMENT)
    dock.start_button.click()
    process_events(PATIENCE, lambda: not dock.is_running)
    process_events(MOMENT)
    assert "1 not whole" in dock.status.text(), dock.status.text()
    save_widget(dock, "panel-batch.png")
    viewer.close()
    process_events(MOMENT)


def write_movies(folder: Path) -> list[Path]:
    """Write three simulated movies, and label images for two of them."""
    import tifffile

    from napari_sam2.synthetic import MovieConfig, SimulatedMovie

    folder.mkdir()
    paths = []
    for number in range(3):
        movie = SimulatedMovie(
            MovieConfig(frame_count=10, frame_shape=(128, 128), seed=number)
        )
        paths.append(folder / f"position-{number + 1}.tif")
        with tifffile.TiffWriter(paths[-1]) as writer:
            for index in range(movie.frame_count):
                writer.write(movie.frame(index), contiguous=True)
        if number < 2:
            masks = folder / f"{paths[-1].stem}_cp_masks.tif"
            tifffile.imwrite(masks, movie.labels(0))
    return paths


def picture_everything() -> None:
    """Masks of everything on a frame, their export, and a family."""
    me = Person("Dividing nuclei", SETTING.theme)
    parts = me.parts
    me.dock.sections.movie.set_open(False)
    parts.automatic_panel.grid_spin.setValue(COARSE)
    me.dock.find_everything()
    process_events(PATIENCE, parts.automatic_panel.take_button.isEnabled)
    process_events(MOMENT)
    me.save("everything.png")
    save_section(me, "everything", "panel-everything.png")
    parts.automatic_panel.take_button.click()
    me.rest()
    parts.output_panel.export_button.click()
    process_events(MOMENT)
    save_widget(me.dock.exchange.exporter.dialog, "export.png")
    me.dock.exchange.exporter.dialog.hide()
    last = me.viewer.dims.nsteps[0] // 2
    labels = me.labels(0)
    ids = [int(one) for one in np.unique(labels[labels > 0])[:2]]
    new = parts.conductor.book.next_id
    for object_id in (new, new + 1):
        mask = MaskPrompt(labels == ids[object_id - new])
        parts.conductor.set_prompt(FramePrompt(object_id, last, mask=mask))
    for object_id in (new, new + 1):
        parts.conductor.set_parent(object_id, ids[0])
    parts.selection.go_on_with(new)
    me.rest()
    me.dock.strip.setCurrentIndex(1)
    process_events(3 * MOMENT)
    save_widget(me.dock.strip, "family.png")
    me.close()


def picture_scribble_and_alike() -> None:
    """Draw a line through a nucleus, and look for what is like it."""
    me = Person("Dividing nuclei", SETTING.theme)
    parts = me.parts
    me.press(parts.prompt_panel.tool_button)
    y, x = me.largest_cells()[0]
    me.drag((y - 6, x - 6), (y + 6, x + 6), "Shift")
    me.rest()
    assert me.labels(0).any(), "the line has no mask"
    me.save("scribble.png")
    for name in ("movie", "clicks"):
        me.dock.sections.sections[name].set_open(False)
    me.dock.sections.sections["everything"].set_open(True)
    parts.automatic_panel.grid_spin.setValue(COARSE)
    process_events(MOMENT)
    me.press(parts.automatic_panel.similar_button)
    process_events(PATIENCE, parts.automatic_panel.take_button.isEnabled)
    process_events(MOMENT)
    me.save("more-like-this.png")
    me.close()


def picture_small_cells() -> None:
    """Cells too small for the model in a large movie: looked at whole, and closely."""
    SETTING.size = WIDE
    config = MovieConfig(
        frame_count=3, frame_shape=(LARGE, LARGE), cell_count=150, cell_size=SMALL,
        division_rate=0, seed=7,
    )  # fmt: skip
    movie = SimulatedMovie(config)
    frames = np.stack([movie.frame(index) for index in range(config.frame_count)])
    me = Person(frames, SETTING.theme)
    truth = movie.labels(0)
    inside = slice(LARGE // 3, 2 * LARGE // 3)
    cell = next(one for one in np.unique(truth[inside, inside]) if one)
    y, x = _middle(truth == cell)
    camera = me.viewer.scene.camera
    camera.center, camera.zoom = (0, y, x), CLOSE_UP
    process_events(MOMENT)
    me.press(me.parts.prompt_panel.tool_button)
    me.click(y, x)
    me.rest()
    me.save("tiles-offer.png")
    me.press(me.parts.offer.buttons[0])
    me.rest()
    camera.center, camera.zoom = (0, y, x), CLOSE_UP
    me.dock.sections.movie.set_open(False)
    me.dock.sections.model.set_open(True)
    process_events(MOMENT)
    me.save("tiles-closely.png")
    mask, there = me.labels(0) > 0, truth == cell
    overlap = (mask & there).sum() / (mask | there).sum()
    assert overlap > 0.5, f"what was clicked on is not found: J {overlap:.2f}"
    me.close()


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
        return [_middle(truth == one) for one in chosen]

    def labels(self, frame_index: int) -> np.ndarray:
        """Return ``(Y, X)`` masks that are shown on a frame."""
        layer = self.parts.masklets.layer
        assert layer is not None
        return np.asarray(layer.data[frame_index])

    def somewhere_in(self, object_id: int, frame_index: int) -> tuple[float, float]:
        """Return ``(y, x)`` well inside of an object."""
        return _middle(self.labels(frame_index) == object_id)

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


def _middle(mask: np.ndarray) -> tuple[float, float]:
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


def key_sheet() -> QWidget:
    """Return the sheet of keys that is open."""
    from qtpy.QtWidgets import QApplication

    from napari_sam2.ui.keys.sheet import KeySheet

    return next(
        one
        for one in QApplication.topLevelWidgets()
        if isinstance(one, KeySheet) and one.isVisible()
    )


def save_section(me: Person, name: str, picture: str) -> None:
    """Save a section of the dock, opened for the picture if it is folded."""
    one = me.dock.sections.sections[name]
    was_open = one.is_open
    one.set_open(True)
    process_events(3 * MOMENT)
    save_widget(one, picture)
    one.set_open(was_open)
    process_events(MOMENT)


def save_widget(widget: QWidget, name: str) -> None:
    """Save a part of the window."""
    from qtpy.QtGui import QImage

    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows, stride = image.height(), image.bytesPerLine()
    memory = image.constBits()
    if hasattr(memory, "setsize"):
        memory.setsize(rows * stride)
    flat = np.frombuffer(memory, np.uint8).reshape(rows, stride)
    save_pixels(flat[:, : 3 * image.width()].reshape(rows, -1, 3), name)


def save_pixels(pixels: np.ndarray, name: str) -> None:
    """Save ``(Y, X, colours)`` as a small PNG."""
    SETTING.folder.mkdir(parents=True, exist_ok=True)
    pixels = np.ascontiguousarray(pixels[..., :3])
    colors, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
    # Those of the window as they are; of the others, however rarely they are seen.
    common = colors[np.argsort(-counts)[: COLORS // 2]]
    others = np.unique(colors & STEPS, axis=0)[None]
    rest = Image.fromarray(others).quantize(COLORS - len(common), kmeans=1)
    palette = Image.new("P", (1, 1))
    palette.putpalette([*common.ravel().tolist(), *(rest.getpalette() or ())])
    picture = Image.fromarray(pixels)
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(
        SETTING.folder / name, optimize=True
    )


if __name__ == "__main__":
    main()
