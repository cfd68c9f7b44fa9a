"""What of a session is hidden, and from what it is tracked to again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.batch.self_check.hiding import (
    MOST_OBJECTS,
    REACH,
    TrustedObject,
    rounds_of,
)
from napari_sam2.errors import InputError
from napari_sam2.session.planning.frame_set import FrameSet


def places(rounds):
    return [
        (number, one, tuple(frames), part.given[one])
        for number, part in enumerate(rounds)
        for one, frames in part.hidden.items()
    ]


def test_each_prompted_frame_is_hidden_in_turn_and_tracked_to_from_its_neighbours():
    found = rounds_of([TrustedObject(7, (0, 5, 9)), TrustedObject(8, (2, 4))])
    assert places(found) == [
        (0, 7, (0,), (5,)),
        (0, 8, (2,), (4,)),
        (1, 7, (5,), (0, 9)),
        (1, 8, (4,), (2,)),
        (2, 7, (9,), (5,)),
    ]


def test_a_daughter_keeps_her_first_prompt_which_is_her_birth():
    found = rounds_of([TrustedObject(7, (3, 5, 9), is_daughter=True)])
    assert [frames for _, _, frames, _ in places(found)] == [(5,), (9,)]


def test_an_object_is_never_left_with_frames_alone_on_which_it_is_not():
    found = rounds_of([TrustedObject(7, (3,), absent=(5, 9))])
    assert [(frames, bounds) for _, _, frames, bounds in places(found)] == [
        ((5,), (3, 9)),
        ((9,), (3, 5)),
    ]


def test_of_an_object_prompted_once_reviewed_frames_nearby_are_tracked_to():
    reviewed = FrameSet.of([1, 4, REACH + 1])
    found = rounds_of([TrustedObject(7, (0,), accepted=reviewed)])
    assert places(found) == [(0, 7, (1, 4), (0,))]


@pytest.mark.parametrize(
    "objects",
    [
        [],
        [TrustedObject(1, (0,)), TrustedObject(2, (0,))],
        [TrustedObject(1, (0,), accepted=FrameSet.of([3]))],
        [TrustedObject(1, (0, 4), is_daughter=True)],
    ],
)
def test_too_little_that_is_trusted_is_refused_with_what_to_do(objects):
    with pytest.raises(InputError, match="correct at least two frames"):
        rounds_of(objects)


def test_of_very_many_objects_some_from_everywhere_are_measured():
    many = [TrustedObject(one, (0, 9)) for one in range(1, 500)]
    (first, _) = rounds_of(many)
    assert len(first.hidden) == MOST_OBJECTS
    assert {1, 499} <= set(first.hidden)


frames = st.lists(st.integers(0, 40), unique=True, max_size=6).map(sorted).map(tuple)


@given(frames, frames, frames, st.booleans(), st.integers(1, 4))
def test_what_is_hidden_is_never_given_and_its_neighbours_are(
    shown, absent, accepted, is_daughter, most
):
    absent = tuple(at for at in absent if at not in shown)
    rest = FrameSet.of(accepted) - FrameSet.of((*shown, *absent))
    one = TrustedObject(1, shown, absent, rest, is_daughter)
    sure = [TrustedObject(2, (0, 1)), TrustedObject(3, (0, 1))]
    for _, who, hidden, bounds in places(rounds_of([one, *sure], most)):
        assert 1 <= len(hidden) <= most
        assert not set(hidden) & set(bounds)
        if who == 1 and len(shown) > 1:
            left = {*shown, *absent} - set(hidden)
            before = [at for at in left if at < hidden[0]]
            after = [at for at in left if at > hidden[0]]
            assert set(bounds) & set(shown)
            assert {*sorted(before)[-1:], *sorted(after)[:1]} <= {*bounds}
