"""The family: shown, clicked, cut off, joined; by itself, and in the window."""

import pytest
from qtpy.QtCore import QPointF, Qt
from tests.engine.engine_steps import click
from tests.ui.lineage.test_tree import dividing_book

from napari_sam2.ui.lineage.panel import LineagePanel


@pytest.fixture
def panel(qtbot):
    panel = LineagePanel()
    qtbot.addWidget(panel)
    panel.show_movie(20)
    panel.show_state(dividing_book().state)
    with qtbot.waitExposed(panel):
        panel.show_selected([3])
    return panel


def test_a_click_on_a_branch_chooses_object_and_frame(panel, qtbot):
    asked = []
    panel.object_requested.connect(asked.append)
    panel.frame_requested.connect(asked.append)
    box = panel.plot.getViewBox()
    qtbot.waitUntil(lambda: box.sceneBoundingRect().height() > 20)
    branch = next(one for one in panel.branches if one.object_id == 6)
    spot = panel.plot.mapFromScene(box.mapViewToScene(QPointF(12, branch.row)))
    qtbot.mouseClick(panel.plot.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    assert asked == [6, 12]


def test_buttons_ask_about_the_chosen_daughter(panel, qtbot):
    cut, joined = [], []
    panel.cut_requested.connect(cut.append)
    panel.join_requested.connect(lambda *pair: joined.append(pair))
    qtbot.mouseClick(panel.cut_button, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(panel.join_button, Qt.MouseButton.LeftButton)
    assert (cut, joined) == ([3], [(1, 3)])
    panel.show_selected([1])
    assert not panel.cut_button.isEnabled()
    panel.show_selected([5])
    assert panel.isHidden()


def test_the_family_in_the_window_follows_the_book(open_dock, answered):
    _, dock = open_dock()
    panel = dock.lineage_panel
    assert panel.isHidden()
    dock.conductor.set_prompts(
        [click(1, 1, (30, 40)), click(2, 5, (30, 40)), click(3, 5, (60, 80))], "said"
    )
    for daughter in (2, 3):
        dock.conductor.set_parent(daughter, 1)
    dock.selection.go_on_with(3)
    answered(dock)
    assert not panel.isHidden()
    assert {one.object_id: one.first for one in panel.branches} == {1: 0, 2: 5, 3: 5}
    panel.cut_button.click()
    answered(dock)
    assert dock.conductor.book[3].parent is None
    assert panel.isHidden()
    dock.selection.go_on_with(2)
    panel.join_button.click()
    answered(dock)
    assert [state.object_id for state in dock.conductor.book.objects] == [1, 3]
    assert dock.conductor.book[1].anchors == (1, 5)
