"""The engine without a window: a toy network, a real label store."""

import itertools
import threading

import numpy as np
import pytest
import zarr
from tests.engine.engine_steps import Table, click, done_frames, of_kind

from napari_sam2.engine import (
    FrameChanged,
    Hovered,
    ModelReady,
    Request,
    Said,
    Scored,
    StoreReady,
    TrackingEngine,
    Warmed,
)
from napari_sam2.errors import InputError, ModelError, OutputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.session.book.state import FrameFlag
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.planning.plan import Direction
from napari_sam2.session.session import FrameDone

# --- Answers


def test_the_first_click_opens_everything_and_shows_its_mask(table):
    events = table.say(click(1, 2, (30, 40)))
    kinds = [type(event) for event in events]
    assert kinds[-4:] == [ModelReady, StoreReady, FrameChanged, Scored]
    labels = events[-2].labels
    assert set(np.unique(labels)) == {0, 1}
    folder = table.request.folder / "labels" / "masklets" / "0"
    on_disk = zarr.open_array(folder, mode="r")
    np.testing.assert_array_equal(on_disk[2], labels)
    assert not on_disk[1].any()
    store = OmeZarrLabelStore.open(table.request.folder)
    assert store.read_logits(2)[0] == (1,)
    assert store.whole_frames[2]
    # The next click loads and opens nothing any more.
    kinds = [type(event) for event in table.say(click(1, 2, (31, 40)))]
    assert kinds == [FrameChanged, Scored]


def test_an_answer_is_shown_before_it_is_written(table):
    table.say(click(1, 2, (30, 40)))
    before = table.labels(2)
    edit = table.book.set_prompt(click(1, 2, (30, 40), (60, 80)))
    answer = table.engine.apply(table.request, edit, lambda _frame: True, 2)
    shown = next(answer)
    np.testing.assert_array_equal(table.labels(2), before)
    assert not np.array_equal(shown.labels, before)
    list(answer)
    np.testing.assert_array_equal(table.labels(2), shown.labels)


def test_objects_of_a_frame_share_its_labels(table):
    table.say(click(1, 0, (30, 40)))
    table.say(click(2, 0, (70, 90)))
    assert table.store.object_ids == (1, 2)
    assert table.store.read_logits(0)[0] == (1, 2)
    assert table.labels(0).any()


def test_a_late_answer_is_not_computed_and_its_step_is_part_of_the_next(table):
    table.say(click(1, 0, (30, 40)))
    before = table.labels(0)
    late = table.book.set_prompt(click(1, 0, (5, 5)))
    assert table.follow(late, is_wanted=lambda _frame: False) == []
    np.testing.assert_array_equal(table.labels(0), before)
    table.say(click(1, 0, (60, 60)))
    assert not np.array_equal(table.labels(0), before)
    table.turn(table.engine.undo)
    np.testing.assert_array_equal(table.labels(0), before)
    (said,) = table.book.state[1].prompts
    assert (said.points[0].y, said.points[0].x) == (30, 40)


def test_a_correction_starts_from_what_was_seen_and_remembers_anchors(table):
    table.say(click(1, 0, (30, 40)))
    table.track(direction=Direction.FORWARD)
    tracked = table.store.read_logits(6)[1]
    table.say(click(1, 6, (50, 60)))
    corrected = table.store.read_logits(6)[1]
    assert not np.array_equal(tracked, corrected)
    # Another click on that frame corrects the same mask, not the answer before.
    table.say(click(1, 6, (50, 60), (52, 62)))
    table.say(click(1, 6, (50, 60)))
    np.testing.assert_array_equal(table.store.read_logits(6)[1], corrected)
    # Alone, the click says something else.
    alone = Table(
        Request(
            table.request.image,
            table.request.model,
            table.request.folder.with_name("alone.zarr"),
        ),
        12,
    )
    alone.say(click(1, 6, (50, 60)))
    assert not np.array_equal(alone.store.read_logits(6)[1], corrected)


def test_what_has_no_prompt_is_as_it_was_before_the_prompt(table):
    table.say(click(1, 0, (30, 40)))
    table.track()
    before = table.labels(3)
    table.say(click(1, 3, (60, 60)))
    assert not np.array_equal(table.labels(3), before)
    table.follow(table.book.clear_prompt(1, 3))
    np.testing.assert_array_equal(table.labels(3), before)
    table.follow(table.book.clear_prompt(1, 0))
    assert not any(table.labels(frame).any() for frame in range(12))


def test_a_drawn_mask_is_shown_to_the_pixel(table):
    table.say(click(1, 0, (30, 40)))
    mask = np.zeros(table.store.frame_shape, bool)
    mask[10:13, 20:27] = True
    events = table.say(FramePrompt(2, 4, mask=MaskPrompt(mask)))
    (changed,) = of_kind(FrameChanged, events)
    np.testing.assert_array_equal(changed.labels == 2, mask)
    np.testing.assert_array_equal(table.labels(4) == 2, mask)


def test_a_changed_contrast_shows_the_model_another_picture(table, request_for):
    table.say(click(1, 0, (30, 40)))
    before = table.store.read_logits(0)[1]
    table.request = request_for(limits=(100, 600))
    kinds = [type(event) for event in table.say(click(1, 0, (30, 41)))]
    assert kinds == [FrameChanged, Scored]  # the same masklets, the model still loaded
    assert not np.array_equal(before, table.store.read_logits(0)[1])


# --- Looking


def test_hovering_shows_what_a_click_would_give_and_writes_nothing(table):
    table.say(click(1, 0, (30, 40)))
    before = table.labels(0)
    hover = table.engine.hover
    would = click(2, 0, (70, 90))
    (seen,) = hover(table.request, table.book.state, would, lambda: True)
    assert isinstance(seen, Hovered)
    np.testing.assert_array_equal(table.labels(0), before)
    assert list(hover(table.request, table.book.state, would, lambda: False)) == []
    table.say(would)
    np.testing.assert_array_equal(
        (table.labels(0) == 2) | (before == 1), seen.mask | (before == 1)
    )


def test_frames_around_the_cursor_are_prepared_from_near_to_far(table):
    assert list(table.engine.warm(table.request, 5, lambda: True)) == []
    list(table.engine.prepare(table.request))
    warmed = table.engine.warm(table.request, 5, lambda: True)
    first = [event.frame_index for event in itertools.islice(warmed, 5)]
    assert first == [5, 6, 4, 7, 3]
    assert len(of_kind(Warmed, table.engine.warm(table.request, 5, lambda: True))) == 12


# --- Objects


def test_a_removed_object_is_taken_out_of_all_frames(table):
    table.say(click(1, 0, (30, 40)), click(2, 0, (70, 90)))
    table.track()
    events = table.follow(table.book.remove_objects([1]))
    assert len(of_kind(FrameChanged, events)) == 12
    assert not any((table.labels(frame) == 1).any() for frame in range(12))


def test_merging_gives_an_object_the_masks_of_both(table):
    table.say(click(1, 0, (30, 40)))
    table.say(click(2, 6, (70, 90)))
    table.track()
    both = [table.labels(frame) > 0 for frame in range(12)]
    edit = table.book.merge(1, 2)
    list(table.engine.merge(table.request, edit, (1, 2), 0))
    for frame in set(range(12)) - {0, 6}:
        merged = table.labels(frame) == 1
        assert merged[both[frame]].all()
        assert (merged != both[frame]).mean() < 0.01  # logits are joined, not pixels
    assert table.engine.workspace.opened(table.request).anchors.keys() == {
        (1, 0),
        (1, 6),
    }


# --- Tracking


def test_tracking_writes_every_frame_and_says_how_it_was_made(table, stack):
    table.say(click(1, 5, (30, 40)), click(2, 5, (70, 90)))
    events = table.track()
    written = done_frames(events)
    assert sorted({*written, 5}) == list(range(len(stack)))
    shown = {one.frame_index: one.labels for one in of_kind(FrameChanged, events)}
    for frame in written:
        np.testing.assert_array_equal(shown[frame], table.labels(frame))
    assert table.store.is_complete
    assert table.store.whole_frames.all()
    assert table.store.provenance.settings["direction"] == "both"
    assert not any(thing.stale for thing in table.book.state.objects)


def test_only_a_new_object_is_tracked_where_others_are_done(table):
    table.say(click(1, 0, (30, 40)))
    table.track()
    before = [table.store.read_logits(frame)[1][0] for frame in range(12)]
    table.say(click(2, 0, (70, 90)))
    events = table.track()
    ids = {event.object_ids for event in of_kind(FrameDone, events) if event.written}
    assert ids == {(2,)}
    for frame in range(12):
        np.testing.assert_array_equal(
            table.store.read_logits(frame)[1][0], before[frame]
        )


def test_a_correction_repairs_its_gaps_and_nothing_else(table):
    table.say(click(1, 0, (30, 40)), click(1, 8, (35, 45)))
    table.say(click(2, 0, (70, 90)))
    table.follow(table.book.flag(FrameFlag.LOCKED, [1], FrameSet.of([2])))
    table.track()
    before = {frame: table.labels(frame) for frame in range(12)}
    table.say(click(1, 4, (50, 60)))
    events = table.track(is_repair=True)
    assert sorted(done_frames(events)) == [1, 3, 5, 6, 7]
    for frame in (0, 8, 9, 10, 11):
        np.testing.assert_array_equal(table.labels(frame), before[frame])
    np.testing.assert_array_equal(table.labels(2) == 1, before[2] == 1)
    (said,) = of_kind(Said, table.track(is_repair=True))
    assert "Nothing to repair" in said.text


def test_a_cancelled_run_keeps_its_frames_and_goes_on(table, stack):
    table.say(click(1, 0, (30, 40)))
    run = table.run(direction=Direction.FORWARD)
    done = (event for event in run if isinstance(event, FrameDone))
    positions = [event.position for event in itertools.islice(done, 6)]
    run.close()
    whole = int(table.store.whole_frames.sum())
    assert 0 < whole < len(stack)
    kept = table.labels(3)
    first = of_kind(FrameDone, table.track(direction=Direction.FORWARD))[0]
    assert first.position == positions[-1] + 1
    np.testing.assert_array_equal(table.labels(3), kept)
    assert OmeZarrLabelStore.open(table.request.folder).whole_frames.all()


def test_labels_that_somebody_drew_are_kept(table):
    table.say(click(1, 0, (30, 40)))
    table.store.array[0, :10, :10] = 99
    table.say(click(1, 0, (31, 40)))
    table.track(direction=Direction.FORWARD)
    assert (table.store.array[0, :10, :10] == 99).all()


def test_there_must_be_something_to_track(table):
    with pytest.raises(InputError, match="click on a cell first"):
        table.track()


# --- Files and threads


def test_masklets_are_announced_whenever_they_are_others(table, request_for):
    table.say(click(1, 0, (30, 40)))
    other = Table(request_for("two.zarr"), 12, table.engine)
    assert of_kind(StoreReady, other.say(click(1, 0, (30, 40))))
    (again,) = table.engine.show(table.request)
    assert again.request == table.request
    assert list(table.engine.show(table.request)) == []
    assert list(table.engine.show(request_for("never-opened.zarr"))) == []


def test_masklets_of_others_are_not_touched(table):
    table.say(click(1, 0, (30, 40)))
    other = Table(table.request, 12)
    with pytest.raises(OutputError, match="choose another folder"):
        other.say(click(1, 0, (30, 40)))


def test_a_missing_model_is_named(request_for):
    engine = TrackingEngine(tell=print)
    with pytest.raises(ModelError, match=r"/nowhere/model\.pt"):
        list(engine.prepare(request_for(model="/nowhere/model.pt")))


def test_a_run_goes_on_in_another_thread_after_a_pause(table):
    table.say(click(1, 0, (30, 40)))
    run = table.run()
    next(event for event in run if isinstance(event, FrameDone))
    rest = []
    thread = threading.Thread(target=lambda: rest.extend(run))
    thread.start()
    thread.join(60)
    assert max(done_frames(rest)) == 11
