"""The dock *SAM 2 Batch*: many movies, tracked by a program beside the window."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices, QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton

from napari_sam2.batch.report.lines import Begun, Line, read_line
from napari_sam2.batch.report.outcome import MovieOutcome
from napari_sam2.batch.report.report import PAGE
from napari_sam2.engine.jobs import Job
from napari_sam2.engine.runs.program import Program
from napari_sam2.errors import OutputError
from napari_sam2.ui.batch.panel import BatchPanel
from napari_sam2.ui.batch.request import PLAN, BatchRequest
from napari_sam2.ui.batch.table import MovieTable
from napari_sam2.ui.controller.worker import Worker
from napari_sam2.ui.widgets.connections import Connections
from napari_sam2.ui.widgets.icons import icon
from napari_sam2.ui.widgets.layout import WheelGuard, lay_out_column
from napari_sam2.ui.widgets.panel import Panel
from napari_sam2.ui.widgets.placing import DockedWidget
from napari_sam2.ui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    import napari.viewer

WHAT_IT_DOES = (
    "Tracks many movies beside the window: check what would be done, then start."
)
PLANNING = "Looking at the movies …"
STOPPING = "Stopping: the frame in hand is committed; start again to go on."


class BatchDock(DockedWidget):
    """Plans, checks and runs a batch; its programs end in order with the dock."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer.window)
        self._viewer = viewer
        self._connections = Connections()
        self.worker = Worker(self)
        self._running: list[_Calls] = []
        self._report: Path | None = None
        self._create()
        self._connect()
        self.setAcceptDrops(True)
        WheelGuard(self)
        self._show_running()
        self.status.say(WHAT_IT_DOES)

    # --- Building

    def _create(self) -> None:
        self.status = StatusLine(self._viewer)
        self.asked = BatchPanel(self._viewer, self._connections)
        self.check_button = QPushButton(icon("search"), "Check")
        self.check_button.setToolTip(
            "Show what would be done with each movie, and what is refused; does nothing"
        )
        self.start_button = QPushButton(icon("play"), "Start")
        self.start_button.setToolTip("Track what is not complete yet")
        self.stop_button = QPushButton(icon("stop"), "Cancel")
        self.stop_button.setToolTip("Commit the frame in hand and end")
        self.report_button = QPushButton(icon("plots"), "Report")
        self.report_button.setToolTip("Open the report in the browser")
        self.bar = QProgressBar()
        self.bar.setFormat("%v of %m movies")
        self.table = MovieTable()
        running = Panel("Batch")
        row = QHBoxLayout()
        for button in (
            *(self.check_button, self.start_button),
            *(self.stop_button, self.report_button),
        ):
            row.addWidget(button)
        running.form.addRow(row)
        running.form.addRow(self.bar)
        running.form.addRow(self.table)
        lay_out_column(self, self.status, [self.asked, running])

    def _connect(self) -> None:
        self.asked.changed.connect(self._show_running)
        self.check_button.clicked.connect(self.check)
        self.start_button.clicked.connect(self.start)
        self.stop_button.clicked.connect(self.stop)
        self.report_button.clicked.connect(self._open_report)
        self.table.chosen.connect(self._open_result)
        worker, connections, running = self.worker, self._connections, self._running
        self.destroyed.connect(lambda _gone=None: _close(worker, connections, running))

    # --- What a person does

    @property
    def is_running(self) -> bool:
        """Whether a program runs."""
        return bool(self._running)

    def check(self) -> None:
        """Show what would be done with each movie."""
        self._run(self.asked.request, dry_run=True)

    def start(self) -> None:
        """Track the movies, in a program of its own."""
        self._run(self.asked.request, dry_run=False)

    def stop(self) -> None:
        """Let the program commit the frame in hand, and end."""
        for calls in self._running:
            calls.end()
            self.stop_button.setEnabled(False)
            self.status.say(STOPPING)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Take files and folders, unless something runs."""
        if event is None or (data := event.mimeData()) is None:
            return
        if data.hasUrls() and not self.is_running:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Add files and folders to the movies."""
        if event is not None and (data := event.mimeData()) is not None:
            self.asked.add(url.toLocalFile() for url in data.urls())
            event.acceptProposedAction()

    # --- What the programs say

    def _run(self, request: BatchRequest, *, dry_run: bool) -> None:
        if self.is_running or request.missing:
            return
        self.table.begin()
        self.bar.setRange(0, 0)
        self._report = None if dry_run else request.report
        calls = _Calls(request, dry_run)
        self._running.append(calls)
        self.status.say(PLANNING)
        finish = partial(self._on_finished, calls, dry_run)
        job = Job(calls.lines, self._on_line, self.status.complain, finish)
        self.worker.submit(job)
        self._show_running()

    def _on_line(self, line: object) -> None:
        if not isinstance(line, Line):
            return
        if isinstance(line, Begun):
            self.bar.setRange(0, len(line.titles))
            self.status.say("Tracking beside the window: go on working.")
        self.table.show_line(line)
        self.bar.setValue(self.table.ended)

    def _on_finished(self, calls: _Calls, dry_run: bool, is_done: bool) -> None:
        self._running.remove(calls)
        self.bar.setRange(0, max(1, self.bar.maximum()))
        if is_done:
            self.status.say(self._last_words(dry_run, calls.is_ending))
        self._show_running()

    def _last_words(self, dry_run: bool, was_stopped: bool) -> str:
        if was_stopped:
            return "Stopped; start again to go on."
        if dry_run:
            return "This would be done; nothing was."
        wrong = self.table.count_not_whole
        if wrong:
            return f"Done; {wrong} not whole: see why in the table."
        return "Done: all movies are whole. Click twice on one to open it."

    def _open_result(self, outcome: MovieOutcome) -> None:
        """Show a movie and its masklets, where they are whole or begun."""
        store = Path(outcome.labels).parent.parent
        if not Path(outcome.labels).is_dir():
            self.status.say(outcome.error or "There are no masklets of it yet.")
            return
        movie = Path(outcome.movie)
        if movie.is_file():
            self._viewer.open(str(movie), plugin="napari")
        self._viewer.open(str(store), plugin="napari-sam2")

    def _open_report(self) -> None:
        if self._report is not None:
            page = QUrl.fromLocalFile(str(self._report / PAGE))
            QDesktopServices.openUrl(page)

    def _show_running(self) -> None:
        is_running, can_start = self.is_running, not self.asked.request.missing
        self.check_button.setEnabled(can_start and not is_running)
        self.start_button.setEnabled(can_start and not is_running)
        self.stop_button.setEnabled(is_running)
        has_report = self._report is not None and (self._report / PAGE).exists()
        self.report_button.setEnabled(has_report and not is_running)
        self.bar.setVisible(is_running)
        self.asked.set_frozen(is_running)


class _Calls:
    """Two calls of the command line: one makes the plan, the other does it."""

    def __init__(self, request: BatchRequest, dry_run: bool) -> None:
        self._request = request
        self._plan = Program(request.plan_arguments())
        self._run = Program(request.run_arguments(dry_run=dry_run))
        self.is_ending = False

    def end(self) -> None:
        """Let what runs end in order, and nothing else begin."""
        self.is_ending = True
        self._plan.end()
        self._run.end()

    def lines(self) -> Iterator[Line | None]:
        """Yield what the second tells, and None in between.

        Raises
        ------
        InputError, OutputError, ModelError
            As the command line does.
        """
        text = "".join(self._plan.lines())
        folder = self._request.report
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / PLAN).write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputError(
                f"{folder}: the plan cannot be written: {error.strerror}; choose "
                "another folder for the results"
            ) from error
        yield None
        if not self.is_ending:
            for line in self._run.lines():
                yield read_line(line)


def _close(worker: Worker, connections: Connections, running: list[_Calls]) -> None:
    connections.close()
    for calls in running:
        calls.end()
    worker.close()
