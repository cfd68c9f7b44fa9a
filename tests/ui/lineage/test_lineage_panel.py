"""The family in the window: shown, clicked, cut off, joined."""

from qtpy.QtCore import QPointF, Qt
from tests.engine.engine_steps import click


def test_a_family_is_shown_and_changed_by_clicks(open_dock, answered, qtbot):
    _, dock = open_dock()
    panel = dock.lineage_panel
    assert not panel.isVisible()
    dock.conductor.set_prompts(
        [click(1, 1, (30, 40)), click(2, 5, (30, 40)), click(3, 5, (60, 80))], "said"
    )
    answered(dock)
    for daughter in (2, 3):
        dock.conductor.set_parent(daughter, 1)
    dock.selection.go_on_with(3)
    answered(dock)
    assert panel.isVisible()
    assert {one.object_id: one.first for one in panel.branches} == {1: 0, 2: 5, 3: 5}
    where = next(one for one in panel.branches if one.object_id == 2)
    box = panel.plot.getViewBox()
    qtbot.waitUntil(lambda: box.sceneBoundingRect().height() > 0)
    spot = panel.plot.mapFromScene(box.mapViewToScene(QPointF(8, where.row)))
    qtbot.mouseClick(panel.plot.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    assert dock.selection.current == 2
    assert dock.frame_cursor.frame_index == 8
    qtbot.mouseClick(panel.cut_button, Qt.MouseButton.LeftButton)
    answered(dock)
    assert dock.conductor.book[2].parent is None
    assert not panel.isVisible()
    dock.selection.go_on_with(3)
    qtbot.mouseClick(panel.join_button, Qt.MouseButton.LeftButton)
    answered(dock)
    assert [state.object_id for state in dock.conductor.book.objects] == [1, 2]
    assert dock.conductor.book[1].anchors == (1, 5)
