"""Panels by themselves: what they ask, what they show."""

from pathlib import Path

import pytest
from qtpy.QtWidgets import QFileDialog

from napari_sam2.session.plan import Direction
from napari_sam2.ui.model_panel import ModelPanel
from napari_sam2.ui.output_panel import OutputPanel, free_folder, short_path
from napari_sam2.ui.track_panel import TrackPanel, clock_text, pace_text


def choose_own_file(panel, monkeypatch, answer):
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (answer, ""))
    panel.combo.setCurrentIndex(panel.combo.count() - 1)
    panel.combo.activated.emit(panel.combo.count() - 1)


def test_a_model_is_one_of_ours_of_theirs_or_a_file(qtbot, monkeypatch):
    panel = ModelPanel()
    qtbot.addWidget(panel)
    assert panel.model == "nano"
    names = [panel.combo.itemData(index) for index in range(panel.combo.count())]
    assert names[:3] == ["nano", "sam2.1_tiny", "sam2.1_small"]
    with qtbot.waitSignal(panel.model_changed):
        choose_own_file(panel, monkeypatch, "/data/mine.pt")
    assert panel.model == "/data/mine.pt"
    assert panel.combo.currentText() == "mine.pt"
    with qtbot.assertNotEmitted(panel.model_changed):
        choose_own_file(panel, monkeypatch, "")  # the dialog was cancelled
    assert panel.model == "/data/mine.pt"
    assert panel.combo.currentText() == "mine.pt"


def test_a_folder_is_asked_for_only_when_it_was_changed(qtbot, tmp_path):
    panel = OutputPanel()
    qtbot.addWidget(panel)
    panel.show_folder(tmp_path / "movie-1.zarr")
    assert panel.edit.text() == str(Path("~") / "movie-1.zarr")
    assert panel.folder == tmp_path / "movie-1.zarr"
    with qtbot.assertNotEmitted(panel.folder_changed):
        panel.edit.editingFinished.emit()
    with qtbot.waitSignal(panel.folder_changed):
        panel.edit.setText("/elsewhere/x.zarr")
        panel.edit.editingFinished.emit()
    assert panel.folder == Path("/elsewhere/x.zarr")


def test_folders_are_named_after_the_layer_and_never_taken(tmp_path):
    first = free_folder("Cells: C2 / 10x")
    assert first == tmp_path / "napari-sam2" / "Cells-C2-10x-1.zarr"
    first.mkdir(parents=True)
    assert free_folder("Cells: C2 / 10x").name == "Cells-C2-10x-2.zarr"
    assert free_folder("///").name == "movie-1.zarr"
    assert short_path(Path("/data/x.zarr")) == str(Path("/data/x.zarr"))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3725, "1:02:05")]
)
def test_durations_are_clock_times(seconds, text):
    assert clock_text(seconds) == text


def test_progress_tells_rate_and_remaining_time(qtbot, monkeypatch):
    panel = TrackPanel()
    qtbot.addWidget(panel)
    now = iter([10.0, 12.0, 15.0])
    monkeypatch.setattr("napari_sam2.ui.track_panel.time.monotonic", lambda: next(now))
    panel.set_tracking(True)
    panel.show_progress(5, 105)
    panel.show_progress(15, 105)
    assert panel.pace.text() == pace_text(5.0, 90) == "5.0 frames/s, 0:18 left"
    panel.set_tracking(False)
    assert panel.pace.text() == "11 steps in 0:05"


def test_the_track_button_asks_for_the_chosen_direction(qtbot):
    panel = TrackPanel()
    qtbot.addWidget(panel)
    panel.direction_combo.setCurrentIndex(2)
    with qtbot.waitSignal(panel.track_requested) as asked:
        panel.track_button.click()
    assert asked.args == [str(Direction.BACKWARD)]
    panel.set_tracking(True)
    with qtbot.waitSignal(panel.cancel_requested):
        panel.cancel_button.click()
