"""Comparing the two ways through a gap, without a window."""

import numpy as np
import pytest
from tests.engine.engine_steps import click, of_kind

from napari_sam2.engine import (
    ONLY_BACKWARD,
    ONLY_FORWARD,
    Compared,
    DirectionsCompared,
    FrameChanged,
    holds,
)
from napari_sam2.errors import InputError
from napari_sam2.session.book.state import FrameFlag
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.planning.plan import Direction


def everything(table):
    return np.stack([table.labels(frame) for frame in range(12)])


@pytest.fixture
def gap(table):
    """An object that was tracked between prompts on frames 2 and 7, and another."""
    table.say(click(1, 2, (30, 40)), click(1, 7, (35, 45)), click(2, 0, (70, 90)))
    table.track()
    return table


def compared(table):
    return list(table.engine.compare(table.request, table.book.state, 1, 4))


def kept(table, found, way):
    frames = FrameSet.of(found.agreement)
    edit = table.book.keep_direction(found.object_id, frames, way)
    return list(table.engine.keep_direction(table.request, edit, way))


def test_both_ways_are_shown_and_nothing_is_written(gap):
    before = everything(gap)
    events = compared(gap)
    np.testing.assert_array_equal(everything(gap), before)
    (found,) = of_kind(DirectionsCompared, events)
    assert sorted(found.agreement) == [3, 4, 5, 6]
    steps = of_kind(Compared, events)
    assert steps[-1].position == steps[-1].total
    seen = {
        one.frame_index: one.difference for one in steps if one.difference is not None
    }
    for frame, agreement in found.agreement.items():
        assert (agreement == 1) == (not seen[frame].any())
        # What was tracked is the way forward, where no other object has the pixel.
        assert before[frame][seen[frame] == ONLY_FORWARD].all()
        assert not (before[frame] == 1)[seen[frame] == ONLY_BACKWARD].any()
    assert any(one.any() for one in seen.values())


def test_the_way_that_is_kept_is_one_step(gap):
    gap.follow(gap.book.flag(FrameFlag.LOCKED, [1], FrameSet.of([5])))
    before = everything(gap)
    (found,) = of_kind(DirectionsCompared, compared(gap))
    events = kept(gap, found, Direction.BACKWARD)
    after = everything(gap)
    assert [one.frame_index for one in of_kind(FrameChanged, events)] == [3, 4, 6]
    changed = np.flatnonzero((after != before).any(axis=(1, 2)))
    assert changed.size
    assert set(changed) <= {3, 4, 6}
    assert gap.store.history.undo_text == "keep backward of object 1"
    gap.turn(gap.engine.undo)
    np.testing.assert_array_equal(everything(gap), before)
    gap.turn(gap.engine.redo)
    np.testing.assert_array_equal(everything(gap), after)


def test_the_gap_is_not_to_be_tracked_again_once_a_way_was_kept(gap):
    gap.say(click(1, 7, (36, 46)))  # makes the gap stale
    (found,) = of_kind(DirectionsCompared, compared(gap))
    assert FrameSet.of(found.agreement) & gap.book.state[1].stale
    kept(gap, found, Direction.FORWARD)
    assert not FrameSet.of(found.agreement) & gap.book.state[1].stale


def test_a_comparison_holds_as_long_as_its_prompts_do(gap):
    (found,) = of_kind(DirectionsCompared, compared(gap))
    assert holds(found.book, gap.book.state, 12)
    gap.book.rename(1, "mother")
    assert holds(found.book, gap.book.state, 12)
    gap.book.set_prompt(click(1, 5, (33, 43)))
    assert not holds(found.book, gap.book.state, 12)


def test_there_must_be_a_gap_and_a_comparison(gap):
    with pytest.raises(InputError, match="no two prompts around"):
        list(gap.engine.compare(gap.request, gap.book.state, 2, 5))
    (found,) = of_kind(DirectionsCompared, compared(gap))
    list(gap.engine.forget_comparison())
    with pytest.raises(InputError, match="compare the directions once more"):
        kept(gap, found, Direction.FORWARD)
