"""The panel around the timeline: reviews, locks, and what is to be looked at."""

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_sam2.session.book.state import BookState, FrameFlag, ObjectState
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.scores.tables import ScoreRow, ScoreTables
from napari_sam2.ui.timeline.panel import TimelinePanel


def made_tables():
    """Object 2 is doubtful on frame 45."""
    tables = ScoreTables.empty((2, 5), 100)
    tables.object_score[:] = 9
    tables.area[:] = 100
    tables.stability[45, 0] = 0.5
    return tables


@pytest.fixture
def panel(qtbot):
    widget = TimelinePanel()
    qtbot.addWidget(widget)
    widget.show_movie(100)
    locked = ObjectState(2, locked=FrameSet.between(20, 39))
    widget.show_state(BookState((locked, ObjectState(5), ObjectState(9))))
    widget.show_scores(made_tables())
    return widget


def test_the_panel_counts_what_is_to_be_reviewed(panel, qtbot):
    qtbot.waitUntil(lambda: panel.count_label.text() == "1 to review")
    tables = made_tables()
    tables.trust()
    row = ScoreRow(45, (2,), {"stability": np.array([1.0])})
    tables.write(row)
    panel.show_scores(tables)
    qtbot.waitUntil(lambda: panel.count_label.text() == "")
    with qtbot.waitSignal(panel.next_doubtful_requested):
        qtbot.keyClick(panel.timeline, Qt.Key.Key_J)


def test_marks_and_locks_are_about_the_frames_that_are_chosen(panel, qtbot):
    assert not panel.review_button.isEnabled()
    panel.show_selected((2, 9))
    panel.show_frame(25)
    with qtbot.waitSignal(panel.flag_requested) as signal:
        panel.review_button.click()
    assert signal.args == [FrameFlag.REVIEWED, (2, 9), FrameSet.of([25]), True]
    panel.show_range(20, 30)
    panel.scope_combo.setCurrentIndex(1)
    panel.show_selected((2,))
    assert panel.lock_button.text() == "Unlock"
    with qtbot.waitSignal(panel.flag_requested) as signal:
        panel.lock_button.click()
    assert signal.args == [FrameFlag.LOCKED, (2,), FrameSet.between(20, 30), False]
    panel.scope_combo.setCurrentIndex(2)
    panel.show_selected((5, 77))
    with qtbot.waitSignal(panel.flag_requested) as signal:
        panel.lock_button.click()
    assert signal.args == [FrameFlag.LOCKED, (5,), FrameSet.between(0, 99), True]


def test_the_panel_hands_on_what_the_timeline_asks(panel, qtbot):
    with qtbot.waitSignal(panel.selection_requested) as signal:
        qtbot.keyClick(panel.timeline, Qt.Key.Key_Down)
    assert signal.args == [(2,)]
    assert panel.lock_button.isEnabled()
    panel.scope_combo.setCurrentIndex(1)
    with qtbot.waitSignal(panel.range_requested):
        qtbot.keyClick(panel.timeline, Qt.Key.Key_BracketRight)
    assert panel.frames_meant == FrameSet.of([0])
