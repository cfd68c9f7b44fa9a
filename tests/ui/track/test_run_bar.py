"""The head of the dock: one button to track and stop, progress, following."""

import pytest

from napari_sam2.texts import clock_text
from napari_sam2.ui.track.run_bar import RunBar
from napari_sam2.ui.widgets.pace import Pace, bytes_text, pace_text
from napari_sam2.ui.widgets.preferences import Preferences

NOW = "napari_sam2.ui.widgets.pace.time.monotonic"


@pytest.fixture
def bar(qtbot):
    shown = RunBar()
    qtbot.addWidget(shown)
    return shown


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3725, "1:02:05")]
)
def test_durations_are_clock_times(seconds, text):
    assert clock_text(seconds) == text


def test_bytes_have_units():
    texts = [bytes_text(one) for one in (7, 6_094_540, 898_083_611, 2.5e9)]
    assert texts == ["7 bytes", "6.1 MB", "898 MB", "2.5 GB"]


def test_progress_tells_rate_and_remaining_time(bar, monkeypatch):
    now = iter([10.0, 12.0, 15.0])
    monkeypatch.setattr(NOW, lambda: next(now))
    bar.set_tracking(True)
    bar.show_progress(5, 105)
    bar.show_progress(15, 105)
    assert not bar.bar.isHidden()
    assert bar.pace.text() == pace_text(5.0, 90) == "5.0 frames/s, 0:18 left"
    bar.set_tracking(False)
    assert bar.bar.isHidden()
    assert bar.pace.text() == "11 steps in 0:05"


def test_one_step_is_no_steps(bar):
    bar.set_tracking(True)
    bar.show_progress(1, 1)
    bar.set_tracking(False)
    assert bar.pace.text() == "1 step in 0:00"


def test_a_pause_does_not_slow_the_rate_down(monkeypatch):
    now = iter([0.0, 2.0, 100.0, 102.0, 102.0])
    monkeypatch.setattr(NOW, lambda: next(now))
    pace = Pace()
    assert pace.note(0) is None
    pace.pause()
    pace.resume()
    assert pace.note(8) == 2.0
    assert pace.seconds() == 4.0


def test_one_button_tracks_and_stops(bar, qtbot):
    with qtbot.waitSignal(bar.track_requested):
        bar.toggle()
    bar.set_tracking(True)
    assert bar.track_button.text() == "Stop (G)"
    with qtbot.waitSignal(bar.cancel_requested):
        bar.toggle()
    with qtbot.assertNotEmitted(bar.cancel_requested):
        bar.toggle()  # it is stopping already
    bar.set_tracking(False)
    assert bar.track_button.text() == "Track (G)"
    assert bar.track_button.isEnabled()


def test_tracking_can_be_paused_and_goes_on(bar, qtbot):
    with qtbot.assertNotEmitted(bar.pause_requested):
        bar.toggle_pause()  # there is nothing to pause
    bar.set_tracking(True)
    with qtbot.waitSignal(bar.pause_requested):
        bar.pause_button.click()
    bar.show_paused(True)
    assert "Paused" in bar.pace.text()
    with qtbot.waitSignal(bar.resume_requested):
        bar.pause_button.click()
    bar.show_paused(False)
    bar.set_tracking(False)
    assert not bar.pause_button.isEnabled()


def test_long_runs_are_told_of_and_short_ones_are_not(bar, qtbot, monkeypatch):
    now = iter([0.0, 61.0, 100.0, 159.0])
    monkeypatch.setattr(NOW, lambda: next(now))
    bar.set_tracking(True)
    bar.show_progress(1, 9)
    with qtbot.waitSignal(bar.long_run_ended) as told:
        bar.set_tracking(False)
    assert "1:01" in told.args[0]
    bar.set_tracking(True)
    bar.show_progress(1, 9)
    with qtbot.assertNotEmitted(bar.long_run_ended):
        bar.set_tracking(False)


def test_it_follows_until_somebody_looks_elsewhere(bar, qtbot):
    assert not bar.follows  # nothing runs
    bar.set_tracking(True)
    assert bar.follows
    assert bar.follow_button.isHidden()
    bar.let_go()
    assert not bar.follows
    assert not bar.follow_button.isHidden()
    bar.follow_button.click()
    assert bar.follows
    bar.set_tracking(False)
    assert bar.follow_button.isHidden()
    bar.set_tracking(True, is_by_itself=True)
    assert not bar.follows


def test_it_need_not_follow(qtbot):
    bar = RunBar(Preferences(follow=False))
    qtbot.addWidget(bar)
    bar.set_tracking(True)
    assert not bar.follows
    assert not bar.follow_button.isHidden()
