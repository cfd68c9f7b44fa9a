"""The timeline: arithmetic of time and lanes, the picture, and the gestures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QApplication

from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.ui.layers.colors import trust_colors
from napari_sam2.ui.timeline.model import (
    Geometry,
    Hit,
    Lane,
    Part,
    TimeView,
    any_per_pixel,
    lane_of,
    least_per_pixel,
    pixels_of,
    spaced,
    tick_step,
)
from napari_sam2.ui.timeline.paint import LaneStyle, lane_picture
from napari_sam2.ui.timeline.timeline import Timeline, lane_text

MASK = MaskPrompt(np.ones((2, 2), bool))
STYLE = LaneStyle((0, 0, 0), (255, 255, 255), (90, 90, 90), height=18)


@st.composite
def views(draw):
    """Views as they are after some zooming and panning."""
    view = TimeView.whole(draw(st.integers(1, 3000)), draw(st.integers(1, 400)))
    for _ in range(draw(st.integers(0, 4))):
        x = draw(st.floats(0, view.width))
        view = view.zoomed(draw(st.floats(0.1, 50)), x)
        view = view.panned(draw(st.floats(-500, 500)))
    return view


def made_state():
    return BookState(
        (
            ObjectState(
                2,
                name="mother",
                prompts=(
                    FramePrompt(2, 10, box=BoxPrompt(0, 0, 1, 1)),
                    FramePrompt(2, 60, mask=MASK),
                ),
                locked=FrameSet.between(20, 39),
                reviewed=FrameSet.between(50, 59),
                stale=FrameSet.between(61, 80),
            ),
            ObjectState(5, is_hidden=True),
            ObjectState(9, name="new"),
        )
    )


def made_tables(frame_count=100):
    """Objects 2 and 5 are tracked; 2 is doubtful on frame 45 and absent from 90 on."""
    tables = ScoreTables.empty((2, 5), frame_count)
    tables.object_score[:] = 9
    tables.area[:] = 100
    tables.stability[45, 0] = 0.5
    tables.area[90:, 0], tables.object_score[90:, 0] = 0, -9
    return tables


def lanes_of(state):
    return tuple(lane_of(thing) for thing in state.objects)


# --- Arithmetic


@given(views(), st.floats(0, 1), st.floats(0.05, 40))
def test_zooming_keeps_what_is_under_the_mouse(view, share, factor):
    x = share * view.width
    before = view.first + x * view.frames_per_pixel
    zoomed = view.zoomed(factor, x)
    assert zoomed.first >= 0
    assert zoomed.first + zoomed.span <= view.frame_count + 1e-6
    assert zoomed.span >= min(8, view.frame_count)
    is_free = zoomed.first > 0 and zoomed.first + zoomed.span < view.frame_count - 1e-6
    if is_free:
        after = zoomed.first + x * zoomed.frames_per_pixel
        assert after == pytest.approx(before, abs=1e-6)


@given(views(), st.floats(0, 1))
def test_a_frame_is_hit_where_it_is_drawn(view, share):
    first, stop = view.window
    frame = first + int(share * (stop - first - 1))
    assert view.frame_at(view.x_of(frame + 0.5)) == frame
    assert first <= view.frame_at(share * (view.width - 0.5)) < stop


@given(views(), st.integers(0, 2**32 - 1))
def test_no_frame_is_hidden_by_zooming_out(view, seed):
    values = np.random.default_rng(seed).random((view.frame_count, 2))
    values[values > 0.9] = np.nan
    first, stop = view.window
    window = values[first:stop]
    per_pixel = least_per_pixel(window, view)
    assert per_pixel.shape == (view.width, 2)
    if view.frames_per_pixel >= 1:
        np.testing.assert_array_equal(
            np.nanmin(per_pixel, axis=0, initial=9), np.nanmin(window, 0, initial=9)
        )
    inner = (np.arange(view.width) + 0.5).tolist()
    seen = values[[view.frame_at(x) for x in inner]]
    # A pixel shows the frame in its middle, or a worse one.
    assert not (per_pixel > seen + 1e-12).any()


@given(views(), st.frozensets(st.integers(0, 3000), max_size=30), st.integers(1, 200))
def test_a_set_of_frames_covers_its_pixels(view, frames, length):
    chosen = FrameSet.of(frames) | FrameSet.between(40, 40 + length)
    flags = np.array([one in chosen for one in range(view.frame_count)])
    first, stop = view.window
    expected = any_per_pixel(flags[first:stop, None], view)[:, 0]
    np.testing.assert_array_equal(pixels_of(chosen, view), expected)


@given(views(), st.data())
def test_the_view_goes_along_only_when_it_must(view, data):
    frame = data.draw(st.integers(0, view.frame_count - 1))
    seen = view.showing(frame)
    first, stop = seen.window
    assert first <= frame < stop
    assert seen.span == view.span
    whole = view.first <= frame and frame + 1 <= view.first + view.span
    assert (seen is view) == whole


@given(st.integers(1, 60), st.integers(0, 500), st.integers(20, 700))
def test_lanes_are_hit_where_they_are_drawn(count, scroll, height):
    geometry = Geometry(TimeView.whole(100, 300), 80, 22, 18, count, scroll)
    for lane in geometry.visible_lanes(height):
        top = geometry.lane_top(lane)
        assert top < height
        assert top + 18 > 22
        middle = max(top + 9, 22)
        if middle < top + 18:
            assert geometry.lane_at(middle) == lane
    assert geometry.lane_at(geometry.lane_top(count)) is None


def test_parts_of_the_timeline_are_told_apart():
    geometry = Geometry(TimeView.whole(100, 300), 80, 22, 18, 3)
    marked = (10, 49)
    assert geometry.hit(80 + 30, 5, marked) == Hit(Part.RANGE_FIRST, 10)
    assert geometry.hit(80 + 152, 5, marked).part is Part.RANGE_LAST
    assert geometry.hit(80 + 90, 5, marked) == Hit(Part.RULER, 30)
    assert geometry.hit(80 + 90, 23, marked) == Hit(Part.LANE, 30, 0)
    assert geometry.hit(8, 60, marked) == Hit(Part.NAME, 0, 2)
    assert geometry.hit(200, 22 + 3 * 18, marked).part is Part.NOTHING
    # On one frame both markers can still be taken hold of.
    assert geometry.hit(80 + 150, 5, (50, 50)).part is Part.RANGE_FIRST
    assert geometry.hit(80 + 153, 5, (50, 50)).part is Part.RANGE_LAST


@pytest.mark.parametrize(
    ("frame_count", "step"), [(8, 2), (100, 20), (10_000, 2000), (25_000, 5000)]
)
def test_ticks_are_at_round_numbers(frame_count, step):
    assert tick_step(TimeView.whole(frame_count, 400), 55) == step


def test_anchors_on_one_place_are_one_dot():
    view = TimeView.whole(1000, 100)
    found = spaced(np.array([0, 3, 500, 999]), view, 3)
    np.testing.assert_allclose(found, [0.05, 50.05, 99.95])
    zoomed = view.zoomed(20, 50)
    assert len(spaced(np.array([0, 3, 499, 500, 501, 999]), zoomed, 1)) == 3


def test_lanes_know_how_an_anchor_was_made():
    mother, second, _ = lanes_of(made_state())
    assert [mother.click_anchors.tolist(), mother.mask_anchors.tolist()] == [[10], [60]]
    assert mother.anchors == [10, 60]
    assert second.name == "object 5"


# --- The picture


def picture(tables, width, state=None, frame_count=100):
    lanes = lanes_of(state or made_state())
    view = TimeView.whole(frame_count, width)
    pixels = lane_picture(lanes, tables, view, STYLE)
    return pixels.reshape(len(lanes), STYLE.height, width, 4)[..., :3].astype(int)


def test_one_bad_frame_of_ten_thousand_is_seen():
    tables = made_tables(10_000)
    tables.area[90:], tables.object_score[90:] = 100, 9
    state = BookState((ObjectState(2),))
    lane = picture(tables, 50, state, frame_count=10_000)[0]
    band = lane[STYLE.band.start]
    bad = trust_colors(tables.trust()[45, 0]).astype(int)
    np.testing.assert_array_equal(band[0], bad)
    # Unlike its neighbours it is more red than blue.
    assert bad[0] > bad[2]
    assert band[5][2] > band[5][0]


def test_presence_locks_reviews_and_stale_frames_are_drawn():
    mother, hidden, new = picture(made_tables(), 100)
    band = mother[STYLE.band]
    white = (band == 255).all(axis=2).any(axis=0)
    assert white[20:40].all()
    assert not white[:20].any()
    ticks = mother[STYLE.ticks.start].max(axis=1) > 200
    assert np.flatnonzero(ticks).tolist() == list(range(50, 60))
    assert band[0, 70].sum() < 0.6 * band[0, 50].sum()
    assert hidden[STYLE.band][0, 50].sum() < 0.6 * band[0, 50].sum()
    line = mother[STYLE.line.start]
    assert line[95].min() > band[0, 95].max()
    assert len(np.unique(new[STYLE.band].reshape(-1, 3), axis=0)) == 1


def test_nothing_is_known_before_tracking():
    assert picture(None, 40).shape == (3, 18, 40, 3)
    empty = lane_picture((), made_tables(), TimeView.whole(100, 40), STYLE)
    assert empty.shape == (0, 40, 4)


def test_a_place_is_put_into_words():
    mother = lanes_of(made_state())[0]
    text = lane_text(mother, Hit(Part.LANE, 45, 0), made_tables())
    assert text.startswith("mother, frame 45\ntrust 0.0")
    assert "100 px" in text
    text = lane_text(mother, Hit(Part.LANE, 60, 0), None)
    assert text == "mother, frame 60\nnot tracked yet\nanchor: a mask"
    text = lane_text(mother, Hit(Part.LANE, 60, 0), None, [60])
    assert "a division is proposed" in text
    assert "absent" in lane_text(mother, Hit(Part.LANE, 95, 0), made_tables())
    assert "locked" in lane_text(mother, Hit(Part.LANE, 30, 0), made_tables())
    assert lane_text(Lane(1, "x"), Hit(Part.NAME, 0, 0), None) == "x (id 1)"


# --- Gestures


@pytest.fixture
def timeline(qtbot):
    widget = Timeline()
    qtbot.addWidget(widget)
    widget.resize(500, 200)
    widget.show_movie(100)
    widget.show_state(made_state())
    widget.show_scores(made_tables())
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def place(timeline, frame, lane=None):
    """Return where a frame of a lane, or of the ruler, is."""
    geometry = timeline.geometry_of_lanes
    x = geometry.names_width + timeline.view.x_of(frame + 0.5)
    y = 6 if lane is None else geometry.lane_top(lane) + 9
    return QPoint(round(x), y)


def mouse(timeline, kind, at, modifiers=Qt.KeyboardModifier.NoModifier):
    left = Qt.MouseButton.LeftButton
    event = QMouseEvent(
        kind, QPointF(at), timeline.mapToGlobal(QPointF(at)), left, left, modifiers
    )
    QApplication.sendEvent(timeline.viewport(), event)


def drag(timeline, begin, end):
    mouse(timeline, QEvent.Type.MouseButtonPress, begin)
    mouse(timeline, QEvent.Type.MouseMove, end)
    mouse(timeline, QEvent.Type.MouseButtonRelease, end)


def wheel(timeline, at, notches, modifiers=Qt.KeyboardModifier.NoModifier):
    event = QWheelEvent(
        QPointF(at),
        timeline.mapToGlobal(QPointF(at)),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(timeline.viewport(), event)


@pytest.fixture
def asked(timeline):
    """What the timeline asked for, in order."""
    found = []
    timeline.frame_requested.connect(lambda frame: found.append(("frame", frame)))
    timeline.selection_requested.connect(lambda ids: found.append(("objects", ids)))
    timeline.range_requested.connect(lambda *ends: found.append(("range", *ends)))
    return found


def test_a_click_goes_there_and_chooses_the_object(timeline, asked, qtbot):
    qtbot.mouseClick(
        timeline.viewport(), Qt.MouseButton.LeftButton, pos=place(timeline, 30, 1)
    )
    assert asked == [("objects", (5,)), ("frame", 30)]
    control = Qt.KeyboardModifier.ControlModifier
    asked.clear()
    at = QPoint(20, place(timeline, 0, 2).y())
    for wanted in ((9, 5), (5,)):
        qtbot.mouseClick(timeline.viewport(), Qt.MouseButton.LeftButton, control, at)
        assert asked.pop() == ("objects", wanted)
    assert asked == []


def test_showing_asks_for_nothing(timeline, asked):
    timeline.show_selected((9, 2))
    timeline.show_frame(70)
    timeline.show_range(3, 50)
    timeline.show_movie(50)
    timeline.show_state(BookState())
    timeline.show_scores(None)
    timeline.grab()
    assert asked == []


def test_dragging_moves_the_movie_and_clicks_nothing(timeline, asked):
    wheel(timeline, place(timeline, 50, 0), 4)
    before = timeline.view
    assert before.span < 50
    assert before.frame_at(before.x_of(50.5)) == 50
    drag(timeline, place(timeline, 50, 0), place(timeline, 40, 0))
    assert timeline.view.first == pytest.approx(before.first + 10, abs=0.2)
    wheel(timeline, QPoint(300, 60), 1, Qt.KeyboardModifier.ShiftModifier)
    assert timeline.view.first < before.first + 9
    assert asked == []
    timeline.show_frame(0)
    assert timeline.view.window[0] == 0


def test_dragging_in_the_ruler_goes_along(timeline, asked):
    drag(timeline, place(timeline, 60), place(timeline, 75))
    assert asked == [("frame", 60), ("frame", 75)]


def test_brackets_mark_a_range_once_they_are_let_go_of(timeline, asked):
    left = place(timeline, -0.5)
    drag(timeline, left, place(timeline, 20))
    assert asked.pop() == ("range", 20, 99)
    drag(timeline, place(timeline, 99.4), place(timeline, 5))
    assert asked.pop() == ("range", 20, 20)
    assert timeline.marked == (20, 20)
    assert asked == []


def test_keys_do_what_the_mouse_does(timeline, asked, qtbot):
    def press(key, modifiers=Qt.KeyboardModifier.NoModifier):
        qtbot.keyClick(timeline, key, modifiers)
        return asked.pop() if asked else None

    timeline.show_frame(30)
    assert press(Qt.Key.Key_Down) == ("objects", (2,))
    assert press(Qt.Key.Key_Right) == ("frame", 31)
    assert press(Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier) == ("frame", 20)
    assert press(Qt.Key.Key_PageDown) == ("frame", 60)
    assert press(Qt.Key.Key_PageUp) == ("frame", 10)
    assert press(Qt.Key.Key_End) == ("frame", 99)
    assert press(Qt.Key.Key_BracketLeft) == ("range", 30, 99)
    assert press(Qt.Key.Key_BracketRight) == ("range", 0, 30)
    assert press(Qt.Key.Key_Plus) is None
    assert timeline.view.span == pytest.approx(80)
    press(Qt.Key.Key_0)
    assert timeline.view.span == 100


def test_a_chosen_lane_is_scrolled_to(timeline):
    timeline.show_state(BookState(tuple(ObjectState(one) for one in range(1, 101))))
    timeline.show_selected((80,))
    geometry = timeline.geometry_of_lanes
    assert 79 in geometry.visible_lanes(timeline.viewport().height() - 17)
    wheel(timeline, QPoint(10, 60), 20)
    assert timeline.geometry_of_lanes.scroll < geometry.scroll


def test_a_lane_that_was_chosen_before_it_was_there_is_scrolled_to(timeline):
    timeline.show_selected((99,))
    objects = tuple(ObjectState(number) for number in range(1, 100))
    timeline.show_state(BookState(objects[:-1]))
    assert timeline.geometry_of_lanes.scroll == 0
    timeline.show_state(BookState(objects))
    assert timeline.geometry_of_lanes.scroll > 0
