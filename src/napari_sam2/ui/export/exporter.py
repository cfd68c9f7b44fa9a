"""Runs the exports of a dock, one at a time, beside its worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QWidget

from napari_sam2.engine.jobs import Job, once
from napari_sam2.engine.runs.exporting import ExportOrder, ExportRun, ExportStoppedError
from napari_sam2.errors import NapariSam2Error
from napari_sam2.ui.controller.worker import Worker
from napari_sam2.ui.export.dialog import ExportDialog
from napari_sam2.ui.widgets.panel import short_path

LOOK_MS = 100
"""How often progress is looked at."""

OrderOf = Callable[[str, Path, bool], ExportOrder]


class Exporter(QObject):
    """Shows the dialog and writes what it asks for, in a thread of its own.

    Clicks are answered meanwhile: frames are read from disk.

    Parameters
    ----------
    folder_of
        Returns where the masklets are that are shown.
    order_of
        Returns the order for a format, a path, and whether intensities are measured;
        raises `InputError` if there are no masklets.
    """

    failed = Signal(object)
    """Why nothing was written."""
    told = Signal(str)
    """What was written."""

    def __init__(
        self, folder_of: Callable[[], Path], order_of: OrderOf, dock: QWidget
    ) -> None:
        super().__init__(dock)
        self._folder_of, self._order_of = folder_of, order_of
        self.worker = Worker(self)
        self.dialog = ExportDialog(dock)
        self.dialog.export_requested.connect(self._on_requested)
        self.dialog.stop_requested.connect(self.stop)
        self._run: ExportRun | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)

    def open(self) -> None:
        """Show the dialog; it offers a path beside the masklets."""
        if self._run is None:
            self.dialog.offer(self._folder_of())
        else:
            self.dialog.show()

    def stop(self) -> None:
        """End what is being written; nothing of it stays."""
        if self._run is not None:
            self._run.stop()

    def close(self) -> None:
        """End everything."""
        self.stop()
        self.worker.close()

    def _on_requested(self, format_name: str, path: Path, measures: bool) -> None:
        try:
            order = self._order_of(format_name, path, measures)
        except NapariSam2Error as error:
            self._on_failed(error)
            return
        self._run = run = ExportRun(order)
        self.dialog.tell("")
        self.dialog.set_running(running=True)
        self._timer.start()
        self.worker.submit(
            Job(once(run.run), self._on_written, self._on_failed, self._on_over)
        )

    def _look(self) -> None:
        if self._run is not None and self._run.frame_count:
            self.dialog.show_progress(self._run.frame_index + 1, self._run.frame_count)

    def _on_written(self, path: object) -> None:
        text = f"Exported to {short_path(Path(str(path)))}."
        self.dialog.tell(text)
        self.told.emit(text)

    def _on_failed(self, error: Exception) -> None:
        self.dialog.tell(str(error))
        if isinstance(error, ExportStoppedError):
            self.told.emit(str(error))
        else:
            self.failed.emit(error)

    def _on_over(self, _is_done: bool) -> None:
        self._timer.stop()
        self._run = None
        self.dialog.set_running(running=False)
