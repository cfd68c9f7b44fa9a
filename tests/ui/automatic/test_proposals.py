"""Proposed divisions: D goes there, D accepts, Ctrl+D rejects; nothing by itself."""

from dataclasses import fields, replace

import numpy as np
import pytest
from qtpy.QtCore import Qt
from tests.engine.engine_steps import click
from tests.ui.hand import Hand

from napari_sam2.interfaces import DivisionEvidence, FrameResult
from napari_sam2.session.book.proposals import ProposedDivision


@pytest.fixture
def proposed(open_dock, answered):
    """Two objects with masks on the frames of two proposals."""
    viewer, dock = open_dock()
    dock.conductor.set_prompts(
        [click(1, 2, (30, 40)), click(1, 6, (30, 40)), click(2, 6, (60, 80))], "said"
    )
    answered(dock)
    proposals = open_dock.docks[-1].proposals
    told = []
    proposals.told.connect(told.append)
    proposals.show([ProposedDivision(1, 2, 6), ProposedDivision(2, 0, 7)])
    viewer.layers.selection.active = dock.masklets.layer
    return Hand(viewer), dock, told


def test_a_division_is_shown_and_accepted_in_one_step_of_undo(proposed, answered):
    hand, dock, told = proposed
    assert "2 divisions proposed" in told[-1]
    before = dock.conductor.book
    hand.push("D")
    assert dock.frame_cursor.frame_index == 6
    assert dock.selection.current == 1
    assert dock.conductor.book is before
    hand.push("D")
    answered(dock)
    book = dock.conductor.book
    assert {state.object_id: state.parent for state in book.objects} == {
        1: None,
        2: 1,
        3: 1,
    }
    assert book[1].anchors == (2,)
    assert book[3].anchors == (6,)
    assert "1 division proposed" in told[-1]
    dock.conductor.undo()
    answered(dock)
    assert [state.object_id for state in dock.conductor.book.objects] == [1, 2]
    assert dock.conductor.book[1].anchors == (2, 6)


def test_a_division_is_rejected_and_an_unknown_daughter_is_said(proposed, answered):
    hand, dock, told = proposed
    before = dock.conductor.book
    for key in ("D", "Control-D", "D", "D"):
        hand.push(key)
    answered(dock)
    assert "second daughter is no object yet" in dock.status.text()
    assert dock.conductor.book is before
    hand.push("Control-D")
    assert "0 divisions proposed" in told[-1]
    hand.push("D")
    assert "No division is proposed" in told[-1]


def say_two(store, frames, place):
    """Let object 1 be a disc at (30, 40) that looks like two, one more at a place."""
    ids, logits = store.read_logits(frames[0] - 1)
    _, scores = store.read_scores(frames[0] - 1)
    rows, columns = np.indices(store.frame_shape)
    labels = (np.hypot(rows - 30, columns - 40) < 8).astype(np.uint16)
    count = len(fields(DivisionEvidence))
    evidence = DivisionEvidence(*np.zeros((count, len(ids)), np.float32))
    evidence.raw_area[:] = 2 * labels.sum()  # the other one was cut off
    evidence.second_part[:] = 1
    evidence.sister_y[:], evidence.sister_x[:] = place
    for frame in frames:
        area = np.array([labels.sum()])
        said = replace(scores, area=area, division=evidence)
        store.write(FrameResult(frame, labels, ids, logits, said))


def test_divisions_of_what_is_tracked_are_found_and_accepted(
    open_dock, answered, qtbot
):
    viewer, dock = open_dock()
    window = open_dock.docks[-1]
    window.sections.sections["everything"].set_open(True)
    button = dock.automatic_panel.divisions_button
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    answered(dock)
    assert "no masks yet" in dock.status.text()
    dock.conductor.set_prompts([click(1, 2, (30, 40))], "said")
    answered(dock)
    store = dock.conductor.engine.store_of(dock.request())
    say_two(store, (3, 4, 5), (60, 80))
    viewer.layers.selection.active = dock.masklets.layer
    before = dock.conductor.book
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    answered(dock)
    assert "1 division proposed" in dock.status.text()
    assert dock.conductor.book is before
    timeline = dock.timeline_panel.timeline
    assert timeline.divisions == {1: [3]}
    hand = Hand(viewer)
    hand.push("D")
    assert dock.frame_cursor.frame_index == 3
    hand.push("D")
    answered(dock)
    book = dock.conductor.book
    assert {one.object_id: one.parent for one in book.objects} == {1: None, 2: 1, 3: 1}
    assert book[2].anchors == book[3].anchors == (3,)
    assert timeline.divisions == {}
    (point,) = book[3].prompts[0].points
    assert (point.y, point.x) == (60, 80)
    assert book[2].prompts[0].mask.mask[30, 40]
    dock.conductor.undo()
    answered(dock)
    assert [one.object_id for one in dock.conductor.book.objects] == [1]
