"""Gaps of a life: which frames depend on which anchors."""

from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.session.book.prompt_book import PromptBook
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.planning.plan import (
    ObjectLife,
    bounding_anchors,
    gaps,
)

LIFE = ObjectLife(1, (4, 5, 9), 2, 12)


def click(frame, y=1.0):
    return FramePrompt(1, frame, points=(PointPrompt(y, 1.0),))


@st.composite
def object_lives(draw):
    anchors = sorted(draw(st.sets(st.integers(0, 30), min_size=1, max_size=6)))
    first = draw(st.integers(0, anchors[0]))
    last = draw(st.integers(anchors[-1], 31))
    return ObjectLife(1, tuple(anchors), first, last)


def test_neighbouring_anchors_have_no_gap_between_them():
    assert [(gap.bounds, list(gap.frames)) for gap in gaps(LIFE)] == [
        ((4,), [2, 3]),
        ((5, 9), [6, 7, 8]),
        ((9,), [10, 11, 12]),
    ]
    assert [gap.runs_backward for gap in gaps(LIFE)] == [True, False, False]


@given(object_lives())
def test_gaps_and_anchors_make_up_the_life(life):
    frames = [frame for gap in gaps(life) for frame in gap.frames]
    assert sorted((*frames, *life.anchors)) == list(range(life.first, life.last + 1))


@given(st.sets(st.integers(0, 30), min_size=1, max_size=6), st.integers(0, 30))
def test_what_is_said_on_a_frame_makes_the_gaps_stale_that_it_bounds(anchors, frame):
    book = PromptBook(32)
    book.set_prompts([click(anchor) for anchor in sorted(anchors)], "begin")
    book.mark_tracked({1: FrameSet.between(0, 31)})
    book.set_prompt(click(frame, y=9.0))
    life = ObjectLife(1, tuple(sorted({*anchors, frame})), 0, 31)
    expected = [gap for gap in gaps(life) if frame in gap.bounds]
    assert set(book.state[1].stale) == {f for gap in expected for f in gap.frames}


def test_anchors_that_bound_a_frame():
    assert bounding_anchors(LIFE, FrameSet.of([7])) == (5, 9)
    assert bounding_anchors(LIFE, FrameSet.of([12])) == (9,)
    assert bounding_anchors(LIFE, FrameSet.of([2, 5])) == (4, 5)
