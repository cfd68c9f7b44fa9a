"""Somebody clicks faster than masks are made: what an edit takes out goes anyway."""

import numpy as np
import pytest
from tests.engine.engine_steps import click
from tests.session.heard_book import in_one_step

from napari_sam2.prompts import FramePrompt, MaskPrompt


def skip(table, edit):
    """Let the worker come to an edit whose frames a later edit is about."""
    return table.follow(edit, is_wanted=lambda _frame: False)


def merge(table, kept, gone):
    edit = table.book.merge(kept, gone)
    return list(table.engine.merge(table.request, edit, (kept, gone), 0))


def divided(book, mother):
    """Object 3 is born on frame 5."""
    edit = book.add_object(parent=mother)
    book.set_prompt(click(3, 5, (40, 40)))
    return in_one_step(book, "divide", edit)


def frames_with(table, object_id):
    count = table.store.frame_count
    return [one for one in range(count) if (table.labels(one) == object_id).any()]


@pytest.fixture
def two_tracked(table):
    """Objects 1 and 2, prompted on frame 0 and tracked to the end."""
    table.say(click(1, 0, (30, 40)))
    table.say(click(2, 0, (70, 90)))
    table.track()
    assert frames_with(table, 1) == frames_with(table, 2) == list(range(12))
    return table


def test_ghost_masks_of_an_object_whose_only_prompt_was_cleared(two_tracked):
    table = two_tracked
    skip(table, table.book.clear_prompt(1, 0))
    table.say(click(2, 0, (70, 90), (72, 92)))
    assert frames_with(table, 1) == []


def test_ghost_masks_of_a_frame_that_was_corrected_before(two_tracked):
    table = two_tracked
    table.say(click(1, 6, (50, 60)))

    skip(table, table.book.change_prompts((), [(1, 0), (1, 6)], "clear"))
    table.say(click(2, 0, (70, 91)), click(2, 6, (70, 91)))
    assert frames_with(table, 1) == []


def test_ghost_masks_where_nothing_is_seen_before_the_last_prompt_goes(two_tracked):
    table = two_tracked
    nothing = np.zeros(table.store.frame_shape, bool)
    table.say(FramePrompt(1, 6, mask=MaskPrompt(nothing)))
    assert 6 not in frames_with(table, 1)

    table.follow(table.book.change_prompts((), [(1, 0), (1, 6)], "clear"))
    assert frames_with(table, 1) == []


def test_ghost_masks_of_a_mother_that_a_division_ended(two_tracked):
    table = two_tracked

    skip(table, divided(table.book, mother=1))
    table.say(click(3, 5, (40, 41)))
    assert frames_with(table, 1) == list(range(5))


def test_ghost_masks_of_a_daughter_before_her_birth(two_tracked):
    table = two_tracked
    table.say(click(2, 5, (70, 90)))

    edits = [table.book.clear_prompt(2, 0), table.book.add_object(object_id=3)]
    table.book.set_parent(2, 3)
    skip(table, in_one_step(table.book, "born", *edits))
    table.say(click(1, 0, (30, 41)))
    assert frames_with(table, 2) == list(range(5, 12))


def test_a_click_skipped_because_of_a_merge_is_answered_by_it(two_tracked):
    table = two_tracked
    table.say(click(3, 6, (20, 20)))
    before = table.labels(6) == 1
    skip(table, table.book.set_prompt(click(1, 6, (50, 60))))
    merge(table, 2, 3)
    assert not np.array_equal(table.labels(6) == 1, before)
    answered = {(one.object_id, one.frame_index) for one in table.store.read_anchors()}
    assert (1, 6) in answered


def test_a_prompt_skipped_because_of_a_merge_is_answered_for_the_one_that_stays(
    two_tracked,
):
    table = two_tracked
    table.say(click(3, 4, (20, 20)))
    skip(table, table.book.set_prompt(click(3, 6, (20, 21))))
    merge(table, 2, 3)
    answered = {(one.object_id, one.frame_index) for one in table.store.read_anchors()}
    assert answered == {(1, 0), (2, 0), (2, 4), (2, 6)}


def test_ghost_masks_of_who_is_ended_by_a_merge(two_tracked):
    """The one that stays has a daughter from then on, and ends before she begins."""
    table = two_tracked

    table.follow(divided(table.book, mother=2))
    merge(table, 1, 2)
    assert frames_with(table, 1) == list(range(5))
    assert frames_with(table, 2) == []


def test_masks_that_went_with_a_skipped_edit_come_back_with_its_undo(two_tracked):
    table = two_tracked
    before = [table.labels(frame) for frame in range(12)]
    skip(table, table.book.clear_prompt(1, 0))
    table.say(click(2, 0, (70, 90), (72, 92)))
    table.turn(table.engine.undo)
    assert frames_with(table, 1) == []
    table.turn(table.engine.undo)
    for frame in range(12):
        np.testing.assert_array_equal(table.labels(frame), before[frame])
