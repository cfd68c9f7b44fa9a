import itertools

from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.ui.tool.gestures import (
    ALT,
    CONTROL,
    DRAG_PIXELS,
    HOVER_SECONDS,
    SHIFT,
    Box,
    BoxDraft,
    Choose,
    Click,
    Gestures,
    Hover,
    Line,
    LineDraft,
    Pointer,
    PointerAction,
    PreviewEnd,
)

CONTROL_HELD = frozenset({CONTROL})


def at(kind, y, x, *held, seconds=0.0, is_left=True, zoom=1.0):
    return Pointer(
        kind, (0.0, y, x), (y * zoom, x * zoom), seconds, frozenset(held), is_left
    )


def play(*pointers, gestures=None):
    gestures = Gestures() if gestures is None else gestures
    return [intent for one in pointers for intent in gestures.take(one)]


def stroke(*held, to=(5.0, 5.0), zoom=1.0):
    return play(
        at(PointerAction.PRESS, 5.0, 5.0, *held, zoom=zoom),
        at(PointerAction.MOVE, *to, *held, zoom=zoom),
        at(PointerAction.RELEASE, *to, *held, zoom=zoom),
    )


def test_clicks_are_told_by_what_is_held():
    where = (0.0, 5.0, 5.0)
    assert stroke() == [Click(where, is_positive=True)]
    assert stroke(CONTROL) == [Click(where, is_positive=False)]
    assert stroke(SHIFT) == [Click(where, is_positive=True)]  # what was previewed
    assert stroke(CONTROL, SHIFT) == [Click(where, is_positive=False)]
    assert stroke(ALT) == [Choose(where)]


def test_a_trembling_hand_clicks_and_a_drag_draws_a_box():
    near = (5.0, 5.0 + DRAG_PIXELS - 0.1)
    assert stroke(to=near) == [Click((0.0, 5.0, 5.0), is_positive=True)]
    # The same way in the picture is far on the screen where it is magnified.
    first, last = (0.0, 5.0, 5.0), (0.0, *near)
    assert stroke(to=near, zoom=10) == [
        BoxDraft(first, last),
        PreviewEnd(),
        Box(first, last),
    ]


def test_a_drag_that_comes_back_is_still_a_box():
    gestures = Gestures()
    play(
        at(PointerAction.PRESS, 0.0, 0.0),
        at(PointerAction.MOVE, 40.0, 40.0),
        gestures=gestures,
    )
    assert gestures.is_drawing
    assert play(at(PointerAction.RELEASE, 1.0, 1.0), gestures=gestures)[-1] == Box(
        (0.0, 0.0, 0.0), (0.0, 1.0, 1.0)
    )


def test_dragging_with_control_or_alt_means_what_was_pressed():
    far = (90.0, 90.0)
    assert stroke(CONTROL, to=far) == [Click((0.0, 5.0, 5.0), is_positive=False)]
    assert stroke(ALT, to=far) == [Choose((0.0, 5.0, 5.0))]


def test_a_drag_with_shift_is_a_line_through_all_places():
    first, last = (0.0, 5.0, 5.0), (0.0, 90.0, 90.0)
    assert stroke(SHIFT, to=(90.0, 90.0)) == [
        LineDraft((first, last)),
        PreviewEnd(),
        Line((first, last), is_positive=True),
    ]
    assert stroke(SHIFT, CONTROL, to=(90.0, 90.0))[-1] == Line(
        (first, last), is_positive=False
    )
    made = play(
        at(PointerAction.PRESS, 0.0, 0.0, SHIFT),
        at(PointerAction.MOVE, 0.0, 20.0, SHIFT),
        at(PointerAction.MOVE, 1.0, 1.0),  # near again, and Shift let go
        at(PointerAction.RELEASE, 1.0, 1.0),
    )
    assert made[-1] == Line(((0.0,) * 3, (0.0, 0.0, 20.0), (0.0, 1.0, 1.0)), True)


def test_a_second_button_takes_a_box_back():
    assert play(
        at(PointerAction.PRESS, 0.0, 0.0),
        at(PointerAction.MOVE, 40.0, 40.0),
        at(PointerAction.PRESS, 40.0, 40.0, is_left=False),
        at(PointerAction.RELEASE, 40.0, 40.0),
    )[1:] == [PreviewEnd()]


def test_moving_with_shift_tries_clicks_out():
    gestures = Gestures()
    assert play(at(PointerAction.MOVE, 1.0, 1.0), gestures=gestures) == []
    assert play(
        at(PointerAction.MOVE, 1.0, 1.0, SHIFT, seconds=1), gestures=gestures
    ) == [Hover((0.0, 1.0, 1.0), is_positive=True)]
    # Too soon: it waits, and the latest place counts.
    for x in (2.0, 3.0):
        move = at(PointerAction.MOVE, 1.0, x, SHIFT, CONTROL, seconds=1.01)
        assert play(move, gestures=gestures) == []
    assert gestures.tick(1.02) == []
    assert gestures.tick(gestures.due) == [Hover((0.0, 1.0, 3.0), is_positive=False)]
    assert gestures.due is None
    assert play(at(PointerAction.MOVE, 1.0, 3.0, seconds=2), gestures=gestures) == [
        PreviewEnd()
    ]


MOVES = st.tuples(
    st.sampled_from(PointerAction),
    st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    st.frozensets(st.sampled_from((SHIFT, CONTROL, ALT))),
    st.floats(0, 0.2),
    st.booleans(),
)


@given(st.lists(MOVES, max_size=60), st.booleans())
def test_any_order_of_events_keeps_its_promises(moves, ticks):
    gestures, seconds, made = Gestures(), 0.0, []
    for kind, (y, x), held, step, is_left in moves:
        seconds += step
        if ticks:
            made += [(seconds, one) for one in gestures.tick(seconds)]
        pointer = Pointer(kind, (0.0, y, x), (y, x), seconds, held, is_left)
        made += [(seconds, one) for one in gestures.take(pointer)]
    made += [(seconds, one) for one in gestures.cancel()]
    presses = sum(kind is PointerAction.PRESS and left for kind, *_, left in moves)
    decisions = [one for _, one in made if isinstance(one, Click | Box | Line | Choose)]
    assert len(decisions) <= presses
    hovers = [when for when, one in made if isinstance(one, Hover)]
    # Sums of floats: a millionth of a second is no haste.
    assert all(
        later - sooner > HOVER_SECONDS - 1e-6
        for sooner, later in itertools.pairwise(hovers)
    )
    # Every preview ends, once, and nothing else ends.
    is_open = False
    for _, one in made:
        if isinstance(one, PreviewEnd):
            assert is_open
            is_open = False
        is_open |= isinstance(one, Hover | BoxDraft | LineDraft)
    assert not is_open
