"""A viewer with the dock; the movie and the models are those of the engine's tests."""

from __future__ import annotations

import gc
from functools import partial
from threading import Event

import dask.array as da
import pytest
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QApplication
from tests.engine.conftest import (  # noqa: F401
    home,
    movie,
    request_for,
    stack,
    table,
    toy,
    trained,
)

PATIENCE = 300_000
"""Milliseconds after which a worker is stuck."""

HELD = 7
"""A frame behind the middle, where a viewer begins."""


@pytest.fixture(scope="session", autouse=True)
def frozen_imports():
    """Take what is imported out of every later search for garbage.

    napari's fixture searches three times a test, we once: each took 0.4 s to walk over
    600,000 objects of modules, which stay anyway.
    """
    import napari.qt  # noqa: F401

    import napari_sam2.ui.dock.dock  # noqa: F401

    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Let go of closed windows here, in the main thread.

    A viewer lies in a circle of references until Python looks for such. If it looks in
    a worker of a later test, vispy's second OpenGL context is deleted there while it is
    the current one here, and with PySide6 the next window that goes ends the process.
    What is left then, modules that a test was the first to import, stays: no later
    search walks over it.
    """
    done = yield
    if any(name.startswith("make_napari_viewer") for name in item.fixturenames):
        gc.collect()
        gc.freeze()
    return done


@pytest.fixture
def qtbot(qtbot):
    """Wait for whatever is to come as long as for a worker: machines may be busy."""
    qtbot.waitUntil = partial(qtbot.waitUntil, timeout=PATIENCE)
    return qtbot


@pytest.fixture
def open_dock(make_napari_viewer_proxy, qtbot, stack, toy):
    """Return a function that opens a viewer with a movie, and the dock in it.

    It returns the viewer and the parts of the dock; `docks` are all that it opened.
    """
    from napari_sam2.ui.dock.dock import TrackerDock

    def opened(
        image=stack,
        model=toy,
        before_dock=lambda _viewer: None,
        area="right",
        **options,
    ):
        viewer = make_napari_viewer_proxy()
        if image is not None:
            options.setdefault("axis_labels", ("t", "y", "x"))
            options.setdefault("contrast_limits", (100, 3000))
            viewer.add_image(image, name="movie", **options)
        before_dock(viewer)
        dock = TrackerDock(viewer)
        opened.docks.append(dock)
        viewer.window.add_dock_widget(dock, name="SAM 2 Tracker", area=area)
        dock.parts.model_panel.choose(model)
        return viewer, dock.parts

    opened.docks = []
    yield opened
    for dock in opened.docks:
        dock.parts.conductor.worker.close()
    # What still runs may not outlive the viewer; its last signals are then delivered.
    assert QThreadPool.globalInstance().waitForDone(PATIENCE)
    qtbot.wait(10)


@pytest.fixture
def answered(qtbot):
    """Return a function that waits until clicks are answered and masks are written."""

    def wait(dock):
        def is_quiet():
            conductor = dock.conductor
            is_told = not conductor.editor.settling.isActive()
            return dock.marks.is_settled and is_told and conductor.worker.is_idle

        # What one round of events asks for is done in the next.
        for _ in range(2):
            QApplication.processEvents()
            qtbot.waitUntil(is_quiet, timeout=PATIENCE)

    return wait


@pytest.fixture
def held(stack):
    """A movie, and an event: until it is set, frame `HELD` is not read."""
    opened = Event()

    def read(frame, block_info):
        if block_info[0]["chunk-location"][0] == HELD:
            opened.wait()
        return frame

    lazy = da.from_array(stack, chunks=(1, -1, -1))
    yield lazy.map_blocks(read, dtype=stack.dtype, meta=stack[:0]), opened
    opened.set()
