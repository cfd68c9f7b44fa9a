"""Comparing directions: from the button to masks that are chosen, or left."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import QObject

from napari_sam2.engine import (
    ONLY_BACKWARD,
    ONLY_FORWARD,
    Compared,
    DirectionsCompared,
    Request,
    holds,
)
from napari_sam2.engine.jobs import Job, Priority
from napari_sam2.errors import InputError, NapariSam2Error
from napari_sam2.session.planning.plan import Direction
from napari_sam2.ui.dock.parts import TrackerParts
from napari_sam2.ui.layers.labels_in_layer import LabelsInLayer
from napari_sam2.ui.layers.placement import placed_like
from napari_sam2.ui.masklets.live_labels import LiveLabels

if TYPE_CHECKING:
    from napari.layers import Labels

LAYER_NAME = "Directions compared (blue: forward only, orange: backward only)"
OPACITY = 0.8

COLORS = {
    None: (0.0, 0.0, 0.0, 0.0),
    0: (0.0, 0.0, 0.0, 0.0),
    ONLY_FORWARD: (0.34, 0.71, 0.91, 1.0),
    ONLY_BACKWARD: (0.90, 0.62, 0.0, 1.0),
}
"""Blue and orange, which everybody can tell apart."""

OUTDATED = "Prompts or locks have changed: what was compared does not hold any more."


class ComparisonView(QObject):
    """Lets somebody choose between the two ways through a gap."""

    def __init__(self, parts: TrackerParts, parent: QObject) -> None:
        super().__init__(parent)
        self._parts = parts
        self._row = row = parts.track_panel.comparison_row
        self._job: Job | None = None
        self._live: LiveLabels | None = None
        self._layer: Labels | None = None
        self._found: DirectionsCompared | None = None
        parts.track_panel.compare_requested.connect(self._on_compare_requested)
        row.frame_requested.connect(parts.frame_cursor.go_to)
        row.keep_requested.connect(self._on_keep_requested)
        row.dismissed.connect(self.end)
        parts.conductor.runs.started.connect(self.end)

    @property
    def layer(self) -> Labels | None:
        """The layer that shows where the ways disagree; None if there is none."""
        return self._layer

    def end(self) -> None:
        """Stop comparing, or leave the masks as they are."""
        if self._job is not None:
            self._job.cancel()
            self._parts.conductor.worker.wake()
            self._job = None
        if self._take_found() is not None:
            forget = self._parts.conductor.engine.forget_comparison
            self._parts.ask(forget, self._ignore)
        self._take_away()

    def close(self) -> None:
        """Take the layer away; the panels may be gone already."""
        layer, self._layer, self._live = self._layer, None, None
        layers = self._parts.viewer.layers
        if layer is not None and any(
            other.unique_id == layer.unique_id for other in layers
        ):
            layers.remove(layer.name)

    # --- What is asked

    def _on_compare_requested(self) -> None:
        parts, conductor = self._parts, self._parts.conductor
        self.end()
        try:
            request = parts.request()
            object_id = parts.selection.current
            if object_id not in conductor.book:
                raise InputError("Choose the object whose directions to compare")
        except NapariSam2Error as error:
            self._complain(error)
            return
        if conductor.is_tracking:
            return
        frame = parts.frame_cursor.frame_index
        steps = partial(
            conductor.engine.compare, request, conductor.book, object_id, frame
        )
        hear = conductor.editor.hearing()

        def on_event(event: object) -> None:
            if not isinstance(event, Compared | DirectionsCompared):
                hear(event)  # of masklets, whether or not somebody stopped it
            elif job is self._job and self._is_shown(request):
                self._on_event(event)

        self._job = job = Job(
            steps,
            on_event,
            self._complain,
            lambda is_done: self._on_finished(job, is_done),
            priority=Priority.TRACK,
        )
        self._row.show_progress(0, 1)
        conductor.worker.submit(job)

    def _on_keep_requested(self, way: Direction) -> None:
        if (found := self._take_found()) is not None:
            self._parts.conductor.keep_direction(found, way)
        self._take_away()

    # --- What the worker says

    def _on_event(self, event: Compared | DirectionsCompared) -> None:
        if isinstance(event, Compared):
            self._row.show_progress(event.position, event.total)
            if event.difference is not None:
                self._show(event.frame_index, event.difference)
        else:
            self._take_found()
            self._found = event
            self._parts.conductor.book_changed.connect(self._end_if_outdated)
            self._row.show_result(event.agreement)
            self._end_if_outdated()

    def _on_finished(self, job: Job, is_done: bool) -> None:
        if job is self._job:
            self._job = None
            if not is_done or self._found is None:
                self._take_away()  # it failed, or another movie is shown

    def _end_if_outdated(self, _book: object = None) -> None:
        """End a comparison that does not hold any more."""
        found, book = self._found, self._parts.conductor.book
        if found is None:
            return
        count = found.request.image.axes.frame_count
        if not (self._is_shown(found.request) and holds(found.book, book, count)):
            self.end()
            self._parts.status.say(OUTDATED)

    # --- Steps

    def _take_found(self) -> DirectionsCompared | None:
        """Return what was found; from now on nothing is, and the book is no matter."""
        found, self._found = self._found, None
        if found is not None:
            self._parts.conductor.book_changed.disconnect(self._end_if_outdated)
        return found

    def _is_shown(self, request: Request) -> bool:
        try:
            return self._parts.request().masklets_key == request.masklets_key
        except NapariSam2Error:
            return False

    def _show(self, frame_index: int, difference: np.ndarray) -> None:
        if self._live is None:
            self._add_layer()
        if self._live is not None:
            self._live.put(frame_index, difference)
        if self._layer is not None:
            self._layer.refresh(extent=False)

    def _add_layer(self) -> None:
        parts, image = self._parts, self._parts.input_panel.layer
        if image is None:
            return
        axes = parts.input_panel.axes()
        shape = (axes.frame_count, *axes.frame_shape)
        self._live = live = LiveLabels(shape, np.uint8, None)
        active = parts.viewer.layers.selection.active
        self._layer = parts.viewer.add_labels(
            LabelsInLayer(live, axes),
            name=LAYER_NAME,
            colormap=DirectLabelColormap(color_dict=COLORS),
            opacity=OPACITY,
            **placed_like(image),
        )
        self._layer.editable = False
        parts.viewer.layers.selection.active = active

    def _take_away(self) -> None:
        self._row.clear()
        self.close()

    def _complain(self, error: Exception) -> None:
        self._parts.status.complain(error)

    def _ignore(self, _event: object) -> None:
        """Nothing is said."""
