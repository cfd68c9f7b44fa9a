"""What panels ask to be written, or read, besides masklets."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_sam2.engine import TracksMade
from napari_sam2.engine.jobs import Job, Priority
from napari_sam2.errors import InputError, NapariSam2Error
from napari_sam2.ui.masklets.tracks_layer import show_tracks
from napari_sam2.ui.plots.curves import CurveTable
from napari_sam2.ui.widgets.folders import short_path

if TYPE_CHECKING:
    from napari_sam2.ui.dock.dock import TrackerDock


class FileRequests(QObject):
    """Lets the worker write tables and measure tracks.

    Parameters
    ----------
    dock
        Whose panels.
    """

    def __init__(self, dock: TrackerDock) -> None:
        super().__init__(dock)
        self._dock = dock
        dock.plots_panel.export_requested.connect(self._on_export_requested)
        dock.output_panel.tracks_requested.connect(self._on_tracks_requested)

    def _on_export_requested(self, table: CurveTable, path: Path) -> None:
        job = Job(partial(_written, table, path), self._on_written, self._complain)
        self._dock.conductor.worker.submit(job)

    def _on_written(self, path: object) -> None:
        if isinstance(path, Path):
            self._dock.status.say(f"Saved to {short_path(path)}.")

    def _on_tracks_requested(self) -> None:
        conductor = self._dock.conductor
        try:
            request = self._dock.request()
        except NapariSam2Error as error:
            self._complain(error)
            return
        steps = partial(conductor.engine.tracks, request, conductor.book)
        job = Job(
            steps,
            self._on_event,
            self._complain,
            key="tracks",
            priority=Priority.EDIT,
        )
        conductor.worker.submit(job)

    def _on_event(self, event: object) -> None:
        if not isinstance(event, TracksMade):
            self._dock.conductor.happened.emit(event)
            return
        dock, masklets = self._dock, self._dock.masklets.layer
        try:
            if masklets is None:
                raise InputError("The layer of the masklets is gone")
            show_tracks(dock.viewer, masklets, event.table, dock.input_panel.axes())
        except NapariSam2Error as error:
            self._complain(error)
        else:
            dock.status.say("The tracks are shown.")

    def _complain(self, error: Exception) -> None:
        self._dock.status.complain(error)


def _written(table: CurveTable, path: Path) -> Iterator[Path]:
    table.write(path)
    yield path
