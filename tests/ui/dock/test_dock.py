"""The dock in a viewer: real worker, real label store, a toy or the bundled model."""

import subprocess
import sys
import time
from pathlib import Path
from threading import Event
from unittest.mock import MagicMock

import dask.array as da
import numpy as np
import pytest
import zarr
from filelock import FileLock
from napari.layers import Points
from napari.settings import get_settings
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QMessageBox
from tests.ui.conftest import PATIENCE

from napari_sam2.engine import FrameChanged
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.session.book.state import FrameFlag
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.session import FrameDone

HELD = 10
"""A frame that a run comes to soon; far from the middle, where a viewer begins."""

OPEN_THE_DOCK = """
import sys, napari, numpy as np
viewer = napari.Viewer(show=False)
viewer.add_image(np.zeros((3, 32, 32)))
viewer.window.add_plugin_dock_widget("napari-sam2", "SAM 2 Tracker")
viewer.close()
print(*sys.modules)
"""


@pytest.fixture
def centres(movie):
    """``(y, x)`` in the middle of each cell on frame 0, by cell."""
    truth = movie.labels(0)
    return {
        int(one): np.argwhere(truth == one).mean(axis=0) for one in np.unique(truth)[1:]
    }


def test_opening_the_dock_loads_no_torch(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", OPEN_THE_DOCK],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "napari_sam2.ui.dock.dock" in loaded
    assert not loaded & {"torch", "timm", "torchvision"}


def test_a_click_shows_the_mask_of_the_cell(
    open_dock, answered, trained, movie, centres
):
    """Clicks on all cells, with a model that can see."""
    viewer, dock = open_dock(model=trained)
    dock.prompt_panel.new_points_button.click()
    points = dock.prompt_panel.points
    assert isinstance(points, Points)
    assert points.mode == "add"
    for y, x in centres.values():
        points.add((0, y, x))
        answered(dock)
        dock.prompt_panel.new_object_button.click()
    labels = dock.masklets.layer
    truth = movie.labels(0)
    for object_id, (cell, (y, x)) in enumerate(centres.items(), start=1):
        shown, real = np.asarray(labels.data[0]) == object_id, truth == cell
        assert shown[round(y), round(x)]
        assert (shown & real).sum() / (shown | real).sum() > 0.5
    assert viewer.layers.selection.active.unique_id == points.unique_id
    on_disk = zarr.open_array(dock.output_panel.folder / "labels/masklets/0", mode="r")
    np.testing.assert_array_equal(on_disk[0], labels.data[0])


def test_more_clicks_refine_and_removed_ones_take_back(open_dock, answered):
    _, dock = open_dock()
    dock.prompt_panel.new_points_button.click()
    points = dock.prompt_panel.points
    points.add((3, 30, 40))
    answered(dock)
    labels = dock.masklets.layer
    first = np.array(labels.data[3])
    assert set(np.unique(first)) == {0, 1}
    dock.prompt_panel.negative_button.click()
    points.add((3, 60, 80))
    answered(dock)
    assert points.features["positive"].tolist() == [True, False]
    assert not np.array_equal(labels.data[3], first)
    points.selected_data = {1}
    points.remove_selected()
    answered(dock)
    np.testing.assert_array_equal(labels.data[3], first)
    points.selected_data = {0}
    points.remove_selected()
    answered(dock)
    assert not np.asarray(labels.data[:]).any()


def test_a_first_click_that_is_negative_asks_for_a_positive_one(open_dock, answered):
    _, dock = open_dock()
    said = []
    dock.conductor.failed.connect(said.append)
    dock.prompt_panel.new_points_button.click()
    points = dock.prompt_panel.points
    dock.prompt_panel.negative_button.click()
    points.add((3, 60, 80))
    answered(dock)
    assert "add a positive one" in str(said[0])
    labels = dock.masklets.layer
    assert not np.asarray(labels.data[3]).any()  # the refused cell is not the object
    dock.prompt_panel.positive_button.click()
    points.add((3, 30, 40))
    answered(dock)
    assert np.asarray(labels.data[3])[30, 40] == 1
    assert len(said) == 1


def test_masklets_deleted_from_the_list_come_back(open_dock, answered):
    viewer, dock = open_dock()
    dock.prompt_panel.new_points_button.click()
    dock.prompt_panel.points.add((0, 30, 40))
    answered(dock)
    viewer.layers.remove(dock.masklets.layer.name)
    assert dock.masklets.layer is None
    dock.prompt_panel.points.add((0, 31, 41))
    answered(dock)
    assert np.asarray(dock.masklets.layer.data[0]).any()


def test_keys_begin_a_new_object_and_turn_the_last_click_round(open_dock, answered):
    _, dock = open_dock()
    dock.prompt_panel.new_points_button.click()
    points = dock.prompt_panel.points
    points.add((0, 30, 40))
    answered(dock)
    keys = {str(key): action for key, action in points.keymap.items()}
    keys["T"](points)
    assert points.features["positive"].tolist() == [False]
    keys["N"](points)
    points.add((0, 60, 80))
    answered(dock)
    assert points.features["label"].tolist() == [1, 2]
    assert points.features["positive"].tolist() == [False, True]
    assert not np.allclose(points.border_color[0], points.border_color[1])


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_masks_stream_in_while_the_window_lives(
    open_dock, answered, qtbot, stack, is_async
):
    settings = get_settings().experimental
    before, settings.async_ = settings.async_, is_async
    try:
        _, dock = open_dock()
        dock.prompt_panel.new_points_button.click()
        dock.prompt_panel.points.add((0, 30, 40))
        answered(dock)
        seen, beats = [], []
        layer = dock.masklets.layer
        layer.events.set_data.connect(lambda: seen.append(time.monotonic()))
        dock.run_bar.track_button.click()
        assert dock.run_bar.is_tracking
        assert not layer.editable
        while not dock.conductor.worker.is_idle:
            qtbot.wait(10)
            beats.append(time.monotonic())
        qtbot.wait(250)
        assert all(np.asarray(layer.data[index]).any() for index in range(len(stack)))
        assert len(beats) > 5
        assert seen
        assert layer.editable
        assert not dock.run_bar.is_tracking
        assert dock.run_bar.bar.value() == dock.run_bar.bar.maximum()
        assert "Done" in dock.status.text()
    finally:
        settings.async_ = before


@pytest.fixture
def held(stack):
    """A movie of 48 frames, and an event: until it is set, `HELD` is not read."""
    frames = np.concatenate([stack] * 4)
    opened = Event()

    def read(frame, block_info):
        if block_info[0]["chunk-location"][0] == HELD:
            opened.wait()
        return frame

    lazy = da.from_array(frames, chunks=(1, -1, -1))
    yield lazy.map_blocks(read, dtype=frames.dtype, meta=frames[:0]), opened
    opened.set()


def test_cancelling_keeps_what_was_written_and_track_goes_on(
    open_dock, answered, qtbot, held
):
    movie, opened = held
    _, dock = open_dock(movie)
    dock.prompt_panel.new_points_button.click()
    dock.prompt_panel.points.add((0, 30, 40))
    answered(dock)
    dock.run_bar.track_button.click()
    qtbot.waitUntil(lambda: dock.run_bar.bar.value() > 3)
    dock.run_bar.track_button.click()
    opened.set()
    answered(dock)
    reached = dock.run_bar.bar.value()
    written = np.asarray(dock.masklets.layer.data[:]).any(axis=(1, 2))
    assert reached < len(movie)
    assert written[: reached - 2].all()
    assert not written[reached + 1 :].any()
    assert "Stopped" in dock.status.text()
    positions = []
    dock.run_bar.show_progress = lambda position, _: positions.append(position)
    dock.run_bar.track_button.click()
    answered(dock)
    assert positions[0] == reached + 1
    assert np.asarray(dock.masklets.layer.data[:]).any(axis=(1, 2)).all()


def test_a_click_is_answered_while_tracking(open_dock, answered, qtbot, held):
    movie, opened = held
    _, dock = open_dock(movie)
    dock.prompt_panel.new_points_button.click()
    points = dock.prompt_panel.points
    points.add((0, 30, 40))
    answered(dock)
    happened = []
    dock.conductor.happened.connect(happened.append)
    dock.conductor.frame_changed.connect(
        lambda frame, labels: happened.append(FrameChanged(frame, labels))
    )
    dock.run_bar.track_button.click()
    qtbot.waitUntil(lambda: dock.run_bar.bar.value() > 2)
    dock.prompt_panel.new_object_button.click()
    points.add((40, 60, 80))
    qtbot.waitUntil(lambda: 2 in dock.conductor.book)
    opened.set()  # the run stood still so long, and then the click is more urgent
    answered(dock)
    is_answer = [
        isinstance(one, FrameChanged) and bool((one.labels == 2).any())
        for one in happened
    ]
    run_after_it = happened[is_answer.index(True) :]
    assert any(isinstance(one, FrameDone) for one in run_after_it)
    assert (np.asarray(dock.masklets.layer.data[40]) == 2).any()


def test_layers_that_are_scaled_and_moved_meet_in_the_world(open_dock, answered, stack):
    """A points layer of another scale than the image; the image has a scale too."""
    place = {"scale": (2.0, 0.5, 0.25), "translate": (10.0, 5.0, -3.0)}
    viewer, dock = open_dock(stack, **place)
    clicked = np.array([3.0, 30.0, 40.0])
    world = clicked * place["scale"] + place["translate"]
    viewer.add_points([world], name="mine", features={"label": [4], "positive": [True]})
    viewer.layers.selection.active = viewer.layers["movie"]
    dock.prompt_panel.points_combo.choose(viewer.layers["mine"])
    answered(dock)
    (thing,) = dock.conductor.book.objects
    (prompt,) = thing.prompts
    assert (prompt.object_id, prompt.frame_index) == (4, 3)
    assert (prompt.points[0].y, prompt.points[0].x) == pytest.approx((30, 40))
    labels = dock.masklets.layer
    assert viewer.layers.index(labels) > viewer.layers.index(viewer.layers["movie"])
    np.testing.assert_allclose(labels.scale, place["scale"])
    np.testing.assert_allclose(labels.translate, place["translate"])
    assert (np.asarray(labels.data[3]) == 4).any()
    viewer.dims.set_point(0, world[0])
    assert dock.masklets.displayed_frame() == 3


def test_a_plane_of_a_stack_in_time_is_tracked(open_dock, answered, stack):
    volume = np.stack([stack, stack[::-1]], axis=1)
    viewer, dock = open_dock(volume, axis_labels=("t", "z", "y", "x"))
    dock.input_panel.plane_spins[1].setValue(1)
    dock.prompt_panel.new_points_button.click()
    dock.prompt_panel.points.add((2, 1, 30, 40))
    answered(dock)
    labels = dock.masklets.layer
    assert labels.data.shape == volume.shape
    assert np.asarray(labels.data[2, 1]).any()
    assert not np.asarray(labels.data[2, 0]).any()
    viewer.dims.set_point(0, 2)
    assert dock.masklets.displayed_frame() == 2


def test_what_a_person_can_mend_is_said(open_dock, answered):
    notified = []
    notification_manager.notification_ready.connect(
        lambda one: notified.append(one.message)
    )
    viewer, dock = open_dock(image=None)
    dock.prompt_panel.new_points_button.click()
    assert "movie first" in dock.status.text()
    viewer.add_image(np.zeros((4, 32, 32), bool), name="a mask")
    dock.run_bar.track_button.click()
    assert "click on a cell first" in dock.status.text()
    dock.prompt_panel.new_points_button.click()
    answered(dock)
    assert "boolean" in dock.status.text()
    assert len(notified) == 3


def test_a_stroke_is_an_anchor_and_one_undo(open_dock, answered, qtbot):
    _, dock = open_dock()
    dock.conductor.set_prompt(FramePrompt(1, 0, (PointPrompt(30, 40),)))
    answered(dock)
    layer = dock.masklets.layer
    before = np.array(layer.data[0])
    layer.selected_label, layer.brush_size = 5, 9
    with layer.block_history():
        layer.paint((0, 70, 90), 5)
    answered(dock)
    (new,) = [one for one in dock.conductor.book.objects if one.object_id == 5]
    np.testing.assert_array_equal(new.prompts[0].mask.mask, layer.data[0] == 5)
    on_disk = zarr.open_array(dock.output_panel.folder / "labels/masklets/0", mode="r")
    np.testing.assert_array_equal(on_disk[0], layer.data[0])
    dock.conductor.undo()
    answered(dock)
    # Frames that are new on disk are read again when they are looked at.
    qtbot.waitUntil(lambda: np.array_equal(layer.data[0], before))
    assert [one.object_id for one in dock.conductor.book.objects] == [1]
    dock.conductor.redo()
    answered(dock)
    qtbot.waitUntil(lambda: bool((layer.data[0] == 5).any()))


def test_one_undo_takes_back_a_correction_and_its_repair(open_dock, answered, qtbot):
    _, dock = open_dock()
    conductor = dock.conductor
    conductor.set_prompt(FramePrompt(1, 0, (PointPrompt(30, 40),)))
    answered(dock)
    dock.run_bar.track_button.click()
    answered(dock)
    on_disk = zarr.open_array(dock.output_panel.folder / "labels/masklets/0", mode="r")
    before = on_disk[:]

    def correct(frame_index):
        conductor.set_prompt(FramePrompt(1, frame_index, (PointPrompt(60, 60),)))
        qtbot.waitUntil(lambda: not conductor.book[1].stale)
        answered(dock)
        return on_disk[:]

    first = correct(6)
    second = correct(9)
    assert (before[8] != first[8]).any()
    for expected, anchors in ((first, (0, 6)), (before, (0,))):
        conductor.undo()
        answered(dock)
        assert conductor.book[1].anchors == anchors
        assert not conductor.book[1].stale
        np.testing.assert_array_equal(on_disk[:], expected)
    for expected in (first, second):
        conductor.redo()
        answered(dock)
        np.testing.assert_array_equal(on_disk[:], expected)
    assert not conductor.book[1].stale


def test_a_session_is_opened_in_another_window(open_dock, answered):
    _, dock = open_dock()
    dock.conductor.set_prompt(FramePrompt(1, 2, (PointPrompt(30, 40),)))
    answered(dock)
    dock.conductor.rename(1, "mother")
    dock.conductor.flag(FrameFlag.LOCKED, [1], FrameSet.of([5]))
    dock.conductor.save()
    answered(dock)
    labels, folder = np.array(dock.masklets.layer.data[2]), dock.output_panel.folder
    dock.conductor.close()
    viewer, other = open_dock()
    other.conductor.open_session(folder)
    answered(other)
    assert other.output_panel.folder == folder
    (thing,) = other.conductor.book.objects
    assert (thing.name, thing.anchors, 5 in thing.locked) == ("mother", (2,), True)
    viewer.dims.set_current_step(0, 2)
    answered(other)
    np.testing.assert_array_equal(other.masklets.layer.data[2], labels)
    other.conductor.undo()
    answered(other)
    assert not other.conductor.book[1].locked


@pytest.mark.parametrize("button", ["Yes", "No"])
def test_a_session_whose_movie_changed_asks(
    open_dock, answered, stack, monkeypatch, button
):
    _, dock = open_dock()
    dock.conductor.set_prompt(FramePrompt(1, 2, (PointPrompt(30, 40),)))
    answered(dock)
    dock.conductor.save()
    answered(dock)
    folder = dock.output_panel.folder
    dock.conductor.close()
    asked = MagicMock(return_value=QMessageBox.StandardButton[button])
    monkeypatch.setattr(QMessageBox, "question", asked)
    _, other = open_dock(np.ascontiguousarray(stack[::-1]))
    other.conductor.open_session(folder)
    answered(other)
    answered(other)
    assert "another movie" in asked.call_args.args[2]
    assert (other.masklets.layer is not None) == (button == "Yes")


def test_closing_the_dock_leaves_no_trace(open_dock, answered, qtbot):
    viewer, dock = open_dock()
    dock.prompt_panel.new_points_button.click()
    points = dock.prompt_panel.points
    points.add((0, 30, 40))
    answered(dock)
    dock.run_bar.track_button.click()
    worker = dock.conductor.worker
    queue, dock_folder = worker._queue, dock.output_panel.folder
    (closed,) = open_dock.docks
    with qtbot.waitSignal(closed.destroyed):
        viewer.window.remove_dock_widget(closed)  # what the cross of a dock does
    assert not viewer.window.dock_widgets
    assert queue.is_closed
    qtbot.waitUntil(lambda: not queue.has_work)
    assert not points.keymap
    # Another window, or a run, may write the masklets.
    (lock,) = dock_folder.rglob("writing.lock")
    with FileLock(lock, timeout=60):
        pass
    # None of these reaches the dock any more.
    points.add((0, 50, 60))
    viewer.add_image(np.zeros((4, 8, 8)))
    viewer.layers.remove(viewer.layers[0])
    qtbot.wait(100)


def test_what_the_panels_say_is_asked_again_when_one_of_them_changes(open_dock, stack):
    viewer, dock = open_dock(stack)
    layer, said = viewer.layers["movie"], dock.request()
    assert dock.request() is said
    layer.contrast_limits = (200, 2000)
    assert dock.request().image.channels[0].look.limits == (200.0, 2000.0)
    layer.scale = (3, 2, 2)
    assert dock.request().image.calibration.scale == (3.0, 2.0, 2.0)
    layer.name = "renamed"
    assert dock.request().image.name == "renamed"
    layer.data = stack[:, ::-1].copy()
    assert dock.request().image.movie_key != said.image.movie_key
    dock.output_panel.edit.setText("/elsewhere.zarr")
    assert dock.request().folder == Path("/elsewhere.zarr")
    dock.model_panel.devices.memory_spin.setValue(4)
    assert dock.request().budget == dock.model_panel.choice.budget


def test_tables_hear_of_a_click_when_its_mask_is_shown(open_dock, answered, stack):
    _, dock = open_dock(stack)
    told = []
    dock.conductor.book_changed.connect(lambda book: told.append("marks"))
    dock.conductor.frame_changed.connect(lambda _frame, _labels: told.append("mask"))
    dock.conductor.book_settled.connect(lambda book: told.append("tables"))
    dock.conductor.editor.settling.setInterval(PATIENCE)
    dock.conductor.set_prompt(FramePrompt(1, 0, (PointPrompt(30, 40),)))
    assert told == ["marks"]
    answered(dock)
    assert told.count("tables") == 1
    assert told.index("mask") < told.index("tables")
    told.clear()
    dock.conductor.rename(1, "left")  # no mask follows: at once
    assert told == ["marks", "tables"]
