"""Layers and windows that come and go while something is tracked."""

import numpy as np
import pytest
from qtpy.QtCore import Qt, QThreadPool
from tests.engine.engine_steps import click
from tests.ui.conftest import HELD, PATIENCE
from tests.ui.hand import Hand, unwrapped


@pytest.fixture
def tracking(open_dock, answered, qtbot, held):
    """A run that waits for a frame; a function that lets it go on, and waits."""
    movie, opened = held
    viewer, dock = open_dock(movie)
    dock.conductor.warm_radius = 0
    viewer.dims.set_point(0, 0)
    dock.conductor.set_prompt(click(1, 0, (30, 40)))
    answered(dock)
    failed = []
    dock.conductor.failed.connect(failed.append)
    qtbot.mouseClick(dock.run_bar.track_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dock.frame_cursor.frame_index == HELD - 1)

    def go_on():
        opened.set()
        answered(dock)
        return failed

    return viewer, dock, go_on


def test_masklets_deleted_while_they_are_tracked_come_back_whole(tracking, qtbot):
    viewer, dock, go_on = tracking
    name = dock.masklets.layer.name
    viewer.layers.selection.active = viewer.layers[name]
    bin_button = unwrapped(viewer).window._qt_viewer.layerButtons.deleteButton
    qtbot.mouseClick(bin_button, Qt.MouseButton.LeftButton)
    assert name not in viewer.layers
    assert go_on() == []
    assert dock.status.text().startswith("Done.")
    labels = np.asarray(viewer.layers[name].data)
    assert labels.any(axis=(1, 2)).all()
    assert viewer.layers[name].editable


def test_a_movie_opened_while_another_is_tracked_changes_nothing(tracking, stack):
    viewer, dock, go_on = tracking
    longer = np.concatenate([stack, stack])[:, :, ::-1]
    viewer.add_image(longer, name="other", axis_labels=("t", "y", "x"))
    assert go_on() == []
    assert dock.input_panel.layer.name == "movie"
    assert dock.status.text().startswith("Done.")
    assert not dock.conductor.book[1].stale
    dock.input_panel.layer_combo.choose(viewer.layers["other"])
    assert dock.conductor.book.objects == ()


def test_a_window_closed_while_tracking_leaves_what_was_written(
    tracking, open_dock, answered, qtbot, held
):
    viewer, dock, _ = tracking
    movie, opened = held
    folder = dock.output_panel.folder
    viewer.close()
    qtbot.wait(10)
    assert dock.conductor.worker.is_closed
    opened.set()
    assert QThreadPool.globalInstance().waitForDone(PATIENCE)
    again, dock = open_dock(movie)
    dock.conductor.open_session(folder)
    answered(dock)
    assert dock.conductor.tables.computed()[:HELD].all()
    Hand(again).push("G")
    answered(dock)
    assert dock.status.text().startswith("Done.")
    assert dock.conductor.tables.computed().all()
