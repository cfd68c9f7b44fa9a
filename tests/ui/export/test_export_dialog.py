"""Export in the window: by clicks, beside the worker, stopped, refused."""

import csv
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import tifffile
from qtpy.QtCore import Qt
from tests.engine.engine_steps import click

from napari_sam2.io.exports.formats import FORMATS


@pytest.fixture
def exporting(open_dock, answered, qtbot):
    """A dock with masks on two frames, and its open dialog."""
    _, dock = open_dock()
    dock.conductor.set_prompts([click(1, 2, (30, 40)), click(1, 5, (32, 42))], "two")
    answered(dock)
    dock.conductor.rename(1, "mother")
    exporter = open_dock.docks[-1].exchange.exporter
    qtbot.mouseClick(dock.output_panel.export_button, Qt.MouseButton.LeftButton)
    assert exporter.dialog.isVisible()
    yield dock, exporter
    exporter.close()
    qtbot.waitUntil(lambda: exporter.worker.is_idle)


def export(qtbot, exporter):
    qtbot.mouseClick(exporter.dialog.export_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(exporter.dialog.export_button.isEnabled)


def choose(dialog, name):
    dialog.formats.setCurrentIndex(list(FORMATS).index(name))


def test_masklets_are_exported_with_the_names_of_now(exporting, qtbot):
    dock, exporter = exporting
    dialog = exporter.dialog
    assert not dialog.intensities.isEnabled()
    choose(dialog, "csv")
    path = dock.output_panel.folder.with_suffix(".csv")
    assert Path(dialog.edit.text()).expanduser() == path
    dialog.intensities.click()
    export(qtbot, exporter)
    assert "Exported to" in dialog.note.text()
    assert "Exported to" in dock.status.text()
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["name"], row["frame"]) for row in rows} == {
        ("mother", "2"),
        ("mother", "5"),
    }
    assert all(float(row["mean_intensity_0"]) > 0 for row in rows)
    export(qtbot, exporter)
    assert "exists already" in dialog.note.text()


def test_an_export_is_stopped_while_clicks_are_answered(
    exporting, answered, qtbot, monkeypatch
):
    dock, exporter = exporting
    reached, go_on, threads = threading.Event(), threading.Event(), []

    def write(masklets, path):
        for frame_index, labels in masklets.frames():
            path.write_bytes(labels.tobytes())
            if frame_index == 3:
                threads.append(threading.current_thread())
                reached.set()
                assert go_on.wait(60)

    patched = replace(FORMATS["tiff"], write=write)
    monkeypatch.setitem(FORMATS, "tiff", patched)
    dialog = exporter.dialog
    qtbot.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(reached.is_set)
    qtbot.waitUntil(lambda: dialog.progress.value() == 4)
    assert dialog.progress.isVisible()
    dock.conductor.set_prompts([click(2, 1, (10, 12))], "while it writes")
    answered(dock)
    qtbot.mouseClick(dialog.stop_button, Qt.MouseButton.LeftButton)
    go_on.set()
    qtbot.waitUntil(dialog.export_button.isEnabled)
    assert "stopped" in dialog.note.text()
    assert threading.main_thread() not in threads
    folder = dock.output_panel.folder
    assert [path.name for path in folder.parent.glob("*.tif*")] == []


def test_a_real_format_is_written_whole(exporting, qtbot):
    dock, exporter = exporting
    export(qtbot, exporter)
    found = tifffile.imread(dock.output_panel.folder.with_suffix(".tif"))
    assert set(found[2].ravel().tolist()) == {0, 1}


def test_without_masks_there_is_nothing_to_export(open_dock, qtbot, tmp_path):
    _, dock = open_dock()
    exporter = open_dock.docks[-1].exchange.exporter
    dock.output_panel.export_button.click()
    exporter.dialog.edit.setText(str(tmp_path / "a.tif"))
    exporter.dialog.export_button.click()
    assert "no masks to export" in exporter.dialog.note.text()
    assert list(tmp_path.glob("*.tif")) == []
    exporter.close()
    qtbot.waitUntil(lambda: exporter.worker.is_idle)
