"""A correction and the live repair that it causes are one step of the history."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from tests.engine.engine_steps import Table, click, done_frames, flat, of_kind

from napari_sam2.engine import BookReturned, Followed, Order
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.session import FrameDone

FRAMES = 12
LIVE = {"is_repair": True, "joins_step": True}


@pytest.fixture
def begun(table):
    """An object that was clicked on frame 0 and tracked."""
    table.say(click(1, 0, (30, 40)))
    table.track()
    return table


def everything(table):
    return np.stack([table.labels(frame) for frame in range(FRAMES)])


def undone(table):
    (returned,) = of_kind(BookReturned, table.turn(table.engine.undo))
    return returned.text


def reopened(table, name="copy.zarr"):
    """Somebody who opens a copy of the folder, with another engine."""
    folder = table.request.folder.with_name(name)
    shutil.copytree(table.request.folder, folder)
    other = Table(replace(table.request, folder=folder), FRAMES)
    (read,) = other.engine.read_session(folder)
    other.book.replace(read.document.book)
    list(other.engine.adopt(other.request, read.document.book))
    return other


def up_to(run, frame_index):
    """Let a run come to a frame."""
    for event in run:
        if isinstance(event, FrameDone) and event.frame_index == frame_index:
            return


def test_undo_takes_back_a_correction_with_what_it_caused(begun):
    before = everything(begun)
    begun.say(click(1, 6, (60, 60)))
    assert len(done_frames(begun.track(**LIVE))) == 10
    after = everything(begun)
    assert (before[8] != after[8]).any()
    for table in (begun, reopened(begun)):
        assert not table.book.state[1].stale
        assert undone(table) == "say"
        assert table.book.state[1].anchors == (0,)
        assert not table.book.state[1].stale
        np.testing.assert_array_equal(everything(table), before)
        table.turn(table.engine.redo)
        assert table.book.state[1].anchors == (0, 6)
        assert not table.book.state[1].stale
        np.testing.assert_array_equal(everything(table), after)


def test_a_repair_that_was_asked_for_is_a_step_of_its_own(begun):
    begun.say(click(1, 6, (60, 60)))
    said = everything(begun)
    begun.track(is_repair=True)
    assert undone(begun) == "repair"
    assert begun.book.state[1].anchors == (0, 6)
    np.testing.assert_array_equal(everything(begun), said)


def test_a_live_repair_without_a_step_to_join_has_one_of_its_own(begun):
    begun.say(click(1, 6, (60, 60)))
    other = reopened(begun)
    said = everything(other)
    other.track(**LIVE)
    assert undone(other) == "repair"
    np.testing.assert_array_equal(everything(other), said)


def test_corrections_while_it_runs_are_undone_one_by_one(begun):
    before = everything(begun)
    begun.say(click(1, 4, (60, 60)))
    run = begun.run(**LIVE)
    up_to(run, 6)
    partly = everything(begun)
    begun.say(click(1, 8, (20, 70)))
    list(run)  # goes on with both
    after = everything(begun)
    assert not begun.store.history.book[1].stale
    assert undone(begun) == "say"
    assert begun.book.state[1].anchors == (0, 4)
    np.testing.assert_array_equal(everything(begun), partly)
    assert 9 in begun.book.state[1].stale
    assert undone(begun) == "say"
    assert begun.book.state[1].anchors == (0,)
    np.testing.assert_array_equal(everything(begun), before)
    begun.turn(begun.engine.redo)
    np.testing.assert_array_equal(everything(begun), partly)
    begun.turn(begun.engine.redo)
    np.testing.assert_array_equal(everything(begun), after)


def test_every_undo_takes_back_something_that_a_person_did(begun):
    begun.say(click(1, 4, (60, 60)))
    run = begun.run(**LIVE)
    up_to(run, 6)
    partly = everything(begun)
    begun.follow(begun.book.rename(1, "mother"))
    list(run)
    assert undone(begun).startswith("rename")
    np.testing.assert_array_equal(everything(begun), partly)
    assert 9 in begun.book.state[1].stale
    assert undone(begun) == "say"
    assert begun.book.state[1].anchors == (0,)


def test_a_repair_that_was_stopped_is_part_of_the_step(begun):
    before = everything(begun)
    begun.say(click(1, 4, (60, 60)))
    run = begun.run(**LIVE)
    up_to(run, 6)
    run.close()
    partly = everything(begun)
    stale = begun.store.history.book[1].stale
    assert 9 in stale
    assert 6 not in stale
    assert undone(begun) == "say"
    np.testing.assert_array_equal(everything(begun), before)
    begun.turn(begun.engine.redo)
    np.testing.assert_array_equal(everything(begun), partly)
    assert begun.book.state[1].stale == stale
    begun.track(is_repair=True)
    assert undone(begun) == "repair"


def test_it_says_what_the_frames_that_come_follow_from(begun):
    begun.say(click(1, 4, (60, 60)))
    events = flat(begun.engine.track(begun.request, begun.book.state, Order(**LIVE)))
    followed = []
    for event in events:
        if isinstance(event, Followed):
            followed.append(event.book[1].anchors)
        if isinstance(event, FrameDone) and (event.frame_index, len(followed)) == (
            6,
            1,
        ):
            begun.say(click(1, 8, (20, 70)))
    assert followed == [(0, 4), (0, 4, 8)]


def test_a_run_that_waited_follows_the_book_that_it_finds(begun):
    """Somebody clicks again between asking for a run and its first step."""
    begun.say(click(1, 4, (60, 60)))
    run = begun.engine.track(begun.request, begun.book.state, Order(**LIVE))
    begun.say(click(1, 4, (60, 60), (20, 70)))
    anchors = begun.store.read_anchors()
    list(run)
    for old, new in zip(anchors, begun.store.read_anchors(), strict=True):
        np.testing.assert_array_equal(old.logits, new.logits)
    assert undone(begun) == "say"
    assert len(begun.book.state[1].prompt_at(4).points) == 1
    assert begun.book.state[1].stale == FrameSet.between(1, 3) | FrameSet.between(5, 11)
