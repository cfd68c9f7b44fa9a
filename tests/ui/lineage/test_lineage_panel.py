"""The family: shown, clicked, cut off, joined; by itself, and in the window."""

import pyqtgraph
import pytest
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication
from tests.engine.engine_steps import click
from tests.ui.hand import Hand
from tests.ui.lineage.test_tree import dividing_book

from napari_sam2.ui.layers.colors import color_of
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


@pytest.fixture
def every_move():
    """pyqtgraph leaves moves out that come faster than a hand's."""
    limit = pyqtgraph.getConfigOption("mouseRateLimit")
    pyqtgraph.setConfigOption("mouseRateLimit", 0)
    yield
    pyqtgraph.setConfigOption("mouseRateLimit", limit)


def drag(panel, qtbot, first, last):
    """Drag from one place of the plot to another, ``(frame, row)`` each."""
    box, viewport = panel.plot.getViewBox(), panel.plot.viewport()
    qtbot.waitUntil(lambda: box.sceneBoundingRect().height() > 20)
    start, *way = (
        panel.plot.mapFromScene(box.mapViewToScene(QPointF(*place)))
        for place in (first, midway(first, last), last)
    )
    left = Qt.MouseButton.LeftButton
    send_move(viewport, start, Qt.MouseButton.NoButton)  # as a hand comes there
    qtbot.mousePress(viewport, left, pos=start)
    for place in way:
        send_move(viewport, place, left)
    qtbot.mouseRelease(viewport, left, pos=way[-1])


def midway(one, other):
    return [(a + b) / 2 for a, b in zip(one, other, strict=True)]


def send_move(viewport, place, held):
    """Move with a button held, which `qtbot` does not say."""
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(place),
        QPointF(viewport.mapToGlobal(place)),
        Qt.MouseButton.NoButton,
        held,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(viewport, event)


def row_of(panel, object_id):
    return next(one.row for one in panel.branches if one.object_id == object_id)


@pytest.mark.usefixtures("every_move")
def test_a_branch_is_dragged_onto_its_mother_or_beside_all(panel, qtbot):
    asked, cut, chosen = [], [], []
    panel.parent_requested.connect(lambda *pair: asked.append(pair))
    panel.cut_requested.connect(cut.append)
    panel.object_requested.connect(chosen.append)
    mother = {one.object_id: one.mother for one in panel.branches}
    other = next(one for one in mother if one not in (6, mother[6]))
    drag(panel, qtbot, (15, row_of(panel, 6)), (12, row_of(panel, other)))
    assert asked == [(6, other)]
    below = min(one.row for one in panel.branches) - 2
    drag(panel, qtbot, (15, row_of(panel, 6)), (15, below))
    assert cut == [6]
    drag(panel, qtbot, (15, row_of(panel, 6)), (12, row_of(panel, mother[6])))
    assert (asked, cut, chosen) == ([(6, other)], [6], [])


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


def test_an_object_is_cut_by_its_key_and_families_are_coloured(
    open_dock, answered, qtbot
):
    viewer, dock = open_dock()
    said = [click(1, 1, (30, 40)), click(1, 6, (30, 40)), click(2, 8, (60, 80))]
    dock.conductor.set_prompts(said, "said")
    answered(dock)
    dock.selection.go_on_with(1)
    viewer.layers.selection.active = dock.masklets.layer
    hand = Hand(viewer)
    dock.frame_cursor.go_to(3)
    hand.push("Control-K")
    answered(dock)
    assert "no mask on frame 3" in dock.status.text()
    dock.frame_cursor.go_to(6)
    mask = dock.conductor.engine.store_of(dock.request()).read_labels(6) == 1
    hand.push("Control-K")
    answered(dock)
    book = dock.conductor.book
    assert dock.selection.current == 3
    assert [one.frame_index for one in book[1].as_prompted().shown] == [1]
    assert [one.frame_index for one in book[3].as_prompted().shown] == [6]
    assert (book[3].prompt_at(6).mask.mask == mask).all()
    assert book[3].parent is None
    # --- Colours of families, and back
    dock.conductor.set_parent(2, 3)
    answered(dock)
    panel = dock.lineage_panel
    own = {one.object_id: color_of(one).tolist() for one in dock.conductor.book.objects}
    qtbot.mouseClick(panel.color_button, Qt.MouseButton.LeftButton)
    answered(dock)
    book = dock.conductor.book
    assert color_of(book[2]).tolist() == color_of(book[3]).tolist() == own[3]
    assert color_of(book[1]).tolist() == own[1] != own[3]
    qtbot.mouseClick(panel.color_button, Qt.MouseButton.LeftButton)
    answered(dock)
    book = dock.conductor.book
    assert {one.object_id: color_of(one).tolist() for one in book.objects} == own


@pytest.mark.parametrize("height", [130, 300])
def test_names_of_all_branches_are_seen(panel, qtbot, height):
    box = panel.plot.getViewBox()
    panel.plot.setFixedHeight(height)
    qtbot.waitUntil(lambda: panel.plot.height() == height)
    area = box.sceneBoundingRect()
    names = [
        one.mapRectToScene(one.boundingRect())
        for one in box.addedItems
        if isinstance(one, pyqtgraph.TextItem)
    ]
    assert len(names) == len(panel.branches)
    assert all(area.top() <= one.top() for one in names)
    assert all(one.bottom() <= area.bottom() + 1 for one in names)
