"""Sets of frames obey the laws of Python's sets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.session.planning.frame_set import NO_FRAMES, FrameSet

frames = st.sets(st.integers(0, 40))


@given(frames, frames)
def test_operators_are_those_of_sets(one, other):
    first, second = FrameSet.of(one), FrameSet.of(other)
    assert set(first | second) == one | other
    assert set(first & second) == one & other
    assert set(first - second) == one - other


@given(frames, frames)
def test_equal_sets_have_equal_runs(one, other):
    assert (FrameSet.of(one) == FrameSet.of(other)) == (one == other)
    assert FrameSet.of(one) | FrameSet.of(other) == FrameSet.of(one | other)
    assert FrameSet.of(one) - FrameSet.of(other) == FrameSet.of(one - other)


@given(frames)
def test_a_set_is_counted_walked_and_asked(one):
    found = FrameSet.of(one)
    assert list(found) == sorted(one)
    assert len(found) == len(one)
    assert bool(found) == bool(one)
    assert all((frame in found) == (frame in one) for frame in range(42))


def test_between_includes_both_ends():
    assert list(FrameSet.between(3, 5)) == [3, 4, 5]
    assert FrameSet.between(5, 3) == NO_FRAMES


def test_runs_that_touch_are_refused():
    with pytest.raises(ValueError, match="runs apart"):
        FrameSet(((0, 3), (3, 5)))
