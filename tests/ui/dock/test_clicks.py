"""Click, click, click: what a click is about, with a hand on the picture."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from tests.ui.hand import Hand

FIRST, SECOND = (30, 40), (70, 90)


@pytest.fixture
def begun(open_dock):
    """A movie without objects, on its first frame, with the tool on."""
    viewer, dock = open_dock()
    dock.frame_cursor.go_to(0)
    dock.tool.set_on(True)
    return viewer, dock


def test_each_click_in_an_empty_movie_is_a_new_object(begun, answered):
    viewer, dock = begun
    assert dock.prompt_panel.is_each_new
    Hand(viewer).click(0, *FIRST)
    answered(dock)
    assert dock.object_panel.view.chosen == (1,)
    assert dock.timeline_panel.lock_button.isEnabled()
    beside = np.argwhere(np.asarray(dock.masklets.layer.data[0]) == 0)
    Hand(viewer).click(0, *map(int, beside[len(beside) // 2]))
    answered(dock)
    assert [one.object_id for one in dock.conductor.book.objects] == [1, 2]
    assert dock.selection.current == 2
    assert dock.status.text().startswith("Object 2 is there. Click on the next cell")


def test_tracking_nothing_in_an_empty_movie_leaves_each_click_a_new_object(begun):
    viewer, dock = begun
    Hand(viewer).push("G")
    assert "nothing to track" in dock.status.text()
    assert dock.prompt_panel.is_each_new


def test_a_click_on_a_mask_corrects_it(begun, answered):
    viewer, dock = begun
    Hand(viewer).click(0, *FIRST)
    answered(dock)
    shown = np.argwhere(np.asarray(dock.masklets.layer.data[0]) == 1)
    Hand(viewer).click(0, *map(int, shown[len(shown) // 2]))
    answered(dock)
    (state,) = dock.conductor.book.objects
    assert len(state.prompts[0].points) == 2


def test_an_object_that_was_begun_by_key_takes_the_next_click(begun, answered):
    viewer, dock = begun
    Hand(viewer).click(0, *FIRST)
    answered(dock)
    Hand(viewer).push("N")
    beside = np.argwhere(np.asarray(dock.masklets.layer.data[0]) == 0)
    Hand(viewer).click(0, *map(int, beside[0]))
    answered(dock)
    assert [len(one.prompts) for one in dock.conductor.book.objects] == [1, 1]


def test_who_chooses_an_object_goes_on_with_it(begun, answered, qtbot):
    viewer, dock = begun
    Hand(viewer).click(0, *FIRST)
    answered(dock)
    Hand(viewer).push(".")
    assert not dock.prompt_panel.is_each_new
    qtbot.keyClick(dock.prompt_panel.each_new_box, Qt.Key.Key_Space)
    assert dock.prompt_panel.is_each_new
    qtbot.mouseClick(dock.run_bar.track_button, Qt.MouseButton.LeftButton)
    assert not dock.prompt_panel.is_each_new  # what comes next is a correction
    answered(dock)


def small_object(dock):
    """Let the toy's mask be known as a small one: its own covers much of the frame."""
    tables = dock.conductor.tables
    tables.area[0, 0], tables.y[0, 0], tables.x[0, 0] = 100, *FIRST


@pytest.mark.parametrize(("button", "ids"), [(0, [1, 2]), (1, [1])])
def test_a_click_far_from_its_object_is_asked_about(
    begun, answered, qtbot, button, ids
):
    viewer, dock = begun
    Hand(viewer).click(0, *FIRST)
    answered(dock)
    dock.prompt_panel.set_each_new(False)
    small_object(dock)
    Hand(viewer).click(0, *SECOND)
    assert dock.offer.is_open
    assert "far from object 1" in dock.offer.note.text()
    qtbot.mouseClick(dock.offer.buttons[button], Qt.MouseButton.LeftButton)
    answered(dock)
    assert not dock.offer.is_open
    assert [one.object_id for one in dock.conductor.book.objects] == ids
    assert dock.selection.current == ids[-1]
    points = [len(one.prompts[0].points) for one in dock.conductor.book.objects]
    assert points == ([1, 1] if len(ids) == 2 else [2])


def test_a_line_that_is_drawn_is_clicks_along_it(open_dock, answered, qtbot):
    viewer, dock = open_dock()
    lines = viewer.add_shapes(ndim=3, name="Lines")
    lines.mode = "add_line"
    viewer.dims.set_current_step(0, 4)
    Hand(viewer).drag((4, 30, 30), (4, 30, 62))
    qtbot.mouseClick(dock.prompt_sources.shapes_button, Qt.MouseButton.LeftButton)
    answered(dock)
    (state,) = dock.conductor.book.objects
    points = state.prompt_at(4).points
    assert len(points) == 5
    assert all(one.positive for one in points)
    assert [one.y for one in points] == pytest.approx([30] * 5, abs=0.5)
    assert [one.x for one in points] == pytest.approx([33.2, 39.6, 46, 52.4, 58.8])
