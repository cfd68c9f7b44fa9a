"""`Session.propagate`: cancel, resume, locks, gaps and merging, without a network."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from napari_sam2.errors import OutputError
from napari_sam2.prompts import (
    FramePrompt,
    MaskPrompt,
    PointPrompt,
    PromptedObject,
)
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.planning.plan import Direction, FrameRange, MergePolicy, Plan
from napari_sam2.session.session import Session

_spec = importlib.util.spec_from_file_location(
    "session_fakes", Path(__file__).with_name("fakes.py")
)
fakes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fakes)


def clicked(object_id, *frames, parent=None):
    prompts = tuple(
        FramePrompt(object_id, frame, points=(PointPrompt(1, 1),)) for frame in frames
    )
    return PromptedObject(object_id, prompts, parent=parent)


def make(objects, frame_count=10, store=None, **options):
    return Session(
        fakes.FakeSource(frame_count),
        store or fakes.FakeStore(),
        fakes.FakePredictor(),
        objects,
        **options,
    )


def plan(frame_count=10, **options):
    return Plan(FrameRange(0, frame_count), key="k", **options)


def test_every_frame_is_written_and_the_store_is_finished():
    session = make([clicked(1, 3)])
    done = list(session.propagate(plan()))
    assert sorted(session.store.labels) == list(range(10))
    assert session.store.is_finished
    assert [one.position for one in done] == list(range(1, 12))
    assert {one.total for one in done} == {11}
    assert [one.written for one in done] == [False] + [True] * 10


def test_a_frame_that_was_read_ahead_is_told_before_the_one_in_hand_is_tracked():
    """Past the end of a walk, too; what was not read yet is not waited for."""
    session = make([clicked(1, 3)])
    unread, read = 7, session.source.read
    session.source.peek = lambda frame: None if frame == unread else read(frame)
    list(session.propagate(plan()))
    tracked = [None, *(frame for frame, _, _ in session.predictor.steps)]
    assert tracked == [None, 3, 2, 1, 0, 3, 4, 5, 6, 7, 8, 9]
    following = zip(tracked, tracked[2:], strict=False)
    assert session.predictor.expected == [each for each in following if each[1] != 7]


def test_what_is_damaged_at_the_end_is_made_again_from_nothing():
    whole = make([clicked(1, 3)])
    list(whole.propagate(plan()))
    session = make([clicked(1, 3)])
    session.store.faults = ["frame 5 is damaged"]
    done = list(session.propagate(plan()))
    assert [one.position for one in done] == [*range(1, 12)] * 2
    assert session.mended == "frame 5 is damaged"
    assert session.store.is_finished
    for frame, labels in whole.store.labels.items():
        np.testing.assert_array_equal(session.store.labels[frame], labels)
        # What was remembered decides the logits: it was forgotten before.
        assert (
            session.store.logits[frame][1].max() == whole.store.logits[frame][1].max()
        )


def test_what_is_damaged_again_and_again_is_no_endless_run():
    session = make([clicked(1, 3)])
    session.store.faults = ["frame 5 is damaged", "frame 6 is damaged"]
    with pytest.raises(OutputError, match="frame 6 is damaged: the disk does not keep"):
        list(session.propagate(plan()))
    assert not session.store.is_finished


def test_repairs_and_runs_that_nobody_resumes_are_not_looked_through():
    session = make([clicked(1, 3)])
    session.store.faults = ["frame 5 is damaged"]
    list(session.propagate(plan(only={1: FrameSet.of([5])})))
    list(session.propagate(Plan(FrameRange(0, 10))))
    assert session.mended is None


def test_objects_prompted_on_different_frames_share_each_label_image():
    session = make([clicked(1, 0), clicked(2, 8)])
    list(session.propagate(plan()))
    assert all(
        set(np.unique(labels)) == {0, 1, 2} for labels in session.store.labels.values()
    )


def test_recent_memory_begins_anew_on_each_anchor():
    session = make([clicked(1, 0, 5)])
    list(session.propagate(plan(direction=Direction.FORWARD)))
    depth = [session.store.logits[frame][1].max() for frame in range(10)]
    assert depth == [1, 1, 2, 3, 4, 5, 1, 2, 3, 4]


@pytest.mark.parametrize("stop", [1, 4, 26, 31, 57])
def test_a_cancelled_run_goes_on_as_if_it_had_not_been_cancelled(stop):
    objects = [clicked(1, 10, 20), clicked(2, 0)]
    whole = make(objects, 40)
    list(whole.propagate(plan(40)))
    store = fakes.FakeStore()
    first = make(objects, 40, store=store).propagate(plan(40))
    for _ in range(stop):
        next(first)
    first.close()
    second = make(objects, 40, store=store)
    rest = list(second.propagate(plan(40)))
    assert rest[0].position == stop + 1
    assert store.is_finished
    for frame, labels in whole.store.labels.items():
        np.testing.assert_array_equal(store.labels[frame], labels)
        for object_id, logits in whole.store.logits[frame].items():
            np.testing.assert_array_equal(store.logits[frame][object_id], logits)


def test_a_killed_run_computes_at_most_25_frames_again():
    store = fakes.FakeStore()
    objects = [clicked(1, 0)]
    run = make(objects, 100, store=store).propagate(plan(100))
    for _ in range(99):
        next(run)
    committed = store.progress  # a kill: nothing more reaches the store
    run.close()
    store.progress = committed
    again = list(make(objects, 100, store=store).propagate(plan(100)))
    assert len(again) <= 25 + (101 - 99)


@pytest.mark.parametrize("stop", [1, 3, 8, 13])
@pytest.mark.parametrize("has_anchors", [False, True])
def test_a_cancelled_repair_goes_on_with_the_anchors_it_has_stored(stop, has_anchors):
    objects = [clicked(1, 4, 12), clicked(2, 0)]
    repair = plan(20, only={1: FrameSet.between(6, 15)})
    whole = make(objects, 20)
    list(whole.propagate(repair))
    store = fakes.FakeStore()
    first = make(objects, 20, store=store).propagate(repair)
    for _ in range(stop):
        next(first)
    first.close()
    anchors = store.read_anchors() if has_anchors else ()
    list(make(objects, 20, store=store, anchors=anchors).propagate(repair))
    assert store.logits.keys() == whole.store.logits.keys()
    for frame, masks in whole.store.logits.items():
        np.testing.assert_array_equal(store.logits[frame][1], masks[1])
    assert not store.is_finished, "a repair completes nothing"
    assert store.progress[0].plan_key == ""


def test_stored_anchors_are_replayed_and_only_those_of_visited_gaps():
    objects = [clicked(1, 2, 6, 12, 16), clicked(2, 0)]
    store = fakes.FakeStore()
    list(make(objects, 20, store=store).propagate(plan(20)))
    session = make(objects, 20, store=store, anchors=store.read_anchors())
    repair = Plan(FrameRange(0, 20), only={1: FrameSet.of([8, 9])})
    done = list(session.propagate(repair))
    assert session.predictor.replayed == [(1, 6), (1, 12)]
    assert session.source.reads == [6, 12, 7, 8, 9]
    assert [(one.frame_index, one.object_ids) for one in done if one.written] == [
        (8, (1,)),
        (9, (1,)),
    ]


def test_a_run_without_a_key_is_never_gone_on_with():
    store = fakes.FakeStore()
    for _ in range(2):
        run = make([clicked(1, 0)], store=store).propagate(Plan(FrameRange(0, 10)))
        assert next(run).position == 1
        run.close()
        assert store.progress[1] is None, "no snapshot that nobody reads"


def test_masks_beyond_a_division_do_not_compete():
    store = fakes.FakeStore()
    list(make([clicked(1, 0), clicked(5, 4)], store=store).propagate(plan()))
    family = [clicked(1, 0), clicked(5, 4, parent=1)]
    list(make(family, store=store).propagate(plan()))
    assert all(set(np.unique(store.labels[f])) == {0, 1} for f in range(4))
    assert all(set(np.unique(store.labels[f])) == {0, 5} for f in range(4, 10))


def test_of_two_drawings_the_lower_id_lies_above_and_both_above_what_is_tracked():
    store = fakes.FakeStore()
    left, right = np.zeros((2, *fakes.SHAPE), bool)
    left[:, :4], right[:, 2:5] = True, True
    objects = [
        PromptedObject(one, (FramePrompt(one, 3, mask=MaskPrompt(mask)),))
        for one, mask in ((2, right), (1, left))
    ]
    list(make([*objects, clicked(3, 0)], store=store).propagate(plan()))
    row = store.labels[3][3]  # object 3 covers it
    assert row.tolist() == [1, 1, 1, 1, 2, 3]
    assert (store.labels[3][0] == [1, 1, 1, 1, 2, 0]).all()


def test_another_plan_starts_from_the_beginning():
    store = fakes.FakeStore()
    run = make([clicked(1, 0)], store=store).propagate(plan())
    for _ in range(5):
        next(run)
    run.close()
    other = Plan(FrameRange(0, 10), key="other")
    assert next(make([clicked(1, 0)], store=store).propagate(other)).position == 1


def test_locked_frames_of_an_object_are_not_rewritten():
    store = fakes.FakeStore()
    list(make([clicked(1, 0), clicked(2, 0)], store=store).propagate(plan()))
    before = store.logits[4][1].copy()
    later = plan(locks={1: FrameSet.of([4])}, direction=Direction.FORWARD)
    list(make([clicked(1, 0, 3), clicked(2, 0)], store=store).propagate(later))
    np.testing.assert_array_equal(store.logits[4][1], before)
    assert (store.logits[5][1] != store.logits[4][1]).any()
    assert set(np.unique(store.labels[4])) == {0, 1, 2}


@pytest.mark.parametrize(
    ("policy", "under_mask", "beside_it", "empty_frame"),
    [
        (MergePolicy.KEEP, 9, 9, 1),
        (MergePolicy.REPLACE, 1, 9, 1),
        (MergePolicy.FILL, 9, 9, 1),
    ],
)
def test_foreign_labels_meet_the_merge_policy(
    policy, under_mask, beside_it, empty_frame
):
    store = fakes.FakeStore()
    drawn = np.zeros(fakes.SHAPE, np.uint16)
    drawn[1:3, 0] = 9
    store.labels[5] = drawn
    session = make([clicked(1, 0)], store=store, has_foreign_labels=True)
    list(session.propagate(plan(merge=policy)))
    assert store.labels[5][1, 0] == under_mask
    assert store.labels[5][2, 0] == beside_it
    assert store.labels[5][1, 3] == (0 if policy is MergePolicy.FILL else 1)
    assert store.labels[6][1, 0] == empty_frame


def test_prompts_become_stored_anchors():
    session = make([clicked(1, 0, 6), clicked(2, 3)])
    list(session.propagate(plan()))
    found = [(one.object_id, one.frame_index) for one in session.store.anchors]
    assert found == [(1, 0), (2, 3), (1, 6)]
