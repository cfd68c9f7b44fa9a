"""The track panel and its range: what they ask, what they show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication

from napari_sam2.session.planning.plan import Direction, FrameRange, MergePolicy
from napari_sam2.ui.track.panel import DIRECTIONS, RangeRow, TrackPanel
from napari_sam2.ui.widgets.preferences import Preferences


@pytest.fixture
def panel(qtbot):
    shown = TrackPanel()
    qtbot.addWidget(shown)
    shown.range_row.show_frame_count(100)
    return shown


def test_every_direction_can_be_chosen_and_is_explained(panel):
    combo = panel.direction_combo
    assert [combo.itemData(index) for index in range(combo.count())] == [*Direction]
    for index, direction in enumerate(Direction):
        combo.setCurrentIndex(index)
        assert panel.direction is direction
        assert combo.toolTip() == DIRECTIONS[direction][1]


def test_policies_for_old_labels_are_explained(panel):
    explained = set()
    for index, policy in enumerate(MergePolicy):
        panel.merge_combo.setCurrentIndex(index)
        assert panel.merge is policy
        explained.add(panel.merge_note.text())
    assert len(explained) == 3


def test_it_begins_with_what_is_preferred(qtbot):
    panel = TrackPanel(Preferences(live_repair=False))
    qtbot.addWidget(panel)
    assert not panel.live_repair
    with qtbot.waitSignal(panel.live_repair_changed) as told:
        panel.repair_box.click()
    assert told.args == [True]


def test_the_range_begins_and_ends_at_the_frame_shown(panel, qtbot):
    row = panel.range_row
    assert row.frames == FrameRange(0, 100)
    row.show_frame(30)
    with qtbot.waitSignal(panel.range_changed) as told:
        row.from_here_button.click()
    assert told.args == [30, 99]
    row.show_frame(20)
    row.to_here_button.click()  # before its beginning: that frame alone
    assert row.frames == FrameRange(20, 21)
    row.last_spin.setValue(60)
    row.show_frame_count(50)
    assert row.frames == FrameRange(20, 50)
    row.all_button.click()
    assert row.is_whole
    row.show_frame_count(80)
    assert row.frames == FrameRange(0, 80)


def test_nothing_is_changed_while_something_is_tracked(panel):
    panel.set_frozen(True)
    assert not panel.direction_combo.isEnabled()
    panel.set_frozen(False)
    assert panel.direction_combo.isEnabled()


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
