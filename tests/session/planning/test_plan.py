"""Walks and resolution: arithmetic on frame numbers, no movie in sight."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.errors import InputError
from napari_sam2.prompts import (
    BoxPrompt,
    FramePrompt,
    MaskPrompt,
    PointPrompt,
    PromptedObject,
)
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.planning.plan import (
    Direction,
    FrameRange,
    Plan,
    object_lives,
)
from napari_sam2.session.planning.resolution import resolution
from napari_sam2.session.planning.walks import walks


def clicked(object_id, *frames, parent=None):
    prompts = tuple(
        FramePrompt(object_id, frame, points=(PointPrompt(1, 1),)) for frame in frames
    )
    return PromptedObject(object_id, prompts, parent=parent)


def written_places(objects, direction, frames, frame_count=10):
    """Every (frame, object) that the walks write, in order."""
    plan = Plan(FrameRange(*frames), direction)
    return [
        (frame, object_id)
        for walk in walks(object_lives(objects, frame_count), plan)
        for frame in walk.frames
        for object_id in walk.objects_at(frame)
    ]


def test_forward_goes_from_the_first_anchor_to_the_end():
    found = written_places([clicked(1, 4, 7)], Direction.FORWARD, (0, 10))
    assert found == [(frame, 1) for frame in range(4, 10)]


def test_backward_goes_from_the_last_anchor_to_the_beginning():
    found = written_places([clicked(1, 4, 7)], Direction.BACKWARD, (0, 10))
    assert found == [(frame, 1) for frame in range(7, -1, -1)]


def test_both_runs_backward_before_the_first_anchor_and_forward_from_it():
    found = written_places([clicked(1, 4, 7)], Direction.BOTH, (0, 10))
    assert found == [(f, 1) for f in (3, 2, 1, 0)] + [(f, 1) for f in range(4, 10)]


def test_an_anchor_outside_the_range_conditions_but_is_not_walked():
    assert written_places([clicked(1, 1)], Direction.BOTH, (4, 6)) == [(4, 1), (5, 1)]
    assert written_places([clicked(1, 8)], Direction.BOTH, (4, 6)) == [(5, 1), (4, 1)]
    assert written_places([clicked(1, 8)], Direction.FORWARD, (4, 6)) == []


def test_a_division_ends_the_mother_and_begins_the_daughters():
    family = [clicked(1, 0), clicked(2, 5, parent=1), clicked(3, 6, parent=1)]
    found = written_places(family, Direction.BOTH, (0, 10))
    assert [frame for frame, one in found if one == 1] == [0, 1, 2, 3, 4]
    assert [frame for frame, one in found if one == 2] == [5, 6, 7, 8, 9]
    assert [frame for frame, one in found if one == 3] == [6, 7, 8, 9]


@pytest.mark.parametrize("late", [5, 8])
def test_a_mother_prompted_after_her_division_is_refused(late):
    family = [clicked(1, 0, late), clicked(2, 5, parent=1)]
    with pytest.raises(InputError, match=f"object 1 is prompted on frame {late}"):
        object_lives(family, 10)


def test_a_movie_of_one_frame_is_one_visit():
    assert written_places([clicked(1, 0)], Direction.BOTH, (0, 1), 1) == [(0, 1)]


@given(
    st.dictionaries(
        st.integers(1, 9),
        st.sets(st.integers(0, 29), min_size=1, max_size=4),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from((Direction.BOTH, Direction.FORWARD, Direction.BACKWARD)),
    st.integers(0, 28),
    st.integers(1, 30),
)
def test_each_object_frame_is_written_once_and_in_range(anchors, way, first, length):
    frames = (first, min(first + length, 30))
    objects = [clicked(one, *sorted(where)) for one, where in anchors.items()]
    found = written_places(objects, way, frames, frame_count=30)
    assert len(found) == len(set(found))
    assert all(frames[0] <= frame < frames[1] for frame, _ in found)
    if way is Direction.BOTH:
        assert len(found) == len(objects) * (frames[1] - frames[0])


def test_an_empty_range_is_refused_in_words():
    with pytest.raises(ValueError, match="FIRST < STOP"):
        FrameRange(5, 5)


def test_only_later_clicks_need_the_frames_before_them():
    box = FramePrompt(2, 3, box=BoxPrompt(0, 0, 2, 2))
    objects = [clicked(1, 2, 6), PromptedObject(2, (box,))]
    walk = resolution(objects)
    assert walk.frames == (2, 3, 4, 5, 6)
    assert [walk.objects_at(frame) for frame in walk.frames] == [
        (),
        (1,),
        (1,),
        (1,),
        (1,),
    ]
    assert [prompt.object_id for prompt in walk.prompts_at(3)] == [2]


def test_first_clicks_need_their_own_frame_only():
    assert resolution([clicked(1, 2), clicked(2, 90)]).frames == (2, 90)


# --- Repairs, and single gaps


def legs_of(objects, **options):
    """Legs by object and direction, and the frames that are read."""
    found = walks(object_lives(objects, 20), Plan(FrameRange(0, 20), **options))
    return [(walk.reverse, dict(walk.legs), walk.frames) for walk in found]


def test_a_repair_walks_from_the_anchors_of_its_gaps_and_reads_nothing_else():
    objects = [clicked(1, 4, 10, 15), clicked(2, 0), clicked(3, 8)]
    only = {1: FrameSet.of([2, 7, 12, 13]), 3: FrameSet.of([9])}
    assert legs_of(objects, only=only) == [
        (True, {1: ((3, 2),)}, (3, 2)),
        (False, {1: ((5, 7), (11, 13)), 3: ((9, 9),)}, (5, 6, 7, 9, 11, 12, 13)),
    ]


def test_a_repair_writes_what_was_asked_for_alone():
    life = object_lives([clicked(1, 4)], 20)
    plan = Plan(
        FrameRange(0, 20), only={1: FrameSet.of([4, 7, 8])}, locks={1: FrameSet.of([8])}
    )
    (walk,) = walks(life, plan)
    assert walk.legs == {1: ((4, 7),)}
    assert [f for f in walk.frames if walk.written_at(f)] == [4, 7]
    assert walk.beginning_at(4) == (1,)


def test_a_repair_backward_starts_at_the_right_anchor():
    only = {1: FrameSet.of([6, 7])}
    assert legs_of([clicked(1, 4, 10)], only=only, direction=Direction.BACKWARD) == [
        (True, {1: ((9, 6),)}, (9, 8, 7, 6))
    ]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (1, [(True, {1: ((3, 0),)}, (3, 2, 1, 0))]),
        (4, [(False, {1: ((4, 6),)}, (4, 5, 6))]),
        (6, [(False, {1: ((4, 6),)}, (4, 5, 6))]),
        (18, [(False, {1: ((7, 19),)}, tuple(range(7, 20)))]),
    ],
)
def test_to_the_next_anchor_is_the_gap_around_the_frame(start, expected):
    way = Direction.NEXT_ANCHOR
    assert legs_of([clicked(1, 4, 7)], direction=way, start=start) == expected


def test_one_frame_is_reached_from_its_anchor_and_written_alone():
    plan = Plan(FrameRange(0, 20), Direction.ONE_FRAME, start=6)
    (walk,) = walks(object_lives([clicked(1, 4, 9)], 20), plan)
    assert walk.frames == (5, 6)
    assert walk.written_at(5) == ()
    assert walk.written_at(6) == (1,)


@pytest.mark.parametrize("way", [Direction.NEXT_ANCHOR, Direction.ONE_FRAME])
def test_a_direction_around_a_frame_needs_the_frame(way):
    with pytest.raises(InputError, match="needs a frame to start on"):
        Plan(FrameRange(0, 20), way)


@given(
    st.sets(st.integers(0, 29), min_size=1, max_size=4),
    st.sets(st.integers(0, 29)),
    st.sets(st.integers(0, 29)),
)
def test_a_repair_writes_each_frame_asked_for_once(anchors, asked, locked):
    only, locks = {1: FrameSet.of(asked)}, {1: FrameSet.of(locked)}
    plan = Plan(FrameRange(0, 30), only=only, locks=locks)
    found = walks(object_lives([clicked(1, *sorted(anchors))], 30), plan)
    written = [f for walk in found for f in walk.frames if walk.written_at(f)]
    assert sorted(written) == sorted(asked - locked)


def test_a_stored_anchor_needs_no_walk_up_to_it():
    objects = [clicked(1, 2, 6, 9), clicked(2, 3)]
    needed = {1: (6, 9)}
    walk = resolution(objects, needed, {(1, 6)})
    assert walk.frames == (6, 7, 8, 9)
    assert walk.replayed_at(6) == (1,)
    assert walk.objects_at(6) == ()
    assert walk.followed == {1: ((7, 9),)}
    everything = resolution(objects, needed)
    assert everything.frames == tuple(range(2, 10))
    assert everything.followed == {1: ((3, 6), (7, 9))}


def test_a_correction_is_followed_from_the_anchor_before_it_alone():
    prompts = (
        *clicked(1, 2).prompts,
        FramePrompt(1, 6, mask=MaskPrompt(np.ones((2, 2), bool))),
        *clicked(1, 9).prompts,
    )
    walk = resolution([PromptedObject(1, prompts)])
    assert walk.followed == {1: ((7, 9),)}
    assert walk.frames == (2, 6, 7, 8, 9)


@pytest.mark.parametrize("direction", [Direction.NEXT_ANCHOR, Direction.ONE_FRAME])
def test_directions_of_the_window_need_a_frame(direction):
    with pytest.raises(InputError, match="both, forward or backward") as raised:
        Plan(FrameRange(0, 5), direction)
    assert raised.value.settings == ("direction",)
    assert Plan(FrameRange(0, 5), direction, start=2).start == 2
