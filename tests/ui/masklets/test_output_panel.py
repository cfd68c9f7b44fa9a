"""Panels by themselves: what they ask, what they show."""

from pathlib import Path

from qtpy.QtWidgets import QFileDialog

from napari_sam2.ui.masklets.output_panel import OutputPanel, free_folder
from napari_sam2.ui.model.panel import ModelPanel
from napari_sam2.ui.widgets.panel import short_path


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
    assert free_folder("///", tmp_path / "mine") == tmp_path / "mine/movie-1.zarr"
    assert short_path(Path("/data/x.zarr")) == str(Path("/data/x.zarr"))
