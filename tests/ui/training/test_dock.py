"""The dock *SAM 2 Train*: what it lists, what it trains, what it refuses."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt, QThreadPool
from qtpy.QtGui import QEnterEvent, QTextDocument
from qtpy.QtWidgets import QApplication, QDockWidget
from tests.ui.conftest import PATIENCE
from tests.ui.hand import unwrapped

from napari_sam2.engine.movie.axes import lay_out_layer
from napari_sam2.interfaces import FrameResult, ObjectScores, Progress
from napari_sam2.io.label_store.store import DEFAULT_NAME, OmeZarrLabelStore
from napari_sam2.io.sessions.document import (
    InputMapping,
    ModelChoice,
    SessionDocument,
)
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.model.checkpoints.own_models import OwnModel, own_models
from napari_sam2.prompts import PromptedObject
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.ui.layers.labels_in_layer import LabelsInLayer
from napari_sam2.ui.masklets.live_labels import LiveLabels
from napari_sam2.ui.masklets.session_mark import session_metadata
from napari_sam2.ui.model.panel import ModelCombo
from napari_sam2.ui.training.curves import TrainCurves
from napari_sam2.ui.training.dock import (
    IN_THE_LIST,
    TrainDock,
    progress_text,
    score_text,
)
from napari_sam2.ui.training.jobs import MaskletRow, TrainStep, list_session

FRAMES, SIDE, IDS = 12, 64, (1, 2, 3)
EVERYWHERE = FrameSet.between(0, FRAMES - 1)


def labels_of(frame):
    y, x = np.mgrid[:SIDE, :SIDE]
    labels = np.zeros((SIDE, SIDE), np.uint16)
    for one in IDS:
        labels[(y - 20 * one + 8) ** 2 + (x - 20 - frame) ** 2 <= 50] = one
    return labels


def begin_session(folder):
    """Store a session in which two masklets are verified; return its open store."""
    store = OmeZarrLabelStore.create(
        folder,
        frame_count=FRAMES,
        frame_shape=(SIDE, SIDE),
        logits_shape=(16, 16),
        objects=[PromptedObject(one, ()) for one in IDS],
        provenance=Provenance(
            model="nano",
            weights_sha256="0" * 64,
            device="cpu",
            precision="fp32",
            threads=1,
            plugin_version="0",
        ),
    )
    book = BookState(
        (
            ObjectState(1, "mother", locked=EVERYWHERE),
            ObjectState(2, reviewed=FrameSet.between(6, FRAMES - 1)),
            ObjectState(3),
        )
    )
    image = InputMapping(layer="movie", axes="TYX", frame_axis="T")
    model = ModelChoice(name="nano")
    store.save_session(SessionDocument(book=book, image=image, model=model))
    return store


def track(store, frame_count):
    ones = np.ones(len(IDS), np.float32)
    for frame in range(frame_count):
        logits = np.zeros((len(IDS), 16, 16), np.float32)
        scores = ObjectScores(ones, ones, ones, ones)
        store.write(FrameResult(frame, labels_of(frame), IDS, logits, scores))


@pytest.fixture
def session(home):
    """Folder of masklets of which two are verified, the second on half the frames."""
    store = begin_session(home / "discs.zarr")
    track(store, FRAMES)
    store.finish()
    return store.path


@pytest.fixture
def open_train(make_napari_viewer_proxy, qtbot, session, toy, monkeypatch, tmp_path):
    """Return a viewer with the movie and its masklets, and the dock on it."""
    monkeypatch.setenv("NAPARI_SAM2_CACHE", str(tmp_path / "cache"))
    docks = []

    def opened():
        viewer = make_napari_viewer_proxy()
        labels = np.stack([labels_of(frame) for frame in range(FRAMES)])
        pixels = np.where(labels > 0, 200, 40).astype(np.uint8)
        viewer.add_image(pixels, name="movie")
        metadata = session_metadata(session, DEFAULT_NAME)
        live = LiveLabels(labels.shape, labels.dtype, labels.__getitem__)
        axes = lay_out_layer(labels.shape, ("t", "y", "x"), 0, {})
        masklets = LabelsInLayer(live, axes)
        viewer.add_labels(masklets, name="movie masklets", metadata=metadata)
        dock = TrainDock(viewer)
        docks.append(dock)
        viewer.window.add_dock_widget(dock, name="SAM 2 Train")
        dock.base_combo.addItem("toy", toy)
        idle(qtbot, dock)
        return viewer, dock

    yield opened
    for dock in docks:
        dock.worker.close()
    assert QThreadPool.globalInstance().waitForDone(PATIENCE)
    qtbot.wait(10)


def idle(qtbot, dock):
    qtbot.waitUntil(lambda: dock.worker.is_idle)


def row(dock, index):
    item = dock.taught.list.topLevelItem(index)
    return [item.text(column) for column in range(4)], item.checkState(0)


@pytest.fixture
def scored(monkeypatch):
    """Let every network that was trained score better; skip the simulator."""
    from napari_sam2.train.data.examples import prepare
    from napari_sam2.train.fine_tuning import run as fine_tuning_run

    labels = np.stack([labels_of(frame).astype(np.int32) for frame in range(3)])
    frames = np.where(labels > 0, 200, 40).astype(np.uint8)[..., None]
    example = prepare(SimpleNamespace(name="rehearsed", frames=frames, labels=labels))
    monkeypatch.setattr(fine_tuning_run, "simulated_examples", lambda *_: [example])
    answers = [0.4, 0.4]  # the base, on both kinds of frames
    monkeypatch.setattr(
        fine_tuning_run,
        "held_out_score",
        lambda *_: answers.pop() if answers else 0.6,
    )


def test_verified_masklets_are_chosen(open_train):
    _, dock = open_train()
    checked, unchecked = Qt.CheckState.Checked, Qt.CheckState.Unchecked
    assert row(dock, 0) == (["mother", "12", "12", "12"], checked)
    assert row(dock, 1) == (["object 2", "12", "0", "6"], checked)
    assert row(dock, 2) == (["object 3", "12", "0", "0"], unchecked)
    assert dock.taught.objects == (1, 2)
    assert "2 masklets with 18 masks" in dock.taught.note.text()
    assert dock.base_combo.currentData() == "nano"
    dock.taught.list.topLevelItem(2).setCheckState(0, checked)
    assert "mistakes included" in dock.taught.note.text()


def test_frames_that_were_never_tracked_are_not_counted(home):
    store = begin_session(home / "half.zarr")
    track(store, 8)
    store.commit(Progress(0, 8, "key"), None)
    store.close()
    (listed,) = list_session(store.path, DEFAULT_NAME)
    assert [(row.tracked, row.locked, row.reviewed) for row in listed.rows] == [
        (8, 8, 8),
        (8, 0, 2),
        (8, 0, 0),
    ]


def test_training_puts_a_model_into_the_list(
    open_train, qtbot, scored, toy, monkeypatch
):
    monkeypatch.setattr(
        "napari_sam2.train.fine_tuning.fine_tune.BudgetClock.done",
        lambda _clock, step: min(1.0, step / 3),
    )
    _, dock = open_train()
    dock.base_combo.setCurrentIndex(dock.base_combo.findData(toy))
    dock.name_edit.setText("my-discs")
    dock.start_button.click()
    assert dock.is_running
    assert not dock.start_button.isEnabled()
    assert not dock.taught.list.isEnabled()
    qtbot.waitUntil(lambda: not dock.is_running)
    (model,) = own_models()
    assert (model.name, model.base) == ("my-discs", "toy")
    assert IN_THE_LIST in dock.result_note.text()
    assert "Learned from" in dock.result_note.toolTip()
    assert dock.curves.scores[0] == (0, 0.4)
    assert dock.curves.losses
    assert dock.base_combo.findData(str(model.path)) >= 0
    assert dock.start_button.isEnabled()


def test_stopping_ends_it_and_says_what_came_of_it(open_train, qtbot, scored, toy):
    _, dock = open_train()
    dock.base_combo.setCurrentIndex(dock.base_combo.findData(toy))
    dock.start_button.click()
    qtbot.waitUntil(lambda: bool(dock.curves.losses))
    dock.stop_button.click()
    qtbot.waitUntil(lambda: not dock.is_running)
    assert len(own_models()) == 1
    assert "0.400 → 0.600" in dock.score_note.text() or dock.result_note.text()


def test_too_little_is_refused_with_a_reason(open_train, qtbot, toy):
    _, dock = open_train()
    dock.base_combo.setCurrentIndex(dock.base_combo.findData(toy))
    dock.taught.list.topLevelItem(0).setCheckState(0, Qt.CheckState.Unchecked)
    dock.start_button.click()
    qtbot.waitUntil(lambda: not dock.is_running)
    assert "too little to learn from" in dock.status.text()
    dock.taught.list.topLevelItem(1).setCheckState(0, Qt.CheckState.Unchecked)
    assert not dock.start_button.isEnabled()
    assert own_models() == []


def test_a_session_without_an_open_layer_is_chosen_by_its_folder(
    open_train, session, monkeypatch, qtbot
):
    viewer, dock = open_train()
    viewer.layers.clear()
    assert dock.taught.objects == ()
    assert "Track some cells" in dock.taught.note.text()
    monkeypatch.setattr(
        "napari_sam2.ui.training.panel.QFileDialog.getExistingDirectory",
        lambda *_: str(session),
    )
    dock.taught.folder_button.click()
    idle(qtbot, dock)
    assert dock.taught.objects == (1, 2)
    assert "discs.zarr" in dock.taught.note.text()


def test_a_base_chosen_by_hand_stays_until_another_session_is_listed(
    open_train, qtbot, session, toy, monkeypatch
):
    _, dock = open_train()
    dock.base_combo.setCurrentIndex(dock.base_combo.findData(toy))
    dock.taught.refresh_button.click()
    idle(qtbot, dock)
    assert dock.base_combo.currentData() == toy
    other = shutil.copytree(session, session.with_name("other.zarr"))
    monkeypatch.setattr(
        "napari_sam2.ui.training.panel.QFileDialog.getExistingDirectory",
        lambda *_: str(other),
    )
    dock.taught.folder_button.click()
    idle(qtbot, dock)
    assert dock.base_combo.currentData() == "nano"


def test_own_models_show_their_whole_card(qtbot, tmp_path):
    combo = ModelCombo()
    qtbot.addWidget(combo)
    rods, cells = (
        OwnModel(name, tmp_path / f"{name}.safetensors", "nano", f"about {name}")
        for name in ("rods", "cells")
    )
    card = "# rods\n\n| J < 1 & J > 0 |\n| 0.4 → 0.6 |"
    rods.path.with_suffix(".md").write_text(card, encoding="utf-8")
    cells.path.with_suffix(".md").write_bytes(b"\xff no UTF-8")
    combo.show_own_models([cells, rods])
    for model, shown in ((rods, card), (cells, "about cells")):
        index = combo.findData(str(model.path))
        tip = QTextDocument()
        tip.setHtml(combo.itemData(index, Qt.ItemDataRole.ToolTipRole))
        assert tip.toPlainText() == shown


def test_own_models_come_and_go_in_the_list(qtbot, tmp_path):
    combo = ModelCombo()
    qtbot.addWidget(combo)
    combo.addItem("Own file …", None)
    published = combo.count()
    rods, cells = (
        OwnModel(name, tmp_path / f"{name}.safetensors", "nano", f"about {name}")
        for name in ("rods", "cells")
    )
    combo.show_own_models([cells, rods])
    texts = [combo.itemText(index) for index in range(combo.count())]
    assert texts[-3:] == ["cells", "rods", "Own file …"]
    index = combo.findData(str(rods.path))
    assert "about rods" in combo.itemData(index, Qt.ItemDataRole.ToolTipRole)
    combo.setCurrentIndex(index)
    combo.show_own_models([cells])
    assert combo.currentData() == str(rods.path)
    combo.setCurrentIndex(0)
    combo.show_own_models([])
    assert combo.count() == published


def test_progress_is_said_in_words():
    step = TrainStep("Training …", 12, 61.0, 0.5, 0.3, None)
    assert progress_text(step) == "Training … step 12, 1:01 left"
    assert score_text([(0, 0.5)]) == "Held-out J: base 0.500"
    assert "best 0.700 (+0.200), now 0.600" in score_text(
        [(0, 0.5), (3, 0.7), (5, 0.6)]
    )
    assert not MaskletRow(1, "", 9, 0, 0).is_verified


def test_locks_are_fresh_for_whoever_comes_to_train(open_train, qtbot, session):
    _, dock = open_train()
    row = dock.taught.list.topLevelItem(2)
    assert row.text(2) == "0"
    store = OmeZarrLabelStore.open(session)
    document = store.read_session()
    third = ObjectState(3, locked=FrameSet.of([4]))
    book = document.book.with_objects([third])
    store.save_session(document.model_copy(update={"book": book}))
    store.close()
    at = QPointF(5, 5)
    QApplication.sendEvent(dock, QEnterEvent(at, at, at))
    idle(qtbot, dock)
    assert dock.taught.list.topLevelItem(2).text(2) == "1"


def test_start_says_what_it_lacks(open_train, qtbot):
    _, dock = open_train()
    assert dock.start_button.isEnabled()
    assert dock.lacking_note.isHidden()
    for at in range(3):
        dock.taught.list.topLevelItem(at).setCheckState(0, Qt.CheckState.Unchecked)
    assert not dock.start_button.isEnabled()
    assert "tick one" in dock.lacking_note.text()
    assert dock.start_button.toolTip() == dock.lacking_note.text()
    dock.taught.list.topLevelItem(0).setCheckState(0, Qt.CheckState.Checked)
    dock.name_edit.clear()
    assert "a name" in dock.lacking_note.text()


def test_it_shares_the_place_of_the_tracker(open_train, open_dock, qtbot):
    viewer, _ = open_dock()
    window = unwrapped(viewer).window._qt_window
    window.show()
    qtbot.waitExposed(window)
    train = TrainDock(viewer)
    docked = viewer.window.add_dock_widget(train, name="SAM 2 Train")
    tracker = next(
        one
        for one in window.findChildren(QDockWidget)
        if one.windowTitle() == "SAM 2 Tracker"
    )
    qtbot.waitUntil(lambda: docked in window.tabifiedDockWidgets(tracker))
    idle(qtbot, train)
    train.worker.close()


def test_one_point_is_drawn_between_ticks_with_numbers(qtbot):
    curves = TrainCurves()
    qtbot.addWidget(curves)
    curves.resize(320, 240)
    with qtbot.waitExposed(curves):
        curves.show()
    curves.show_palette(curves.palette())
    curves.add(0, 0.7, 0.61)
    qtbot.wait(50)
    for item in (curves.score_curve, curves.loss_curve):
        assert item.scatter.isVisible()
        assert len(item.scatter.points()) == 1
    for plot in (curves.score_plot, curves.loss_plot):
        axis = plot.getAxis("left")
        shown = axis.tickValues(*plot.viewRange()[1], plot.getViewBox().height())
        assert sum(len(values) for _, values in shown) >= 2
        assert axis.width() > axis.label.boundingRect().height() + 20
    assert score_text([(0, 0.611), (40, 0.6108)]).count("(+0.000)") == 1
