"""The main action: in sight at every window size, and the picture goes along."""

import dask.array as da
import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QPoint, Qt
from tests.engine.engine_steps import click
from tests.ui.conftest import HELD
from tests.ui.hand import Hand, unwrapped


def shown(viewer, size, qtbot):
    window = unwrapped(viewer).window._qt_window
    window.resize(*size)
    with qtbot.waitExposed(window):
        window.show()
    return window


@pytest.mark.parametrize("size", [(1089, 768), (1366, 768), (1600, 1000)])
def test_track_is_in_sight_and_the_picture_is_large(open_dock, qtbot, size):
    viewer, dock = open_dock()
    window = shown(viewer, size, qtbot)
    assert (window.width(), window.height()) == size
    button = dock.run_bar.track_button
    qtbot.waitUntil(lambda: not button.visibleRegion().isEmpty())
    placing = open_dock.docks[0].placing
    qtbot.waitUntil(lambda: not placing.isActive())
    qtbot.wait(200)
    assert button.visibleRegion().boundingRect() == button.rect()
    assert window.rect().contains(button.mapTo(window, QPoint(0, 0)))
    canvas = window._qt_viewer.canvas.native
    assert canvas.width() >= size[0] / 2
    assert canvas.height() >= size[1] / 2
    # The view was fitted to the canvas that is left.
    height, width = viewer.layers["movie"].data.shape[1:]
    zoom = viewer.scene.camera.zoom
    share = zoom * height / canvas.height(), zoom * width / canvas.width()
    assert 0.8 < max(share) <= 1


def test_the_window_is_no_higher_where_napari_remembers_the_left_side(open_dock, qtbot):
    """Three docks above each other made it 840 pixels high, and it stayed so."""
    size = (1089, 768)
    viewer, _ = open_dock(
        before_dock=lambda viewer: shown(viewer, size, qtbot), area="left"
    )
    placing = open_dock.docks[0].placing
    qtbot.waitUntil(lambda: not placing.isActive())
    qtbot.wait(100)
    window = unwrapped(viewer).window._qt_window
    assert (window.width(), window.height()) == size


def test_from_an_open_movie_to_the_first_tracked_cell_in_four_actions(
    open_dock, answered
):
    viewer, dock = open_dock()  # 1: the dock
    hand = Hand(viewer)
    hand.push("W")  # 2: the tool
    shown = viewer.dims.current_step[0]
    hand.click(shown, 30, 40)  # 3: the cell
    answered(dock)
    hand.push("G")  # 4: track
    answered(dock)
    assert dock.conductor.tables.computed().all()
    assert not dock.conductor.book[1].stale
    assert open_dock.docks[0].strip.isTabVisible(1)  # plots, of something now


def test_what_a_run_took_is_not_said_of_another_movie(open_dock, answered, stack):
    viewer, dock = open_dock()
    dock.conductor.set_prompt(click(1, 0, (30, 40)))
    answered(dock)
    Hand(viewer).push("G")
    answered(dock)
    assert dock.run_bar.pace.text().startswith("12 steps in ")
    other = viewer.add_image(stack + 1, name="other", axis_labels=("t", "y", "x"))
    dock.input_panel.layer_combo.choose(other)
    assert dock.run_bar.pace.text() == ""


def test_a_run_that_could_not_begin_is_over(open_dock, answered, qtbot, monkeypatch):
    """A bug before the first frame left *Starting …*, and *Stop* that did nothing."""
    _, dock = open_dock()
    engine = dock.conductor.engine

    def broken(*_what):
        raise ModuleNotFoundError("No module named 'torchvision'")
        yield

    for verb in ("apply", "warm", "picture"):
        monkeypatch.setattr(engine, verb, lambda *_what: iter(()))
    monkeypatch.setattr(engine, "track", broken)
    monkeypatch.setattr(notification_manager, "receive_error", lambda *_error: None)
    dock.conductor.set_prompt(click(1, 0, (30, 40)))
    # With PySide6 napari's own note of a worker's error fails: it expects no error.
    with qtbot.captureExceptions():
        qtbot.mouseClick(dock.run_bar.track_button, Qt.MouseButton.LeftButton)
        answered(dock)
    assert not dock.conductor.is_tracking
    assert dock.run_bar.bar.isHidden()
    assert dock.run_bar.track_button.text() == "Track (G)"
    assert "torchvision" in dock.status.text()


@pytest.fixture(params=["numpy", "dask"])
def movie_array(request, stack):
    """The movie in memory, and as napari's cache of dask arrays reads it."""
    return (
        stack if request.param == "numpy" else da.from_array(stack, chunks=(1, 96, 112))
    )


def test_the_picture_goes_along_with_the_tracker(
    open_dock, answered, qtbot, movie_array
):
    _, dock = open_dock(movie_array)
    dock.conductor.set_prompt(click(1, 0, (30, 40)))
    answered(dock)
    dock.frame_cursor.go_to(0)
    seen = []
    dock.frame_cursor.moved.connect(seen.append)
    qtbot.mouseClick(dock.run_bar.track_button, Qt.MouseButton.LeftButton)
    answered(dock)
    assert seen == list(range(1, len(movie_array)))
    assert not dock.conductor.book[1].stale


def test_a_movie_that_is_shown_as_a_volume_is_not_moved_through(
    open_dock, answered, qtbot
):
    """Each frame drew it whole: with OpenGL of the processor the window stood still."""
    viewer, dock = open_dock()
    dock.conductor.set_prompt(click(1, 0, (30, 40)))
    answered(dock)
    viewer.dims.ndisplay = 3
    drawn = []
    for layer in viewer.layers:
        layer.events.set_data.connect(lambda event: drawn.append(event.source.name))
    moved = []
    viewer.dims.events.current_step.connect(moved.append)
    Hand(viewer).push("G")
    answered(dock)
    assert moved == []
    assert "movie" not in drawn
    labels = dock.masklets.layer
    assert labels.name in drawn
    whole = np.asarray(labels.data)
    qtbot.waitUntil(
        lambda: np.array_equal(unwrapped(labels)._slice.image.raw, whole),
    )


def test_the_picture_follows_until_somebody_moves(open_dock, answered, qtbot):
    viewer, dock = open_dock()
    dock.conductor.set_prompt(click(1, 0, (30, 40)))
    answered(dock)
    dock.frame_cursor.go_to(0)
    dock.conductor.warm(0)
    bar = dock.run_bar
    moved = []

    def look_back(_frame):
        if dock.frame_cursor.frame_index == 4 and not moved:
            moved.append(True)
            viewer.dims.set_point(0, 1)

    dock.frame_cursor.moved.connect(look_back)
    qtbot.mouseClick(bar.track_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(moved))
    assert not bar.follows
    assert not bar.follow_button.isHidden()
    answered(dock)
    assert dock.frame_cursor.frame_index == 1
    assert bar.follow_button.isHidden()


def test_who_looked_elsewhere_follows_again_by_a_button(
    open_dock, answered, qtbot, held
):
    movie, opened = held
    viewer, dock = open_dock(movie)
    viewer.dims.set_point(0, 0)
    dock.conductor.warm_radius = 0
    dock.conductor.set_prompt(click(1, 0, (30, 40)))
    answered(dock)
    bar = dock.run_bar
    qtbot.mouseClick(bar.track_button, Qt.MouseButton.LeftButton)
    cursor = dock.frame_cursor
    qtbot.waitUntil(lambda: cursor.frame_index == HELD - 1)
    viewer.dims.set_point(0, 1)
    qtbot.mouseClick(bar.follow_button, Qt.MouseButton.LeftButton)
    assert bar.follow_button.isHidden()
    opened.set()
    answered(dock)
    assert cursor.frame_index == len(movie) - 1
