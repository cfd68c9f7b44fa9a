"""What a person stumbled over: marks, jumps, gestures, first objects, words."""

import numpy as np
from qtpy.QtCore import Qt
from tests.engine.engine_steps import click
from tests.ui.hand import Hand, unwrapped

from napari_sam2.session.book.state import FrameFlag
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.ui.objects.model import Column

LARGE = 2048


def canvas_of(viewer):
    return viewer.screenshot(canvas_only=True, flash=False).astype(int)


def test_a_click_mark_hides_no_cell_of_a_large_movie(open_dock, answered, qtbot):
    viewer, dock = open_dock(np.zeros((2, LARGE, LARGE), np.uint8))
    window = unwrapped(viewer).window._qt_window
    window.resize(1366, 768)
    window.show()
    qtbot.waitExposed(window)
    dock.prompt_panel.new_points_button.click()
    points = dock.prompt_panel.points
    points.add((0, LARGE / 2, LARGE / 2))
    viewer.dims.set_point(0, 0)
    viewer.scene.camera.center = (0, LARGE / 2, LARGE / 2)
    viewer.scene.camera.zoom = 2.0  # 45 pixels of the movie are 90 of the screen
    points.selected_data = set()
    with_mark = canvas_of(viewer)
    points.visible = False
    changed = np.abs(with_mark - canvas_of(viewer)).sum(axis=-1) > 30
    rows, columns = np.nonzero(changed)
    assert 5 <= np.ptp(rows) <= 20
    assert 5 <= np.ptp(columns) <= 20


def test_no_mark_is_drawn_on_a_frame_without_clicks(open_dock, answered, qtbot):
    viewer, dock = open_dock()
    window = unwrapped(viewer).window._qt_window
    window.show()
    qtbot.waitExposed(window)
    dock.conductor.set_prompt(click(1, 0, (30, 40)))
    answered(dock)
    points = viewer.layers["movie clicks"]
    for frame, is_marked in ((0, True), (3, False)):
        viewer.dims.set_point(0, frame)
        points.visible = True
        with_marks = canvas_of(viewer)
        points.visible = False
        assert (with_marks != canvas_of(viewer)).any() == is_marked


def test_the_key_says_and_shows_which_object_is_doubtful(open_dock, answered):
    viewer, dock = open_dock()
    dock.conductor.set_prompt(click(1, 0, (30, 40)))
    answered(dock)
    dock.conductor.set_prompt(click(2, 0, (60, 80)))
    dock.track_panel.range_row.set_range(0, 3)
    dock.run_bar.track_button.click()
    answered(dock)
    Hand(viewer).push("J")
    answered(dock)
    meant, frame = dock.selection.current, dock.frame_cursor.frame_index
    assert dock.status.text().startswith(f"Object {meant} on frame {frame} is the")
    outlined = viewer.layers["SAM 2 preview"]
    assert outlined.visible
    labels = np.asarray(outlined.data[frame])
    np.testing.assert_array_equal(
        labels > 0, np.asarray(dock.masklets.layer.data[frame]) == meant
    )
    dock.selection.go_on_with(3)
    assert not outlined.visible


def test_the_middle_button_chooses_the_object_under_the_pointer(open_dock, answered):
    viewer, dock = open_dock()
    dock.conductor.set_prompt(click(1, 0, (30, 40)))
    answered(dock)
    dock.tool.set_on(True)
    viewer.dims.set_point(0, 0)
    y, x = np.argwhere(np.asarray(dock.masklets.layer.data[0]) == 1)[0]
    dock.selection.go_on_with(2)
    Hand(viewer).click(0, int(y), int(x), button=3)
    answered(dock)
    assert dock.selection.current == 1
    assert len(dock.conductor.book[1].prompts[0].points) == 1


def test_a_click_while_others_are_tracked_says_that_it_waits(
    open_dock, answered, qtbot
):
    _, dock = open_dock()
    dock.conductor.set_prompt(click(1, 0, (30, 40)))
    answered(dock)
    said = []
    dock.conductor.answered.connect(lambda _edit: said.append(dock.status.text()))
    dock.run_bar.track_button.click()
    qtbot.mouseClick(dock.run_bar.pause_button, Qt.MouseButton.LeftButton)
    dock.conductor.set_prompt(click(2, 3, (60, 80)))
    qtbot.waitUntil(lambda: bool(said))
    assert said[-1].startswith("Object 2 is there, and is tracked when")
    qtbot.mouseClick(dock.run_bar.pause_button, Qt.MouseButton.LeftButton)
    answered(dock)
    assert not dock.conductor.book[2].stale
    assert dock.conductor.tables.computed()[:, 1].all()


def test_the_first_object_of_a_session_is_chosen(open_dock, answered):
    _, dock = open_dock()
    dock.conductor.set_prompt(click(3, 0, (30, 40)))
    answered(dock)
    dock.selection.go_on_with(9)  # one that is not there yet
    dock.conductor.save()
    answered(dock)
    folder = dock.output_panel.folder
    dock.conductor.close()
    _, again = open_dock()
    again.conductor.open_session(folder)
    answered(again)
    assert again.selection.current == 3


def test_locks_of_some_frames_do_not_look_like_those_of_all(open_dock, answered, stack):
    _, dock = open_dock()
    for object_id in (1, 2):
        dock.conductor.set_prompt(click(object_id, 0, (30, 40)))
    dock.conductor.flag(FrameFlag.LOCKED, [1], FrameSet.of([4]))
    dock.conductor.flag(FrameFlag.LOCKED, [2], FrameSet.between(0, len(stack) - 1))
    answered(dock)
    pictures = []
    for object_id in (1, 2):
        index = dock.object_panel.filtered.index_of(object_id, Column.LOCKED)
        drawn = index.data(Qt.ItemDataRole.DecorationRole).pixmap(16, 16)
        pictures.append(drawn.toImage())
    assert pictures[0] != pictures[1]
