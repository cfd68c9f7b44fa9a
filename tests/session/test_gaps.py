"""Gaps of a timeline: which frames depend on which anchors."""

from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.session.frame_set import FrameSet
from napari_sam2.session.gaps import (
    bounding_anchors,
    gap_at,
    gaps,
    gaps_around,
    whole_gaps,
)
from napari_sam2.session.plan import Timeline

LIFE = Timeline(1, (4, 5, 9), 2, 12)


@st.composite
def timelines(draw):
    anchors = sorted(draw(st.sets(st.integers(0, 30), min_size=1, max_size=6)))
    first = draw(st.integers(0, anchors[0]))
    last = draw(st.integers(anchors[-1], 31))
    return Timeline(1, tuple(anchors), first, last)


def test_neighbouring_anchors_have_no_gap_between_them():
    assert [(gap.bounds, list(gap.frames)) for gap in gaps(LIFE)] == [
        ((4,), [2, 3]),
        ((5, 9), [6, 7, 8]),
        ((9,), [10, 11, 12]),
    ]
    assert [gap.runs_backward for gap in gaps(LIFE)] == [True, False, False]


@given(timelines())
def test_gaps_and_anchors_make_up_the_life(life):
    frames = [frame for gap in gaps(life) for frame in gap.frames]
    assert sorted((*frames, *life.anchors)) == list(range(life.first, life.last + 1))
    for frame in range(33):
        gap = gap_at(life, frame)
        assert (gap is not None and frame in gap.frames) == (frame in frames)


@given(timelines(), st.integers(0, 31))
def test_gaps_around_a_frame_are_those_an_anchor_there_would_have(life, frame):
    if not life.first <= frame <= life.last:
        return
    anchors = tuple(sorted({*life.anchors, frame}))
    with_it = Timeline(1, anchors, life.first, life.last)
    expected = [gap for gap in gaps(with_it) if frame in gap.bounds]
    assert set(gaps_around(life, frame)) == {f for gap in expected for f in gap.frames}


def test_anchors_that_bound_a_frame():
    assert bounding_anchors(LIFE, FrameSet.of([7])) == (5, 9)
    assert bounding_anchors(LIFE, FrameSet.of([12])) == (9,)
    assert bounding_anchors(LIFE, FrameSet.of([2, 5])) == (4, 5)
    assert whole_gaps(LIFE, FrameSet.of([7, 12])) == FrameSet(((6, 9), (10, 13)))
