"""How many files of ours one click passes, from the mouse press to the mask on screen.

``python tools/with_display.py python benchmarks/click_path.py`` opens a window with a
simulated movie and the bundled model, switches the tool on, and presses the mouse on
one cell after another, each a new object. It counts the files of the package in which a
function was entered, in any thread, until the pixel under the mouse shows the object:
for the first click, which loads the model and makes the masklets, and for later ones.
Target: at most 60 files for a later click. ``--files`` names them.

Counting slows the click down. What waits until a person pauses (saving, preparing of
other frames, scores) is therefore held back until the mask is seen, as it comes later
than the mask when nobody counts.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

import napari_sam2
from napari_sam2.synthetic import MovieConfig, SimulatedMovie

FRAMES, CELLS, SIDE = 6, 5, 256
PATIENCE = 120.0
REST = 1.0
"""Seconds after which all that waits for a pause has begun."""

PAUSES_MS = (120, 150, 200, 300, 400)
"""After these the picture, other frames, scores, the session, repairs are seen to."""

FUNCTION = 1
"""Flag of code that is a function's, not a module's or a class's."""


class EnteredFiles:
    """Knows in which files of a package a function was entered while it watches."""

    def __init__(self, package: Path) -> None:
        self._root = f"{package}{os.sep}"
        self._seen: set[str] | None = None

    def install(self) -> None:
        """Look at this thread, at later ones of Python, and at napari's workers."""
        from superqt.utils import WorkerBase

        run = WorkerBase.run

        def watched(worker: object) -> None:
            sys.settrace(self._on_event)
            run(worker)

        WorkerBase.run = watched
        threading.settrace(self._on_event)
        sys.settrace(self._on_event)

    @contextmanager
    def watching(self) -> Iterator[set[str]]:
        """Collect paths below the package; complete when the block has ended."""
        self._seen = seen = set()
        try:
            yield seen
        finally:
            self._seen = None

    def _on_event(self, frame: FrameType, _event: str, _argument: object) -> None:
        code, seen = frame.f_code, self._seen
        if seen is None or not code.co_flags & FUNCTION:
            return
        if code.co_filename.startswith(self._root):
            seen.add(code.co_filename.removeprefix(self._root))


def main() -> None:
    """Click, and print how many files that passed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", action="store_true", help="name the files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["NAPARI_CONFIG"] = str(Path(home) / "settings.yaml")
        os.environ["HOME"] = os.environ["USERPROFILE"] = home
        (first, _), *others = clicked()
    later, seconds = zip(*others, strict=True)
    counts = [len(files) for files in later]
    print(
        f"first click: {len(first)} files; later clicks: "
        f"median {np.median(counts):.0f}, {min(counts)} to {max(counts)}, "
        f"in {1000 * np.median(seconds):.0f} ms while counting"
    )
    entered = Counter(file for files in later for file in files)
    for file in sorted(entered) if options.files else ():
        print(f"{entered[file]:3} of {len(later)}  {file}")
    rooms = Counter(str(Path(file).parent.as_posix()) for file in entered)
    print("; ".join(f"{room}: {count}" for room, count in sorted(rooms.items())))


def clicked() -> list[tuple[set[str], float]]:
    """Return the files that each click on a cell passed, and how long it took."""
    window = Window()
    entered = EnteredFiles(Path(napari_sam2.__file__).parent)
    entered.install()
    paths = []
    for object_id, place in enumerate(window.cells, start=1):
        begun = time.perf_counter()
        with held_back(), entered.watching() as files:
            window.press(place)
            live_until(partial(window.shows, object_id, place))
        paths.append((files, time.perf_counter() - begun))
        window.begin_next_object()
    window.close()
    return paths


class Window:
    """A viewer with a movie, the dock, and the tool in hand."""

    def __init__(self) -> None:
        import napari

        movie = SimulatedMovie(
            MovieConfig(
                frame_count=FRAMES,
                frame_shape=(SIDE, SIDE),
                cell_count=CELLS,
                cell_size=SIDE // 9,
                division_rate=0,
                seed=1,
            )
        )
        labels = movie.labels(0)
        self.cells = [
            np.argwhere(labels == one).mean(axis=0) for one in np.unique(labels)[1:]
        ]
        self.viewer = napari.Viewer()
        self.image = self.viewer.add_image(
            np.stack([movie.frame(index) for index in range(FRAMES)]),
            name="movie",
            contrast_limits=(100, 3000),
            axis_labels=("t", "y", "x"),
        )
        dock = tracker_dock()(self.viewer)
        self.viewer.window.add_dock_widget(dock)
        self.parts = getattr(dock, "parts", dock)  # before ui had rooms: the dock
        self.viewer.dims.set_current_step(0, 0)
        self.rest()
        self.parts.tool.action.trigger()

    def press(self, place: np.ndarray) -> None:
        """Press and release the mouse on the canvas, where a pixel of the movie is."""
        from qtpy.QtCore import QPoint, Qt
        from qtpy.QtTest import QTest

        canvas = self.viewer.window._qt_viewer.canvas
        node = canvas.layer_to_visual[self.image].node
        corner = place[::-1] + 0.5
        column, row = node.get_transform("visual", "canvas").map(corner)[:2]
        QTest.mouseClick(
            canvas.native,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
            QPoint(round(column), round(row)),
        )

    def shows(self, object_id: int, place: np.ndarray) -> bool:
        """Whether an object is seen at a pixel; enters nothing of ours."""
        from napari.layers import Labels

        return any(
            layer.get_value((0, *place)) == object_id
            for layer in self.viewer.layers
            if isinstance(layer, Labels)
        )

    def begin_next_object(self) -> None:
        """Let the next click be about a new object, when all is quiet."""
        self.rest()
        self.parts.prompt_panel.new_object_button.click()
        self.rest()

    def rest(self) -> None:
        """Let what waits for a pause be done."""
        end = time.monotonic() + REST
        worker = self.parts.conductor.worker
        live_until(lambda: time.monotonic() > end and bool(worker.is_idle))

    def close(self) -> None:
        """Let go of the window."""
        self.parts.conductor.worker.close()
        self.viewer.close()


def tracker_dock() -> Any:
    """Return the class of the dock, wherever it lies."""
    try:
        module = import_module("napari_sam2.ui.dock.dock")
    except ModuleNotFoundError:  # before ui had rooms
        module = import_module("napari_sam2.ui.dock")
    return module.TrackerDock


def live_until(is_so: Callable[[], bool]) -> None:
    """Let the window live until something is so."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError("the window did not come so far")
        QApplication.processEvents()
        time.sleep(0.001)


@contextmanager
def held_back() -> Iterator[None]:
    """Let timers that wait for a person's pause begin anew instead of running out."""
    from qtpy.QtCore import QEvent, QObject, QTimer
    from qtpy.QtWidgets import QApplication

    class Patience(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            is_timer = event.type() == QEvent.Type.Timer and isinstance(watched, QTimer)
            return is_timer and watched.interval() in PAUSES_MS

    application, patience = QApplication.instance(), Patience()
    application.installEventFilter(patience)
    try:
        yield
    finally:
        application.removeEventFilter(patience)


if __name__ == "__main__":
    main()
