"""Everything on a frame and in the movie, by real clicks."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from tests.ui.hand import Hand

from napari_sam2.ui.tool.preview import NAME


@pytest.fixture
def opened(open_dock, trained, qtbot):
    viewer, dock = open_dock(model=trained)
    window = open_dock.docks[-1]
    window.sections.sections["everything"].set_open(True)
    panel = dock.automatic_panel
    panel.grid_spin.setValue(10)
    return viewer, dock, panel


def push(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_masks_are_tried_out_and_taken(opened, answered, qtbot):
    viewer, dock, panel = opened
    viewer.dims.set_current_step(0, 4)
    push(qtbot, panel.look_button)
    qtbot.waitUntil(panel.take_button.isEnabled)
    assert panel.note.text().startswith("3 masks that nobody follows yet: click")
    assert viewer.layers[NAME].visible
    assert len(dock.conductor.book.objects) == 0
    panel.area_spin.setValue(9000)
    qtbot.waitUntil(lambda: "0 masks" in panel.note.text())
    assert not panel.take_button.isEnabled()
    panel.area_spin.setValue(20)
    qtbot.waitUntil(panel.take_button.isEnabled)
    push(qtbot, panel.take_button)
    answered(dock)
    book = dock.conductor.book
    assert [state.object_id for state in book.objects] == [1, 2, 3]
    assert all(4 in {one.frame_index for one in s.prompts} for s in book.objects)
    assert NAME not in viewer.layers
    push(qtbot, panel.look_button)
    qtbot.waitUntil(lambda: "0 masks" in panel.note.text())


def test_a_click_takes_one_mask_and_is_no_prompt(opened, answered, qtbot):
    viewer, dock, panel = opened
    viewer.dims.set_current_step(0, 4)
    before = viewer.layers.selection.active
    push(qtbot, panel.look_button)
    qtbot.waitUntil(panel.take_button.isEnabled)
    labels = np.asarray(viewer.layers[NAME].data[4])
    y, x = np.argwhere(labels == 2).mean(axis=0)
    Hand(viewer).click(4, y, x)
    answered(dock)
    book = dock.conductor.book
    assert [state.object_id for state in book.objects] == [2]
    (prompt,) = book[2].prompts
    assert prompt.frame_index == 4
    assert (prompt.mask.mask == (labels == 2)).all()
    assert panel.note.text().startswith("2 masks")
    Hand(viewer).click(4, 0, 0)
    assert len(dock.conductor.book.objects) == 1
    push(qtbot, panel.clear_button)
    assert viewer.layers.selection.active.name == before.name


def test_more_like_the_chosen_object_are_ranked_and_taken(
    opened, open_dock, answered, qtbot
):
    viewer, dock, panel = opened
    viewer.dims.set_current_step(0, 4)
    push(qtbot, panel.similar_button)
    assert "Choose the object" in dock.status.text()
    push(qtbot, panel.look_button)
    qtbot.waitUntil(panel.take_button.isEnabled)
    labels = np.asarray(viewer.layers[NAME].data[4])
    y, x = np.argwhere(labels == 2).mean(axis=0)
    Hand(viewer).click(4, y, x)
    answered(dock)
    push(qtbot, panel.clear_button)
    dock.selection.go_on_with(2)
    panel.likeness.slider.setValue(0)
    push(qtbot, panel.similar_button)
    qtbot.waitUntil(panel.take_button.isEnabled)
    assert panel.note.text().startswith("2 masks")
    alike = open_dock.docks[-1].finder._found.likeness
    assert len(alike) == 2
    assert 1 >= alike[0] >= alike[1] >= 0
    assert dock.status.text() == "2 masks on frame 4."
    panel.likeness.slider.setValue(100)
    assert panel.note.text().startswith("0 masks")
    assert dock.status.text() == "0 masks on frame 4."
    panel.likeness.slider.setValue(0)
    push(qtbot, panel.take_button)
    answered(dock)
    assert len(dock.conductor.book.objects) == 3


def test_the_movie_is_searched_and_tracked(opened, answered, qtbot):
    _, dock, panel = opened
    push(qtbot, panel.movie_button)
    assert panel.stop_button.isEnabled()
    qtbot.waitUntil(panel.movie_button.isEnabled)
    assert len(dock.conductor.book.objects) == 3
    qtbot.waitUntil(lambda: not dock.conductor.is_tracking)
    answered(dock)
    assert (dock.masklets.layer.data[11] > 0).any()


def test_a_search_is_stopped_and_takes_nothing_in(opened, qtbot):
    _, dock, panel = opened
    push(qtbot, panel.movie_button)
    push(qtbot, panel.stop_button)
    qtbot.waitUntil(panel.movie_button.isEnabled)
    assert len(dock.conductor.book.objects) == 0
    assert "stopped" in dock.status.text()
