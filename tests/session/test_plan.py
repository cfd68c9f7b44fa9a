"""Sweeps and resolution: arithmetic on frame numbers, no movie in sight."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.errors import InputError
from napari_sam2.prompts import BoxPrompt, FramePrompt, PointPrompt, PromptedObject
from napari_sam2.session.plan import (
    Direction,
    FrameRange,
    Plan,
    sweeps,
    timelines,
)
from napari_sam2.session.resolution import resolution


def clicked(object_id, *frames, parent=None):
    prompts = tuple(
        FramePrompt(object_id, frame, points=(PointPrompt(1, 1),)) for frame in frames
    )
    return PromptedObject(object_id, prompts, parent=parent)


def visits(objects, direction, frames, frame_count=10):
    """Every (frame, object) that the sweeps write, in order."""
    plan = Plan(FrameRange(*frames), direction)
    return [
        (frame, object_id)
        for sweep in sweeps(timelines(objects, frame_count), plan)
        for frame in sweep.frames
        for object_id in sweep.objects_at(frame)
    ]


def test_forward_goes_from_the_first_anchor_to_the_end():
    found = visits([clicked(1, 4, 7)], Direction.FORWARD, (0, 10))
    assert found == [(frame, 1) for frame in range(4, 10)]


def test_backward_goes_from_the_last_anchor_to_the_beginning():
    found = visits([clicked(1, 4, 7)], Direction.BACKWARD, (0, 10))
    assert found == [(frame, 1) for frame in range(7, -1, -1)]


def test_both_runs_backward_before_the_first_anchor_and_forward_from_it():
    found = visits([clicked(1, 4, 7)], Direction.BOTH, (0, 10))
    assert found == [(f, 1) for f in (3, 2, 1, 0)] + [(f, 1) for f in range(4, 10)]


def test_an_anchor_outside_the_range_conditions_but_is_not_walked():
    assert visits([clicked(1, 1)], Direction.BOTH, (4, 6)) == [(4, 1), (5, 1)]
    assert visits([clicked(1, 8)], Direction.BOTH, (4, 6)) == [(5, 1), (4, 1)]
    assert visits([clicked(1, 8)], Direction.FORWARD, (4, 6)) == []


def test_a_division_ends_the_mother_and_begins_the_daughters():
    family = [clicked(1, 0), clicked(2, 5, parent=1), clicked(3, 6, parent=1)]
    found = visits(family, Direction.BOTH, (0, 10))
    assert [frame for frame, one in found if one == 1] == [0, 1, 2, 3, 4]
    assert [frame for frame, one in found if one == 2] == [5, 6, 7, 8, 9]
    assert [frame for frame, one in found if one == 3] == [6, 7, 8, 9]


@pytest.mark.parametrize("late", [5, 8])
def test_a_mother_prompted_after_her_division_is_refused(late):
    family = [clicked(1, 0, late), clicked(2, 5, parent=1)]
    with pytest.raises(InputError, match=f"object 1 is prompted on frame {late}"):
        timelines(family, 10)


def test_a_movie_of_one_frame_is_one_visit():
    assert visits([clicked(1, 0)], Direction.BOTH, (0, 1), 1) == [(0, 1)]


@given(
    st.dictionaries(
        st.integers(1, 9),
        st.sets(st.integers(0, 29), min_size=1, max_size=4),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(Direction),
    st.integers(0, 28),
    st.integers(1, 30),
)
def test_each_object_frame_is_written_once_and_in_range(anchors, way, first, length):
    frames = (first, min(first + length, 30))
    objects = [clicked(one, *sorted(where)) for one, where in anchors.items()]
    found = visits(objects, way, frames, frame_count=30)
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
