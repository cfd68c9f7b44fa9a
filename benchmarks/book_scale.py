"""What an edit of the book costs in the thread of the window, with many objects.

``xvfb-run -a python benchmarks/book_scale.py [--objects 10 300 2000]`` opens a dock on
a small movie, with one click for each object and scores of all frames, and makes edits;
the worker only takes note of what it is asked. Printed are milliseconds of processor
time of the window's thread: of the call that a mouse or a key makes, and in brackets of
the events that follow from it within a second, painting among them. Targets: no call
above 20 ms with 2,000 objects, nor above three times what it takes with 10; locking all
within 200 ms.

``--save FILE`` keeps the numbers, ``--beside FILE`` prints others next to them, such as
those that the same script finds in another checkout, with that one's ``src`` first in
``PYTHONPATH``. ``--no-lock-all`` leaves out what once took minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np

FRAMES, SIDE = 100, 256
REPEATS = 5
FOLLOWING = 1.0
"""Seconds in which consequences of a call are waited for."""

MANY = 300
"""More objects than these are not locked where that is told to be slow."""


def find(name: str, *modules: str) -> Any:
    """Return what has this name in the first of some modules that is there."""
    for module in modules:
        try:
            return getattr(import_module(f"napari_sam2.{module}"), name)
        except (ImportError, AttributeError):
            continue
    raise ImportError(f"no {name} in {modules}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, nargs="+", default=[10, 300, 2000])
    parser.add_argument("--save", type=Path)
    parser.add_argument("--beside", type=Path)
    parser.add_argument("--no-lock-all", action="store_true")
    options = parser.parse_args()
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for count in options.objects:
        with tempfile.TemporaryDirectory() as home:
            os.environ["NAPARI_CONFIG"] = str(Path(home) / "settings.yaml")
            os.environ["HOME"] = os.environ["USERPROFILE"] = home
            bench = Bench(count)
            locks = count <= MANY or not options.no_lock_all
            found[str(count)] = bench.measured(with_lock_all=locks)
            bench.close()
    beside = json.loads(options.beside.read_text()) if options.beside else {}
    print_table(found, beside)
    if options.save:
        options.save.write_text(json.dumps(found))


def print_table(found: dict[str, Any], beside: dict[str, Any]) -> None:
    """Print milliseconds by verb and number of objects; others in front."""
    columns = list(found)
    titles = [f"{count} objects" for count in columns]
    print(f"{'':10}" + "".join(f"{title:>32}" for title in titles))
    for verb in found[columns[0]]:
        cells = []
        for count in columns:
            parts = [
                f"{table[count][verb][0]:.1f} ({table[count][verb][1]:.0f})"
                for table in (beside, found)
                if verb in table.get(count, {})
            ]
            cells.append(" → ".join(parts) or "–")
        print(f"{verb:10}" + "".join(f"{cell:>32}" for cell in cells))


class Bench:
    """A dock with many objects."""

    def __init__(self, count: int) -> None:
        import napari

        dock_class = find("TrackerDock", "ui.dock.dock", "ui.dock")
        self.ids = list(range(1, count + 1))
        self.viewer = napari.Viewer()
        movie = np.zeros((FRAMES, SIDE, SIDE), np.uint16)
        self.viewer.add_image(movie, name="movie", contrast_limits=(0, 100))
        dock = dock_class(self.viewer)
        self.viewer.window.add_dock_widget(dock)
        self.dock = getattr(dock, "parts", dock)
        self.conductor = self.dock.conductor
        self.jobs: list[Any] = []
        self.conductor.worker.submit = self.jobs.append
        self.open_book()
        self.follow()

    def open_book(self) -> None:
        """Go on with a book of clicked objects that were tracked."""
        state = find("ObjectState", "session.book.state", "session.state")
        book = find("BookState", "session.book.state", "session.state")
        tables = find("ScoreTables", "session.scores.tables", "session.scores")
        ready = find("StoreReady", "engine", "ui.engine")
        scores = find("ScoresRead", "engine", "ui.engine")
        objects = [
            state(one, f"cell {one}", None, (self.click(one),)) for one in self.ids
        ]
        request = self.dock.request()
        self.conductor.editor.go_on_with(request, book(tuple(objects)))
        hear = self.jobs[-1].deliver
        labels = np.zeros((FRAMES, SIDE, SIDE), np.uint16)
        try:
            hear(ready(request, labels.dtype, lambda frame: labels[frame]))
        except TypeError:  # an older checkout reads from an array
            hear(ready(request, labels))
        known = tables.empty(self.ids, FRAMES)
        rng = np.random.default_rng(0)
        for name in ("object_score", "predicted_iou", "stability", "area", "y", "x"):
            getattr(known, name)[:] = rng.random((FRAMES, len(self.ids))) + 0.1
        hear(scores(known))

    def click(self, object_id: int, shift: float = 0.0) -> Any:
        """Return a click on an object, each at its own place of the first frame."""
        prompts = import_module("napari_sam2.prompts")
        y, x = divmod(5 * object_id, SIDE)
        return prompts.FramePrompt(
            object_id, 0, (prompts.PointPrompt(5.0 * y % SIDE, x + shift),)
        )

    def measured(self, *, with_lock_all: bool) -> dict[str, tuple[float, float]]:
        """Return median milliseconds of each verb, and of what follows."""
        chosen = np.linspace(1, len(self.ids), REPEATS + 1).astype(int).tolist()
        verbs: dict[str, Callable[[int], object]] = {
            "click": lambda one: self.conductor.set_prompt(self.click(one, 0.5)),
            "hover": self.hover,
            "select": self.dock.selection.go_on_with,
            "rename": lambda one: self.conductor.rename(one, f"renamed {one}"),
            "undo": lambda _one: self.undo(),
        }
        found = {}
        for name, verb in verbs.items():
            times = []
            for one in chosen:
                if name == "undo":
                    self.before = self.conductor.book
                    self.conductor.rename(one, "to be undone")
                    self.follow()
                times.append(self.timed(lambda verb=verb, one=one: verb(one)))
            found[name] = median(times[1:])
        if with_lock_all:
            times = []
            for _ in range(3):
                times.append(self.timed(self.lock_all))
                self.undo()
                self.follow()
            found["lock all"] = median(times)
        return found

    def hover(self, object_id: int) -> None:
        """Ask what a click would give, and show what it gives."""
        self.conductor.hover(0, self.click(object_id))
        mask = np.zeros((SIDE, SIDE), bool)
        mask[:9, :9] = True
        self.dock.tool.show_hover(0, object_id, mask)

    def lock_all(self) -> None:
        """Lock all objects on all frames."""
        frames = find("FrameSet", "session.planning.frame_set", "session.frame_set")
        whole = frames.between(0, FRAMES - 1)
        if hasattr(self.conductor, "lock_all"):
            self.conductor.lock_all(self.ids, whole)
        else:
            flag = find("FrameFlag", "session.book.state")
            self.conductor.flag(flag.LOCKED, self.ids, whole)

    def undo(self) -> None:
        """Take the last edit back, as the worker would answer."""
        returned = find("BookReturned", "engine", "ui.engine")
        self.conductor.undo()
        job = self.jobs[-1]
        job.deliver(returned("edit", self.before))
        job.finish(True)

    def timed(self, call: Callable[[], object]) -> tuple[float, float]:
        """Return milliseconds of a call, and of the events that follow from it."""
        before = self.conductor.book
        begun = time.thread_time()
        call()
        taken = time.thread_time() - begun
        self.before = before
        return 1000 * taken, 1000 * self.follow()

    def follow(self) -> float:
        """Let the window live for a while; return its thread's seconds."""
        from qtpy.QtWidgets import QApplication

        begun, end = time.thread_time(), time.perf_counter() + FOLLOWING
        while time.perf_counter() < end:
            QApplication.processEvents()
            time.sleep(0.005)
        return time.thread_time() - begun

    def close(self) -> None:
        """Close the window."""
        self.conductor.worker.submit = MagicMock()
        self.viewer.close()


def median(times: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the medians of both parts."""
    first, second = np.median(np.array(times), axis=0)
    return float(first), float(second)


if __name__ == "__main__":
    main()
