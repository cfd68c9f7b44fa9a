"""Proposed divisions: D goes there, D accepts, Ctrl+D rejects; nothing by itself."""

import pytest
from tests.engine.engine_steps import click
from tests.ui.hand import Hand

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
