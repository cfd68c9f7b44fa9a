"""What comes in from elsewhere, and what goes out: prompts, curves, tracks."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_sam2.engine import TracksMade
from napari_sam2.engine.jobs import Priority, once
from napari_sam2.engine.movie.axes import LayerAxes
from napari_sam2.engine.runs.exporting import ExportOrder
from napari_sam2.errors import InputError
from napari_sam2.io.storage import storage_errors
from napari_sam2.session.book.intake import Intake
from napari_sam2.ui.dock.parts import TrackerParts
from napari_sam2.ui.export.exporter import Exporter
from napari_sam2.ui.masklets.tracks_layer import show_tracks
from napari_sam2.ui.plots.curves import CurveTable
from napari_sam2.ui.prompts.from_files import (
    FILTER,
    SavedPrompts,
    file_to_prompts,
    json_path,
    prompts_of,
)
from napari_sam2.ui.prompts.from_labels import (
    anchor_frames,
    labels_to_prompts,
    picture_labels,
)
from napari_sam2.ui.prompts.from_shapes import read_outlines, shapes_to_prompts
from napari_sam2.ui.widgets.panel import short_path

if TYPE_CHECKING:
    from napari.layers import Image

PLANS = "Plans (*.json)"
NO_FILE = (
    "The movie {!r} comes from no file, which a plan must name: save it as TIFF or "
    "OME-Zarr and open that"
)
NO_MOVIE = "There is no movie: open one before its prompts"


class Exchange(QObject):
    """Takes objects from shapes, labels and files; writes prompts, tables and tracks.

    The worker reads and writes the files.
    """

    def __init__(self, parts: TrackerParts, dock: QWidget) -> None:
        super().__init__(dock)
        self._parts, self._dock = parts, dock
        sources = parts.prompt_sources
        sources.shapes_requested.connect(self._on_shapes_requested)
        sources.labels_requested.connect(self._on_labels_requested)
        sources.file_requested.connect(self._on_file_requested)
        sources.save_requested.connect(self._on_save_requested)
        sources.plan_requested.connect(self._on_plan_requested)
        parts.plots_panel.export_requested.connect(self._on_export_requested)
        parts.output_panel.tracks_requested.connect(self._on_tracks_requested)
        self.exporter = Exporter(
            lambda: parts.output_panel.folder, self._export_order, dock
        )
        parts.output_panel.export_requested.connect(self.exporter.open)
        self.exporter.told.connect(parts.status.say)
        self.exporter.failed.connect(parts.status.complain)

    def close(self) -> None:
        """End an export that is under way."""
        self.exporter.close()

    # --- In

    def _on_shapes_requested(self) -> None:
        parts = self._parts
        with parts.status.complaining():
            image, axes = self._movie()
            shapes = parts.prompt_sources.shapes
            outlines = read_outlines(shapes, image, parts.viewer.dims.point)
            source = f"shapes of {shapes.name}"
            book = parts.conductor.book
            self._take(
                shapes_to_prompts(
                    outlines, axes, source=source, taken=book.object_ids, said=book
                )
            )

    def _on_labels_requested(self) -> None:
        parts, sources = self._parts, self._parts.prompt_sources
        labels = sources.labels

        def take(intake: Intake) -> None:
            self._take(intake)
            labels.visible = False  # what lies over the result says nothing new
            parts.conductor.track(parts.order(parts.track_panel.direction))

        with parts.status.complaining():
            image, axes = self._movie()
            picture = picture_labels(labels, image, axes, parts.viewer.dims.point)
            first, count = parts.frame_cursor.frame_index, axes.frame_count
            frames = anchor_frames(first, count, sources.every_nth)
            taken = parts.conductor.book.object_ids
            parts.ask(once(labels_to_prompts, picture, frames, taken), take)

    def _on_file_requested(self, path: str) -> None:
        parts = self._parts
        with parts.status.complaining():
            _, axes = self._movie()
            frame, taken = (
                parts.frame_cursor.frame_index,
                parts.conductor.book.object_ids,
            )
            read = once(file_to_prompts, path, axes, frame_index=frame, taken=taken)
            parts.ask(read, self._take)

    def _take(self, intake: Intake) -> None:
        self._parts.conductor.take_in(intake)
        self._parts.status.say(intake.sentence)

    def _movie(self) -> tuple[Image, LayerAxes]:
        image = self._parts.input_panel.layer
        if image is None:
            raise InputError(NO_MOVIE)
        return image, self._parts.input_panel.axes()

    # --- Out

    def _on_save_requested(self) -> None:
        parts = self._parts
        with parts.status.complaining():
            objects = prompts_of(parts.conductor.book)
            # Replacing a file is asked about by the dialog.
            answer, _ = QFileDialog.getSaveFileName(
                self._dock, "Save prompts", "", FILTER
            )
            if not answer:
                return
            saved = SavedPrompts(objects, json_path(answer))

            def on_written(_: None) -> None:
                parts.status.say(saved.sentence)
                show_info(saved.sentence)

            parts.ask(once(saved.write), on_written, Priority.EDIT)

    def _on_plan_requested(self) -> None:
        parts = self._parts
        with parts.status.complaining():
            movie, _ = self._movie()
            if movie.source.path is None:
                raise InputError(NO_FILE.format(movie.name))
            answer, _ = QFileDialog.getSaveFileName(
                self._dock, "Save plan", "plan.json", PLANS
            )
            if not answer:
                return
            path = json_path(answer)
            parts.conductor.save()  # the worker does this first
            folder = parts.output_panel.folder
            write = once(_write_plan, folder, str(movie.source.path), path)
            said = f"The plan is saved to {short_path(path)}."
            parts.ask(write, lambda _: parts.status.say(said), Priority.EDIT)

    def _on_export_requested(self, table: CurveTable, path: Path) -> None:
        status, said = self._parts.status, f"Saved to {short_path(path)}."
        self._parts.ask(once(table.write, path), lambda _: status.say(said))

    def _export_order(
        self, format_name: str, path: Path, measures: bool
    ) -> ExportOrder:
        conductor, request = self._parts.conductor, self._parts.request()
        store = conductor.engine.store_of(request)
        if store is None:
            raise InputError("There are no masks to export: click on a cell")
        image = request.image if measures else None
        book = conductor.book
        return ExportOrder(store.path, store.name, book, format_name, path, image)

    def _on_tracks_requested(self) -> None:
        parts, conductor = self._parts, self._parts.conductor
        with parts.status.complaining():
            steps = partial(conductor.engine.tracks, parts.request(), conductor.book)
            parts.ask(steps, self._on_tracks_event, Priority.EDIT)

    def _on_tracks_event(self, event: object) -> None:
        parts = self._parts
        if not isinstance(event, TracksMade):
            parts.conductor.happened.emit(event)
            return
        masklets = parts.masklets.layer
        with parts.status.complaining():
            if masklets is None:
                raise InputError("The layer of the masklets is gone")
            show_tracks(parts.viewer, masklets, event.table, parts.input_panel.axes())
            parts.status.say("The tracks are shown.")


def _write_plan(session: Path, movie: str, path: Path) -> None:
    """Write a plan that does to a movie what a session did."""
    from napari_sam2.batch.plan.making import plan_like

    made = plan_like(session.absolute(), (movie,))
    with storage_errors(path, "write the plan"):
        path.write_text(made.to_json(), encoding="utf-8")
