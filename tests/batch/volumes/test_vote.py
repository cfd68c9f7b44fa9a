"""What neighbouring planes settle: who a pixel is, and what is nobody's."""

import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam2.batch.volumes.vote import settled

SHAPE = (6, 5, 4)


def voted(stack, thin=()):
    return np.stack(list(settled(iter(stack), thin)))


@st.composite
def bodies(draw):
    """Stacks whose objects are boxes, each at least two planes thick."""
    stack = np.zeros(SHAPE, np.uint16)
    for object_id in range(1, draw(st.integers(1, 3)) + 1):
        lower = [draw(st.integers(0, length - 2)) for length in SHAPE]
        upper = [
            draw(st.integers(low + 2, n)) for low, n in zip(lower, SHAPE, strict=True)
        ]
        box = tuple(slice(*ends) for ends in zip(lower, upper, strict=True))
        if not stack[box].any():
            stack[box] = object_id
    return stack


stacks = st.lists(st.integers(0, 3), min_size=120, max_size=120).map(
    lambda values: np.array(values, np.uint16).reshape(SHAPE)
)


@settings(max_examples=40)
@given(bodies())
def test_bodies_in_one_piece_come_out_as_they_are(stack):
    np.testing.assert_array_equal(voted(stack), stack)


@settings(max_examples=40)
@given(stacks, st.sets(st.integers(1, 3)))
def test_no_object_comes_from_nowhere(stack, thin):
    result = voted(stack, thin)
    around = np.pad(stack, ((1, 1), (0, 0), (0, 0)))
    allowed = (result == 0) | (result == stack)
    allowed |= (result == around[:-2]) & (result == around[2:])
    assert allowed.all()


@settings(max_examples=40)
@given(stacks)
def test_what_is_left_is_on_a_plane_beside_it_before_it_is_dropped(stack):
    result = voted(stack)
    for plane in range(SHAPE[0]):
        for one in set(np.unique(result[plane]).tolist()) - {0}:
            near = stack[max(0, plane - 2) : plane + 3]
            assert (near == one).any((1, 2)).sum() > 1


def test_two_planes_outvote_the_one_between_them():
    stack = np.ones((5, 2, 2), np.uint16)
    stack[2] = 2
    stack[2, 0, 0] = 0
    np.testing.assert_array_equal(voted(stack), np.ones_like(stack))


def test_background_has_no_vote():
    """The widest plane of a body has a rim that the planes beside it lack."""
    stack = np.zeros((3, 3, 3), np.uint16)
    stack[1] = 1
    stack[0, 1, 1] = stack[2, 1, 1] = 1
    np.testing.assert_array_equal(voted(stack), stack)


def test_an_object_on_a_single_plane_goes_unless_it_is_thin():
    stack = np.zeros((4, 2, 2), np.uint16)
    stack[2, 0], stack[3, 1] = 7, 8
    assert not voted(stack).any()
    np.testing.assert_array_equal(voted(stack, {7, 8}), stack)


def test_a_single_plane_is_left_to_thin_objects():
    stack = np.full((1, 2, 2), 3, np.uint16)
    np.testing.assert_array_equal(voted(stack, {3}), stack)
    assert list(settled([], ())) == []


def test_planes_are_read_as_they_are_needed():
    """However many planes there are, few are in memory."""
    read = []

    def planes():
        for plane in range(100):
            read.append(plane)
            yield np.ones((2, 2), np.uint16)

    for number, _ in enumerate(settled(planes(), ())):
        assert len(read) <= number + 3


class Plane(np.ndarray):
    """An array that can be referred to weakly."""


@pytest.mark.parametrize("count", [8, 80])
def test_a_few_planes_are_held_however_many_there_are(count):
    held, most = [], []

    def planes():
        for plane in range(count):
            held[:] = [one for one in held if one() is not None]
            most.append(len(held))
            labels = np.full((4, 4), plane // 4 + 1, np.uint16).view(Plane)
            held.append(weakref.ref(labels))
            yield labels

    for _ in settled(planes(), ()):
        pass
    assert max(most) <= 5
