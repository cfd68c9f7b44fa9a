"""What people do while tracking runs, and what the history knows of it."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from tests.engine.engine_steps import Table, click, movie_input, of_kind

from napari_sam2.engine import BookReturned, Request, Scored
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.session.book.state import FrameFlag
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.planning.plan import Direction
from napari_sam2.session.session import FrameDone


@pytest.fixture
def table(stack, toy, tmp_path):
    request = Request(movie_input(stack), toy, tmp_path / "masklets.zarr")
    return Table(request, len(stack))


@pytest.fixture
def tracking(table):
    """A run that has come to frame 3, of object 1 that was clicked on frame 0."""
    table.say(click(1, 0, (30, 40)))
    run = table.run(direction=Direction.FORWARD)
    done = (event.frame_index for event in run if isinstance(event, FrameDone))
    assert 3 in itertools.islice(done, 5)
    return run


def test_a_run_is_one_step_and_so_is_what_was_done_meanwhile(table, tracking):
    before = table.labels(8)
    table.say(click(2, 11, (70, 90)))
    table.follow(table.book.rename(1, "mother"))
    list(tracking)
    after = [table.labels(frame) for frame in range(12)]
    undone = []
    for _ in range(3):
        (returned,) = of_kind(BookReturned, table.turn(table.engine.undo))
        undone.append(returned.text)
    assert undone == ["rename object 1", "say", "track forward"]
    assert 2 not in table.book.state
    assert table.book.state[1].anchors == (0,)  # said before the run
    assert table.book.state[1].stale == FrameSet.between(1, 11)
    np.testing.assert_array_equal(table.labels(8), before)
    for _ in range(3):
        table.turn(table.engine.redo)
    assert table.book.state[1].name == "mother"
    assert table.book.state[2].anchors == (11,)
    for frame, labels in enumerate(after):
        np.testing.assert_array_equal(table.labels(frame), labels)


def test_what_was_clicked_while_tracking_is_tracked_in_the_end(table, tracking):
    before = [table.labels(frame) for frame in range(12)]
    table.say(click(2, 5, (70, 90)))
    list(tracking)
    book = table.store.history.book
    assert not book[1].stale
    assert not book[2].stale & FrameSet.between(5, 11)
    computed = table.store.read_score_table("area")[:, 1] >= 0
    assert computed[5:].all()
    assert not computed[:5].any()  # the run goes forward
    # The click is taken back with what was tracked since, the run itself stays.
    table.turn(table.engine.undo)
    assert 2 not in table.book.state
    assert table.book.state[1].stale == FrameSet.between(4, 11)
    for frame, labels in enumerate(before):
        np.testing.assert_array_equal(table.labels(frame), labels)
    # And the next run goes on from there.
    table.track(direction=Direction.FORWARD)
    assert not table.book.state[1].stale


def test_a_lock_holds_for_the_run_that_it_meets(table, tracking):
    table.say(click(1, 9, (60, 60)))
    table.follow(table.book.flag(FrameFlag.LOCKED, [1], FrameSet.of([7, 9])))
    before = table.labels(7), table.labels(9)
    list(tracking)
    for frame, labels in zip((7, 9), before, strict=True):
        np.testing.assert_array_equal(table.labels(frame), labels)
    assert table.labels(8).any()


def test_a_run_does_not_write_over_what_was_drawn_meanwhile(table, tracking):
    mask = np.zeros((96, 112), bool)
    mask[10:20, 20:40] = True
    table.say(FramePrompt(1, 8, mask=MaskPrompt(mask)))
    list(tracking)
    np.testing.assert_array_equal(table.labels(8) == 1, mask)
    assert not any(thing.stale for thing in table.store.history.book.objects)


def test_frames_that_were_tracked_are_not_stale_when_the_run_is_done_again(table):
    table.say(click(1, 0, (30, 40)))
    table.track()
    table.turn(table.engine.undo)
    assert table.book.state[1].stale == FrameSet.between(1, 11)
    table.turn(table.engine.redo)
    assert not table.book.state[1].stale
    # Nor after a kill: nobody saved the session.
    book = OmeZarrLabelStore.open(table.request.folder, mode="r").read_session().book
    assert not book[1].stale


def test_an_object_without_masks_takes_over_another(table):
    table.follow(table.book.add_object())
    table.say(click(2, 0, (30, 40)))
    mask = table.labels(0) == 2
    edit = table.book.merge(1, 2)
    list(table.engine.merge(table.request, edit, (1, 2), 0))
    np.testing.assert_array_equal(table.labels(0) == 1, mask)


def test_anchors_of_prompts_that_were_taken_back_are_not_kept(table):
    table.say(click(1, 0, (30, 40)), click(1, 5, (50, 60)), click(2, 3, (70, 90)))
    table.follow(table.book.clear_prompt(1, 5))
    table.follow(table.book.remove_objects([2]))
    kept = [(one.object_id, one.frame_index) for one in table.store.read_anchors()]
    assert kept == [(1, 0)]
    table.turn(table.engine.undo)
    table.turn(table.engine.undo)
    kept = [(one.object_id, one.frame_index) for one in table.store.read_anchors()]
    assert kept == [(1, 0), (1, 5), (2, 3)]


def test_scores_of_an_edit_that_is_ended_in_the_middle_are_on_disk(table):
    edit = table.book.set_prompts([click(1, 0, (30, 40)), click(1, 5, (50, 60))], "say")
    steps = table.engine.apply(table.request, edit, lambda _frame: True, 0)
    for event in steps:
        if isinstance(event, Scored) and table.store.object_ids:
            break
    steps.close()
    store = OmeZarrLabelStore.open(table.request.folder, mode="r")
    assert store.whole_frames[5]
    ids, scores = store.read_scores(5)
    assert ids == (1,)
    assert scores.area[0] == (store.read_labels(5) == 1).sum()


def test_a_prompt_that_could_not_be_answered_leaves_nothing_behind(table, monkeypatch):
    table.say(click(1, 0, (30, 40)))
    table.track()
    predictor = table.engine.workspace.prepared[1].predictor

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(predictor, "preview", fail)
    with pytest.raises(MemoryError):
        table.say(click(1, 6, (60, 60)))
    assert 1 not in predictor.bank.last_tracked


def copied(prompt):
    """The same prompt, as it comes back from the disk: another object in memory."""
    mask = None if prompt.mask is None else MaskPrompt(prompt.mask.mask.copy())
    return replace(prompt, points=tuple(map(replace, prompt.points)), mask=mask)


def drawn(rows):
    mask = np.zeros((96, 112), bool)
    mask[rows, 20:40] = True
    return FramePrompt(2, 0, mask=MaskPrompt(mask))


@pytest.mark.parametrize(("rows", "goes_on"), [((10, 20), True), ((10, 21), False)])
def test_a_run_goes_on_with_equal_prompts_wherever_they_lie_in_memory(
    table, rows, goes_on
):
    table.say(click(1, 0, (30, 40)), drawn(slice(10, 20)))
    run = table.run(direction=Direction.FORWARD)
    next(event for event in run if isinstance(event, FrameDone) and event.written)
    run.close()
    stopped_at = table.store.read_progress()[0].next_frame
    table.book.replace(
        table.book.state.with_objects(
            replace(state, prompts=tuple(map(copied, state.prompts)))
            for state in table.book.state.objects
        )
    )
    if not goes_on:
        table.say(drawn(slice(*rows)))
    events = table.track(direction=Direction.FORWARD)
    done = [e.frame_index for e in events if isinstance(e, FrameDone) and e.written]
    first = next(e.position for e in events if isinstance(e, FrameDone))
    assert (first > 1) == goes_on
    assert stopped_at in done
    assert done[-1] == 11
