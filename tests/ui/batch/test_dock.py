"""The dock *SAM 2 Batch*, driven by clicks; the programs beside it are real."""

import pytest
import tifffile
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QThreadPool, QTimer, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication
from tests.ui.conftest import PATIENCE

from napari_sam2.batch.plan.checks import MovieCheck
from napari_sam2.batch.report.lines import Checked, write_line
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.synthetic import MovieConfig, SimulatedMovie
from napari_sam2.ui.batch import dock as dock_module
from napari_sam2.ui.batch.dock import BatchDock
from napari_sam2.ui.batch.table import FRAMES, MOVIE, STATE, WHY
from napari_sam2.ui.masklets.session_mark import session_of

FRAME_COUNT = 100


@pytest.fixture
def movies(tmp_path):
    """Two movies with label images beside them; those of the second do not fit."""
    config = MovieConfig(
        frame_count=FRAME_COUNT, frame_shape=(48, 64), cell_count=2, cell_size=18,
        division_rate=0, seed=5,
    )  # fmt: skip
    movie = SimulatedMovie(config)
    paths = [tmp_path / "a.tif", tmp_path / "b.tif"]
    for path in paths:
        with tifffile.TiffWriter(path) as writer:
            for index in range(FRAME_COUNT):
                writer.write(movie.frame(index), contiguous=True)
        tifffile.imwrite(tmp_path / f"{path.stem}_cp_masks.tif", movie.labels(0))
    tifffile.imwrite(tmp_path / "b_cp_masks.tif", movie.labels(0)[:20])
    return paths


@pytest.fixture
def dock(make_napari_viewer_proxy, qtbot, toy):
    viewer = make_napari_viewer_proxy()
    made = BatchDock(viewer)
    viewer.window.add_dock_widget(made, name="SAM 2 Batch")
    made.asked.model_combo.addItem("toy", toy)
    made.asked.model_combo.setCurrentText("toy")
    made.viewer = viewer
    yield made
    made.stop()
    made.worker.close()
    assert QThreadPool.globalInstance().waitForDone(PATIENCE)
    qtbot.wait(10)


def drop(dock, paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    copy = Qt.DropAction.CopyAction
    enter = QDragEnterEvent(QPoint(5, 5), copy, data, left, none)
    QApplication.sendEvent(dock, enter)
    assert enter.isAccepted()
    event = QDropEvent(QPointF(5, 5), copy, data, left, none)
    QApplication.sendEvent(dock, event)


def click(qtbot, button):
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def row(dock, index):
    item = dock.table.topLevelItem(index)
    return [item.text(column) for column in (MOVIE, STATE, WHY)] if item else []


def ended(qtbot, dock):
    qtbot.waitUntil(lambda: not dock.is_running)


def test_movies_are_dropped_tracked_cancelled_gone_on_with_and_opened(
    dock, movies, qtbot
):
    assert not dock.start_button.isEnabled()
    drop(dock, movies)
    assert not dock.start_button.isEnabled(), "nobody said what to track"
    dock.asked.policy_combo.setCurrentText("label images of Cellpose")
    click(qtbot, dock.start_button)
    ticks = []
    timer = QTimer(dock)
    timer.timeout.connect(lambda: ticks.append(dock.is_running))
    timer.start(20)
    assert not dock.asked.files_button.isEnabled()
    qtbot.waitUntil(lambda: row(dock, 0)[1:2] == ["tracking"])
    click(qtbot, dock.stop_button)
    ended(qtbot, dock)
    assert row(dock, 0)[:2] == ["a", "cancelled"]
    assert "start again to go on" in dock.status.text()
    assert sum(ticks) > 10, "the window stood still"

    click(qtbot, dock.start_button)
    ended(qtbot, dock)
    (name, state, _), (_, refused, why) = row(dock, 0), row(dock, 1)
    assert (name, state, refused) == ("a", "done", "refused")
    assert "b_cp_masks.tif" in why
    assert "1 not whole" in dock.status.text()
    store = movies[0].with_name("a-masklets.zarr")
    assert OmeZarrLabelStore.open(store, mode="r").is_complete
    assert (movies[0].parent / "sam2-batch" / "report.html").exists()
    assert dock.report_button.isEnabled()

    dock.table.scrollToItem(dock.table.topLevelItem(0))
    place = dock.table.visualItemRect(dock.table.topLevelItem(0)).center()
    port = dock.table.viewport()
    qtbot.mouseClick(port, Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(port, Qt.MouseButton.LeftButton, pos=place)
    movie, masklets = dock.viewer.layers
    assert movie.data.shape == (FRAME_COUNT, 48, 64)
    assert session_of(masklets) == (store, "masklets")


class Told:
    """Stands for a program: what it was called with, and what it says."""

    calls = ()

    def __init__(self, arguments):
        self._arguments = arguments

    def lines(self):
        Told.calls += (self._arguments,)
        if self._arguments[0] == "plan":
            yield "{}"
            return
        movie = MovieCheck("a", "new", 40, (48, 64), 2)
        yield "a library's own line\n"
        yield write_line(Checked(check=movie, seconds=65.0)) + "\n"
        broken = MovieCheck("b", "refused", reason="b.tif is broken")
        yield write_line(Checked(check=broken)) + "\n"

    def end(self):
        pass


def test_the_check_shows_what_would_be_done(dock, movies, qtbot, monkeypatch):
    monkeypatch.setattr(dock_module, "Program", Told)
    drop(dock, movies)
    dock.asked.policy_combo.setCurrentText("another file or pattern …")
    qtbot.keyClicks(dock.asked.other_edit, "{stem}_labels.tif")
    click(qtbot, dock.check_button)
    ended(qtbot, dock)
    assert Told.calls[-2][:3] == ["plan", *map(str, movies)]
    assert Told.calls[-1][-1] == "--dry-run"
    assert row(dock, 0) == ["a", "new", ""]
    assert dock.table.topLevelItem(0).text(FRAMES) == "40"
    assert row(dock, 1) == ["b", "refused", "b.tif is broken"]
    assert "nothing was" in dock.status.text()
    assert not dock.report_button.isEnabled()


def test_an_error_of_the_program_is_shown_and_the_dock_can_be_used(dock, movies, qtbot):
    drop(dock, [movies[0].with_name("gone.tif")])
    dock.asked.policy_combo.setCurrentText("label images of Cellpose")
    click(qtbot, dock.start_button)
    ended(qtbot, dock)
    assert "gone.tif does not exist" in dock.status.text()
    assert dock.start_button.isEnabled()
