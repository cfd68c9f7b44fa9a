"""The track panel and its range: what they ask, what they show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication

from napari_sam2.session.planning.plan import Direction, FrameRange, MergePolicy
from napari_sam2.ui.track.panel import DIRECTIONS, RangeRow, TrackPanel
from napari_sam2.ui.widgets.pace import Pace, bytes_text, clock_text, pace_text
from napari_sam2.ui.widgets.preferences import Preferences

NOW = "napari_sam2.ui.widgets.pace.time.monotonic"


@pytest.fixture
def panel(qtbot):
    shown = TrackPanel()
    qtbot.addWidget(shown)
    shown.show_frame_count(100)
    return shown


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3725, "1:02:05")]
)
def test_durations_are_clock_times(seconds, text):
    assert clock_text(seconds) == text


def test_bytes_have_units():
    texts = [bytes_text(one) for one in (7, 6_094_540, 898_083_611, 2.5e9)]
    assert texts == ["7 bytes", "6.1 MB", "898 MB", "2.5 GB"]


def test_progress_tells_rate_and_remaining_time(panel, monkeypatch):
    now = iter([10.0, 12.0, 15.0])
    monkeypatch.setattr(NOW, lambda: next(now))
    panel.set_tracking(True)
    panel.show_progress(5, 105)
    panel.show_progress(15, 105)
    assert panel.pace.text() == pace_text(5.0, 90) == "5.0 frames/s, 0:18 left"
    panel.set_tracking(False)
    assert panel.pace.text() == "11 steps in 0:05"


def test_a_pause_does_not_slow_the_rate_down(monkeypatch):
    now = iter([0.0, 2.0, 100.0, 102.0, 102.0])
    monkeypatch.setattr(NOW, lambda: next(now))
    pace = Pace()
    assert pace.note(0) is None
    pace.pause()
    pace.resume()
    assert pace.note(8) == 2.0
    assert pace.seconds() == 4.0


def test_every_direction_can_be_chosen_and_is_explained(panel, qtbot):
    combo = panel.direction_combo
    assert [combo.itemData(index) for index in range(combo.count())] == [*Direction]
    for index, direction in enumerate(Direction):
        combo.setCurrentIndex(index)
        with qtbot.waitSignal(panel.track_requested) as asked:
            panel.track_button.click()
        assert asked.args == [str(direction)]
        assert combo.toolTip() == DIRECTIONS[direction][1]


def test_one_button_tracks_and_stops(panel, qtbot):
    with qtbot.waitSignal(panel.track_requested):
        panel.toggle()
    panel.set_tracking(True)
    assert panel.track_button.text() == "Stop (G)"
    assert not panel.direction_combo.isEnabled()
    with qtbot.waitSignal(panel.cancel_requested):
        panel.toggle()
    with qtbot.assertNotEmitted(panel.cancel_requested):
        panel.toggle()  # it is stopping already
    panel.set_tracking(False)
    assert panel.track_button.text() == "Track (G)"
    assert panel.track_button.isEnabled()


def test_tracking_can_be_paused_and_goes_on(panel, qtbot):
    with qtbot.assertNotEmitted(panel.pause_requested):
        panel.toggle_pause()  # there is nothing to pause
    panel.set_tracking(True)
    with qtbot.waitSignal(panel.pause_requested):
        panel.pause_button.click()
    panel.show_paused(True)
    assert "Paused" in panel.pace.text()
    with qtbot.waitSignal(panel.resume_requested):
        panel.pause_button.click()
    panel.show_paused(False)
    panel.set_tracking(False)
    assert not panel.pause_button.isEnabled()


def test_policies_for_old_labels_are_explained(panel):
    explained = set()
    for index, policy in enumerate(MergePolicy):
        panel.merge_combo.setCurrentIndex(index)
        assert panel.merge is policy
        explained.add(panel.merge_note.text())
    assert len(explained) == 3


def test_long_runs_are_told_of_and_short_ones_are_not(panel, qtbot, monkeypatch):
    now = iter([0.0, 61.0, 100.0, 159.0])
    monkeypatch.setattr(NOW, lambda: next(now))
    panel.set_tracking(True)
    panel.show_progress(1, 9)
    with qtbot.waitSignal(panel.long_run_ended) as told:
        panel.set_tracking(False)
    assert "1:01" in told.args[0]
    panel.set_tracking(True)
    panel.show_progress(1, 9)
    with qtbot.assertNotEmitted(panel.long_run_ended):
        panel.set_tracking(False)


def test_it_begins_with_what_is_preferred(qtbot):
    panel = TrackPanel(Preferences(live_repair=False, follow=True))
    qtbot.addWidget(panel)
    assert not panel.live_repair
    assert panel.follows
    with qtbot.waitSignal(panel.live_repair_changed) as told:
        panel.repair_box.click()
    assert told.args == [True]


def test_the_range_begins_and_ends_at_the_frame_shown(panel, qtbot):
    assert panel.frames == FrameRange(0, 100)
    panel.show_frame(30)
    with qtbot.waitSignal(panel.range_changed) as told:
        panel.range_row.from_here_button.click()
    assert told.args == [30, 99]
    panel.show_frame(20)
    panel.range_row.to_here_button.click()  # before its beginning: that frame alone
    assert panel.frames == FrameRange(20, 21)
    panel.range_row.last_spin.setValue(60)
    panel.show_frame_count(50)
    assert panel.frames == FrameRange(20, 50)
    panel.range_row.all_button.click()
    assert panel.range_row.is_whole
    panel.show_frame_count(80)
    assert panel.frames == FrameRange(0, 80)


@pytest.fixture(scope="module")
def row(qapp):
    return RangeRow()


steps = st.one_of(
    st.tuples(st.just("show_frame_count"), st.integers(1, 50)),
    st.tuples(st.just("show_frame"), st.integers(0, 60)),
    st.sampled_from([("begin_here",), ("end_here",)]),
    st.tuples(st.just("set_range"), st.integers(-5, 60), st.integers(-5, 60)),
)


@given(st.lists(steps, max_size=12))
def test_a_range_never_crosses_nor_leaves_the_movie(row, chosen):
    count = 10
    row.show_frame_count(count)
    for verb, *arguments in chosen:
        getattr(row, verb)(*arguments)
        count = arguments[0] if verb == "show_frame_count" else count
        assert 0 <= row.first <= row.last < count
        assert row.frames.stop == row.last + 1


def test_scrolling_past_a_number_does_not_change_it(panel, monkeypatch):
    spin = panel.range_row.first_spin
    spin.setValue(5)
    panel.show()

    def scroll():
        at = QPointF(5, 5)
        wheel = QWheelEvent(
            *(at, at, QPoint(), QPoint(0, 120)),
            *(Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier),
            *(Qt.ScrollPhase.NoScrollPhase, False),
        )
        QApplication.sendEvent(spin, wheel)
        return wheel.isAccepted()

    assert not scroll()
    assert spin.value() == 5
    monkeypatch.setattr(spin, "hasFocus", lambda: True)
    scroll()
    assert spin.value() == 6
