"""Sessions that are found, tracks and tables: what the window asks of files."""

import shutil
import threading

import numpy as np
import pytest
import tifffile
from filelock import FileLock
from napari.layers import Tracks
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QFileDialog
from tests.engine.engine_steps import click

from napari_sam2.batch.plan.plan import read_plan
from napari_sam2.batch.running.batch import run_plan
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.sessions.recent import RecentSessions
from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.session.planning.plan import Direction
from napari_sam2.ui.contributions.reader import get_reader
from napari_sam2.ui.prompts.from_files import SavedPrompts
from napari_sam2.ui.timeline.model import lane_of


@pytest.fixture
def tracked(open_dock, answered):
    """A dock with a saved session: an object with clicks on two frames."""
    viewer, dock = open_dock()
    dock.conductor.set_prompts([click(1, 2, (30, 40)), click(1, 5, (32, 42))], "two")
    answered(dock)
    dock.conductor.rename(1, "mother")
    dock.conductor.save()
    answered(dock)
    return viewer, dock


def test_masklets_that_were_made_are_among_the_recent_sessions(tracked, answered):
    _, dock = tracked
    (session,) = RecentSessions().read()
    assert session.path == dock.output_panel.folder
    recent = dock.output_panel.recent
    recent.show_sessions(())
    recent.menu().aboutToShow.emit()
    answered(dock)
    first = recent.menu().actions()[0]
    assert "movie-1.zarr" in first.text()
    asked = []
    dock.output_panel.open_requested.connect(asked.append)
    first.trigger()
    assert asked == [session.path]
    answered(dock)


@pytest.mark.parametrize("is_dock_first", [True, False], ids=["dock", "layers"])
def test_a_session_that_was_dropped_on_the_viewer_goes_on(
    tracked, open_dock, answered, qtbot, make_napari_viewer_proxy, stack, is_dock_first
):
    _, before = tracked
    folder, labels = before.output_panel.folder, np.array(before.masklets.layer.data[2])
    before.conductor.close()

    def drop(viewer):
        for data, shown, kind in get_reader(str(folder))(str(folder)):
            getattr(viewer, f"add_{kind}")(data, **shown)

    if is_dock_first:
        viewer, dock = open_dock()
        drop(viewer)
    else:
        viewer, dock = open_dock(before_dock=drop)
    answered(dock)
    assert dock.output_panel.folder == folder
    assert dock.conductor.book[1].name == "mother"
    assert [layer.name for layer in viewer.layers if "masklets" in layer.name] == [
        dock.masklets.layer.name
    ]
    viewer.dims.set_current_step(0, 2)
    answered(dock)
    np.testing.assert_array_equal(dock.masklets.layer.data[2], labels)


def test_tracks_are_a_layer_on_request(tracked, answered):
    viewer, dock = tracked
    dock.output_panel.tracks_button.click()
    answered(dock)
    (tracks,) = [one for one in viewer.layers if isinstance(one, Tracks)]
    assert tracks.data[:, :2].tolist() == [[1, 2], [1, 5]]
    y, x = np.argwhere(np.asarray(dock.masklets.layer.data[2]) == 1).mean(axis=0)
    np.testing.assert_allclose(tracks.data[0, 2:], (y, x))
    dock.output_panel.tracks_button.click()
    answered(dock)
    assert sum(isinstance(one, Tracks) for one in viewer.layers) == 1


def test_plotted_numbers_are_saved_by_the_worker(tracked, answered, tmp_path):
    _, dock = tracked
    writers = []

    class Table:
        def write(self, path):
            writers.append(threading.current_thread())
            path.write_text("frame,area")

    dock.plots_panel.export_requested.emit(Table(), tmp_path / "curves.csv")
    answered(dock)
    assert writers
    assert threading.main_thread() not in writers
    assert (tmp_path / "curves.csv").read_text() == "frame,area"
    assert "curves.csv" in dock.status.text()


def test_prompts_are_saved_and_replayed_on_another_movie(
    tracked, open_dock, stack, answered, tmp_path, monkeypatch
):
    _, dock = tracked
    mask = np.zeros(stack.shape[1:], bool)
    mask[5:20, 6:30] = True
    dock.conductor.set_prompts([FramePrompt(2, 3, mask=MaskPrompt(mask))], "a mask")
    answered(dock)
    answers = iter(["", str(tmp_path / "said"), str(tmp_path / "said")])
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (next(answers), ""))
    write, threads = SavedPrompts.write, []

    def watched(saved):
        threads.append(threading.current_thread())
        write(saved)

    monkeypatch.setattr(SavedPrompts, "write", watched)
    save = dock.prompt_sources.save_button
    save.click()  # and the dialog is closed
    save.click()
    answered(dock)
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()
    for part in ("2 objects", "said.json", "said-masks"):
        assert part in dock.status.text()
    save.click()  # the dialog asked about "said", which is another file
    assert "said.json exists" in dock.status.text()
    _, other = open_dock(stack[::-1].copy())
    other.prompt_sources.save_button.click()
    assert "There are no prompts to save" in other.status.text()
    other.prompt_sources.file_requested.emit(str(tmp_path / "said.json"))
    answered(other)
    one, two = other.conductor.book.objects
    assert (one.name, one.anchors, two.anchors) == ("mother", (2, 5), (3,))
    np.testing.assert_array_equal(two.prompts[0].mask.mask, mask)


def test_a_saved_plan_gives_the_bytes_of_the_session(
    open_dock, stack, answered, tmp_path, monkeypatch
):
    tifffile.imwrite(tmp_path / "cells.tif", stack[:6])
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "plan.json"), "")
    )

    def opened(viewer):
        viewer.open(
            tmp_path / "cells.tif",
            plugin="napari",
            axis_labels=("t", "y", "x"),
            contrast_limits=(100, 3000),
        )

    _, dock = open_dock(image=None, before_dock=opened)
    dock.prompt_sources.plan_button.click()
    answered(dock)
    assert "holds no session" in dock.status.text()
    dock.conductor.set_prompts([click(1, 0, (30, 40)), click(2, 0, (60, 80))], "two")
    dock.conductor.track(dock.order(Direction.BOTH))
    answered(dock)
    dock.prompt_sources.plan_button.click()
    answered(dock)
    assert "plan.json" in dock.status.text()

    plan = read_plan(tmp_path / "plan.json")
    assert plan.movies == (str(tmp_path / "cells.tif"),)
    report = run_plan(plan, tmp_path / "report")
    assert [one.error for one in report.movies] == [""]
    ours = OmeZarrLabelStore.open(tmp_path / "cells-masklets.zarr", mode="r")
    theirs = OmeZarrLabelStore.open(dock.output_panel.folder, mode="r")
    np.testing.assert_array_equal(ours.array[:], theirs.array[:])
    assert theirs.array[5].any()
    for frame in range(6):
        for one, other in zip(
            ours.read_logits(frame), theirs.read_logits(frame), strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_a_movie_without_a_file_cannot_be_planned(tracked):
    _, dock = tracked
    dock.prompt_sources.plan_button.click()
    assert "'movie' comes from no file" in dock.status.text()


def test_another_contrast_prepares_the_frames_anew(open_dock, answered, qtbot):
    viewer, dock = open_dock()
    dock.track_panel.repair_box.setChecked(False)  # a run would freeze the contrast
    dock.conductor.set_prompt(click(1, 2, (30, 40)))
    answered(dock)
    qtbot.wait(400)
    answered(dock)
    asked = []
    dock.conductor.happened.connect(asked.append)
    viewer.layers["movie"].contrast_limits = (100, 900)
    qtbot.waitUntil(lambda: "Warmed" in {type(one).__name__ for one in asked})
    answered(dock)


def test_labels_keep_ids_and_colours_everywhere_and_when_reopened(
    open_dock, stack, answered
):
    """In the layer, its preview, the table, the timeline, the plots and the clicks."""
    purple, green = (0.5, 0.0, 0.5, 1.0), (0.0, 1.0, 0.0, 1.0)
    labels = np.zeros(stack.shape, np.uint16)
    labels[0, 10:30, 12:40], labels[0, 50:70, 60:90] = 40, 7
    viewer, dock = open_dock()
    chosen = {None: "gray", 0: "transparent", 7: green, 40: purple}
    colormap = DirectLabelColormap(color_dict=chosen)
    cells = viewer.add_labels(labels, name="Cellpose", colormap=colormap)
    dock.frame_cursor.go_to(0)
    assert dock.prompt_sources.labels.unique_id == cells.unique_id  # the only one
    dock.track_panel.range_row.set_range(0, 2)
    dock.prompt_sources.labels_button.click()
    answered(dock)
    # It has tracked, and nothing lies above the result.
    assert not cells.visible
    assert dock.conductor.tables.computed()[:3].all()
    dock.conductor.set_prompt(click(40, 3, (20, 20)))
    answered(dock)
    assert_colored(dock, {7: green, 40: purple})
    dock.conductor.set_hidden([7], True)
    assert_colored(dock, {40: purple})
    dock.conductor.set_hidden([7], False)
    dock.conductor.save()
    answered(dock)
    folder = dock.output_panel.folder
    dock.conductor.close()
    _, again = open_dock()
    again.conductor.open_session(folder)
    answered(again)
    assert_colored(again, {7: green, 40: purple})


def assert_colored(dock, colors):
    layer, book = dock.masklets.layer, dock.conductor.book
    assert [one.object_id for one in book.objects] == [7, 40]
    lanes = {one.object_id: lane_of(one) for one in book.objects}
    for object_id, rgba in colors.items():
        np.testing.assert_allclose(layer.get_color(object_id), rgba)
        assert lanes[object_id].color == rgba
        dock.selection.go_on_with(object_id)
        index = dock.object_panel.filtered.index_of(object_id)
        wanted = QColor.fromRgbF(*rgba).rgba()
        swatches = (
            index.data(Qt.ItemDataRole.DecorationRole).pixmap(12, 12),
            dock.prompt_panel.object_swatch.pixmap(),
        )
        assert [one.toImage().pixel(6, 6) for one in swatches] == [wanted, wanted]
    (face,) = dock.marks.points.face_color
    np.testing.assert_allclose(face, colors[40])


def test_a_session_that_another_window_has_open_is_refused(table, open_dock, answered):
    table.say(click(1, 0, (30, 40)))
    folder = table.request.folder.with_name("copy.zarr")
    shutil.copytree(table.request.folder, folder)
    (lock,) = folder.rglob("writing.lock")
    _, dock = open_dock()
    with FileLock(lock, blocking=False):
        dock.conductor.open_session(folder)
        answered(dock)
        said = f"{folder}/labels/masklets: another window or run is writing there"
        assert said in dock.status.text()
    dock.conductor.open_session(folder)
    answered(dock)
    assert dock.conductor.book[1].anchors == (0,)
