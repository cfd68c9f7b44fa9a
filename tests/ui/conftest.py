"""A small movie, models to track in it, and a viewer with the dock."""

from __future__ import annotations

import gc
import os

import numpy as np
import pytest
from qtpy.QtCore import QThreadPool
from tests.ui.engine_steps import Table, movie_input

from napari_sam2.engine import Request
from napari_sam2.synthetic import MovieConfig, SimulatedMovie

FRAMES = 12
TRAINED_MODEL = os.environ.get("NAPARI_SAM2_TEST_MODEL", "nano")
"""The bundled model, or the path of another one that can follow cells."""

PATIENCE = 120_000
"""Milliseconds after which a worker is stuck."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Let go of closed windows here, in the main thread.

    A viewer lies in a circle of references until Python looks for such. If it looks in
    a worker of a later test, vispy's second OpenGL context is deleted there while it is
    the current one here, and with PySide6 the next window that goes ends the process.
    """
    done = yield
    if any(name.startswith("make_napari_viewer") for name in item.fixturenames):
        gc.collect()
    return done


@pytest.fixture(scope="session")
def movie():
    return SimulatedMovie(
        MovieConfig(
            frame_count=FRAMES,
            frame_shape=(96, 112),
            cell_count=3,
            cell_size=26,
            division_rate=0,
            overlap=0,
            open_border=False,
            seed=4,
        )
    )


@pytest.fixture(scope="session")
def stack(movie):
    """``(T, Y, X)`` uint16."""
    return np.stack([movie.frame(index) for index in range(FRAMES)])


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """Path of a random toy network whose masks are neither full nor empty."""
    import torch

    from napari_sam2.model.checkpoints.checkpoint import build_model, save_model

    model = build_model("toy", seed=3)
    with torch.no_grad():
        model.mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(2.0)
        for mlp in model.mask_decoder.output_hypernetworks_mlps:
            mlp.layers[-1].weight.mul_(20.0)
    path = tmp_path_factory.mktemp("models") / "toy.safetensors"
    save_model(model, path)
    return str(path)


@pytest.fixture(scope="session")
def trained():
    """Name or path of a model that was trained."""
    from napari_sam2.model.checkpoints.checkpoint import weights_path

    weights_path(TRAINED_MODEL)  # fails here, and says why, if it is not there
    return TRAINED_MODEL


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Give the tests a home folder of their own: masklets go below it."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


@pytest.fixture
def open_dock(make_napari_viewer_proxy, qtbot, stack, toy):
    """Return a function that opens a viewer with a movie and the dock."""
    from napari_sam2.ui.dock.dock import TrackerDock

    docks = []

    def opened(image=stack, model=toy, before_dock=lambda _viewer: None, **options):
        viewer = make_napari_viewer_proxy()
        if image is not None:
            options.setdefault("axis_labels", ("t", "y", "x"))
            options.setdefault("contrast_limits", (100, 3000))
            viewer.add_image(image, name="movie", **options)
        before_dock(viewer)
        dock = TrackerDock(viewer)
        docks.append(dock)
        viewer.window.add_dock_widget(dock, name="SAM 2 Tracker")
        dock.model_panel.choose(model)
        return viewer, dock

    yield opened
    for dock in docks:
        dock.conductor.worker.close()
    # What still runs may not outlive the viewer; its last signals are then delivered.
    assert QThreadPool.globalInstance().waitForDone(PATIENCE)
    qtbot.wait(10)


@pytest.fixture
def answered(qtbot):
    """Return a function that waits until clicks are answered and masks are written."""

    def wait(dock):
        qtbot.wait(80)
        qtbot.waitUntil(lambda: dock.conductor.worker.is_idle, timeout=PATIENCE)

    return wait


@pytest.fixture
def request_for(stack, toy, tmp_path):
    def make(folder="masklets.zarr", limits=(100.0, 3000.0), array=stack, model=toy):
        return Request(movie_input(array, limits), model, tmp_path / folder)

    return make


@pytest.fixture
def table(request_for, stack):
    return Table(request_for(), len(stack))
