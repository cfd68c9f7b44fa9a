"""The dock *SAM 2 Train*: adapt a model to masklets that are right."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QEnterEvent, QShowEvent
from qtpy.QtWidgets import QHBoxLayout, QLineEdit, QProgressBar, QPushButton

from napari_sam2.engine.jobs import Job
from napari_sam2.texts import clock_text
from napari_sam2.ui.controller.worker import Worker
from napari_sam2.ui.layers.placement import finest_level
from napari_sam2.ui.model.files import USUAL_NAME, ModelsListed, list_models
from napari_sam2.ui.model.panel import ModelCombo, card_tip
from napari_sam2.ui.training.jobs import (
    SessionListed,
    TrainOrder,
    TrainOutcome,
    TrainStep,
    list_session,
    run_order,
)
from napari_sam2.ui.training.panel import TaughtPanel
from napari_sam2.ui.widgets.connections import Connections
from napari_sam2.ui.widgets.decimal_spin import DecimalSpin
from napari_sam2.ui.widgets.icons import icon
from napari_sam2.ui.widgets.layout import WheelGuard, lay_out_column
from napari_sam2.ui.widgets.panel import Note, Panel
from napari_sam2.ui.widgets.placing import DockedWidget, share_place
from napari_sam2.ui.widgets.status_line import StatusLine
from napari_sam2.ui.widgets.timers import single_shot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import napari.viewer

    from napari_sam2.ui.training.curves import TrainCurves

BAR_STEPS = 1000
TRACKER_NAME = "SAM 2 Tracker"
"""Of the other dock, as the manifest calls it."""

USUAL_MINUTES, MOST_MINUTES = 5.0, 600.0
WHAT_IT_DOES = (
    "Lock or review masklets that are right: the model learns from them, and is "
    "measured on frames that it never saw."
)
IN_THE_LIST = "It is in the model list of SAM 2 Tracker now."
STOPPING = "Stopping: the best so far is kept if it is better …"


class TrainDock(DockedWidget):
    """Trains a copy of a model on masklets of a session, in the background."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer.window)
        self._viewer = viewer
        self._connections = Connections()
        self.worker = Worker(self)
        self._job: Job | None = None
        self._stopped = Event()
        self._named = USUAL_NAME
        self._is_placed = False
        self._placing = single_shot(self, lambda: share_place(self, TRACKER_NAME))
        self.curves: TrainCurves | None = None
        self._create()
        self._lay_out()
        self._connect()
        WheelGuard(self)
        worker, connections = self.worker, self._connections
        self.destroyed.connect(lambda _gone=None: _close(worker, connections))
        self._show_running()
        self.status.say(WHAT_IT_DOES)
        self._list_models()
        self.taught.ask()

    # --- Building

    def _create(self) -> None:
        self.taught = TaughtPanel(self._viewer, self._connections)
        self.status = StatusLine(self._viewer)
        self.base_combo = ModelCombo()
        self.base_combo.setToolTip("The model to start from; it stays as it is")
        self.name_edit = QLineEdit(USUAL_NAME)
        self.name_edit.setToolTip("What the new model is called in the list of models")
        self.minutes_spin = DecimalSpin()
        self.minutes_spin.setRange(0.5, MOST_MINUTES)
        self.minutes_spin.setDecimals(1)
        self.minutes_spin.setSuffix(" min")
        self.minutes_spin.setValue(USUAL_MINUTES)
        self.minutes_spin.setToolTip(
            "All the time that it may take, measuring included"
        )
        self.start_button = QPushButton(icon("play"), "Start")
        self.stop_button = QPushButton(icon("stop"), "Stop")
        self.stop_button.setToolTip("End now; the best so far is kept if it is better")
        self.bar = QProgressBar()
        self.bar.setRange(0, BAR_STEPS)
        self.bar.setTextVisible(False)
        self.lacking_note = Note()
        self.progress_note = Note()
        self.score_note = Note()
        self.score_note.setTextFormat(Qt.TextFormat.PlainText)
        self.result_note = Note()
        for note in (self.progress_note, self.score_note, self.result_note):
            note.show_text("")

    def _lay_out(self) -> None:
        training = Panel("Training")
        training.add_row("&Base", self.base_combo)
        training.add_row("&New model", self.name_edit)
        training.add_row("Bud&get", self.minutes_spin)
        row = QHBoxLayout()
        row.addWidget(self.start_button)
        row.addWidget(self.stop_button)
        training.form.addRow(row)
        training.form.addRow(self.lacking_note)
        training.form.addRow(self.bar)
        training.form.addRow(self.progress_note)
        training.form.addRow(self.score_note)
        training.form.addRow(self.result_note)
        self.training_panel = training
        lay_out_column(self, self.status, [self.taught, training])

    def _connect(self) -> None:
        self.taught.session_requested.connect(self._list_session)
        self.taught.choice_changed.connect(self._show_running)
        self.base_combo.about_to_open.connect(self._list_models)
        self.start_button.clicked.connect(self.start)
        self.stop_button.clicked.connect(self.stop)
        self.name_edit.textChanged.connect(self._show_running)

    # --- What a person does

    @property
    def is_running(self) -> bool:
        """Whether a training runs."""
        return self._job is not None

    def start(self) -> None:
        """Train on what is chosen."""
        session, listed = self.taught.session, self.taught.listed
        if self._job is not None or session is None:
            return
        folder, label = session
        order = TrainOrder(
            folder,
            label,
            self.taught.objects,
            self._pixels(listed.layer if listed else ""),
            str(self.base_combo.currentData()),
            self.name_edit.text().strip(),
            self.minutes_spin.value(),
        )
        self._stopped = Event()
        self._show_curves().clear()
        self.score_note.show_text("")
        self.result_note.show_text("")
        self.status.say("Training in the background: go on working.")
        steps = partial(run_order, order, self._stopped)
        self._job = self._ask(steps, self._on_finished)
        self._show_running()

    def stop(self) -> None:
        """End the training; the best so far is kept if it is better than the base."""
        self._stopped.set()
        self.stop_button.setEnabled(False)
        self.progress_note.show_text(STOPPING)

    # --- What the worker says

    def _on_item(self, item: object) -> None:
        match item:
            case SessionListed():
                self._show_session(item)
            case ModelsListed():
                self._show_models(item)
            case TrainStep():
                self._show_step(item)
            case TrainOutcome():
                self._show_outcome(item)

    def _show_session(self, listed: SessionListed) -> None:
        if listed.session != self.taught.session or self.is_running:
            return
        before = self.taught.listed
        self.taught.show_session(listed)
        if before is not None and before.session == listed.session:
            return  # a base that was chosen by hand stays
        index = self.base_combo.findData(listed.model)
        if index >= 0:
            self.base_combo.setCurrentIndex(index)

    def _show_models(self, listed: ModelsListed) -> None:
        self.base_combo.show_own_models(listed.models)
        if self.name_edit.text() == self._named and not self.is_running:
            self._named = listed.free_name
            self.name_edit.setText(listed.free_name)

    def _show_step(self, step: TrainStep) -> None:
        self.bar.setValue(round(BAR_STEPS * step.done))
        if self.curves is not None:
            self.curves.add(step.step, step.loss, step.held_out)
            if self.curves.scores:
                self.score_note.show_text(score_text(self.curves.scores))
        if not self._stopped.is_set():
            self.progress_note.show_text(progress_text(step))

    def _show_outcome(self, outcome: TrainOutcome) -> None:
        is_new = outcome.path is not None
        text = f"✓ {outcome.sentence} {IN_THE_LIST}" if is_new else outcome.sentence
        self.result_note.show_text(text)
        self.result_note.setToolTip(card_tip(outcome.card))
        self.status.say(text)

    def _on_finished(self, _is_done: bool) -> None:
        self._job = None
        self.bar.setValue(0)
        self.progress_note.show_text("")
        self._show_running()

    # --- Steps

    def _list_session(self, folder: Path, label: str) -> None:
        self._ask(partial(list_session, folder, label))

    def _list_models(self) -> None:
        if not self.is_running:
            self._ask(list_models)

    def _ask(
        self,
        steps: Callable[[], Iterator[object]],
        finish: Callable[[bool], None] = lambda _is_done: None,
    ) -> Job:
        job = Job(steps, self._on_item, self.status.complain, finish)
        self.worker.submit(job)
        return job

    def _pixels(self, layer_name: str) -> Any:
        """Return the pixels of the session's movie, if it is open in the viewer."""
        for layer in self._viewer.layers:
            if isinstance(layer, Image) and str(layer.name) == layer_name:
                return finest_level(layer)
        return None

    def _show_running(self) -> None:
        lacking = "" if self.is_running else self._lacking()
        self.start_button.setEnabled(not (lacking or self.is_running))
        self.start_button.setToolTip(lacking or "Train a copy of the base on these")
        self.lacking_note.show_text(lacking)
        self.stop_button.setEnabled(self.is_running)
        self.bar.setVisible(self.is_running)
        self.taught.set_frozen(self.is_running)
        for widget in (self.base_combo, self.name_edit, self.minutes_spin):
            widget.setDisabled(self.is_running)

    def _lacking(self) -> str:
        """Return what is missing before something can be trained."""
        if self.taught.session is None:
            return "Start needs a session: track some cells first, or choose a folder."
        if not self.taught.objects:
            return "Start needs a masklet: tick one above that is right."
        if not self.name_edit.text().strip():
            return "Start needs a name for the new model."
        return ""

    def _show_curves(self) -> TrainCurves:
        """Return the plots; pyqtgraph is loaded when the first training begins."""
        if self.curves is None:
            from napari_sam2.ui.training.curves import TrainCurves

            self.curves = TrainCurves()
            self.curves.show_palette(self.palette())
            form = self.training_panel.form
            form.insertRow(form.rowCount() - 2, self.curves)
        return self.curves

    def showEvent(self, event: QShowEvent | None) -> None:
        """Read again what was locked meanwhile."""
        super().showEvent(event)
        self._renew()
        if not self._is_placed:
            self._is_placed = True
            self._placing.start(0)  # once napari has put it somewhere

    def enterEvent(self, event: QEnterEvent | None) -> None:
        """Read again: whoever locks a frame comes here afterwards."""
        super().enterEvent(event)
        self._renew()

    def _renew(self) -> None:
        if not self.is_running:
            self.taught.ask()

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        is_style = event is not None and event.type() == QEvent.Type.StyleChange
        if is_style and getattr(self, "curves", None) is not None:
            self._show_curves().show_palette(self.palette())


def progress_text(step: TrainStep) -> str:
    """Say what goes on and how long it still takes.

    >>> progress_text(TrainStep("Training …", 12, 61.0, 0.5, 0.3, None))
    'Training … step 12, 1:01 left'
    """
    parts = [f"step {step.step}"] if step.step else []
    if step.seconds_left is not None:
        parts.append(f"{clock_text(step.seconds_left)} left")
    return " ".join([step.doing, ", ".join(parts)]).strip()


def score_text(scores: list[tuple[int, float]]) -> str:
    """Say how the held-out score has changed.

    >>> score_text([(0, 0.611), (40, 0.702), (80, 0.69)])
    'Held-out J: base 0.611, best 0.702 (+0.091), now 0.690'
    """
    base = scores[0][1]
    if len(scores) == 1:
        return f"Held-out J: base {base:.3f}"
    best = max(score for _, score in scores[1:])
    gain = round(best - base, 3) + 0.0  # no minus before nothing
    return (
        f"Held-out J: base {base:.3f}, best {best:.3f} ({gain:+.3f}), "
        f"now {scores[-1][1]:.3f}"
    )


def _close(worker: Worker, connections: Connections) -> None:
    connections.close()
    worker.close()
