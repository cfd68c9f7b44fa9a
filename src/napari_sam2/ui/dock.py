"""The dock *SAM 2 Tracker*: composes panels, layers and the conductor.

The panels ask (`*_requested`, `*_changed`) and show; the conductor lets the engine do
it in the worker; here the one is connected to the other.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from napari_sam2.errors import InputError, NapariSam2Error
from napari_sam2.session.plan import Direction
from napari_sam2.session.session import FrameDone
from napari_sam2.ui.click_watch import ClickWatch
from napari_sam2.ui.conductor import Conductor
from napari_sam2.ui.connections import Connections
from napari_sam2.ui.engine import (
    FrameChanged,
    ModelReady,
    Request,
    Said,
    StoreReady,
)
from napari_sam2.ui.input_panel import InputPanel
from napari_sam2.ui.masklet_layer import MaskletLayer
from napari_sam2.ui.model_panel import ModelPanel
from napari_sam2.ui.output_panel import OutputPanel, free_folder, short_path
from napari_sam2.ui.owed_masks import Ticket
from napari_sam2.ui.point_prompts import NO_CLICKS, Clicks
from napari_sam2.ui.points_layer import (
    NEGATIVE_COLOR,
    POSITIVE_COLOR,
    add_points_layer,
    adopt_points_layer,
    flip_last_click,
    object_color,
    read_points_layer,
    set_next_click,
)
from napari_sam2.ui.prompt_panel import PromptPanel
from napari_sam2.ui.status_line import StatusLine
from napari_sam2.ui.track_panel import TrackPanel

if TYPE_CHECKING:
    import napari.viewer

SCROLL_BAR_WIDTH = 16

FIRST_STEPS = "Choose the movie, make a points layer, and click on a cell."


class TrackerDock(QWidget):
    """Click on cells in a movie; masks appear at once, *Track* makes masklets of them.

    Parameters
    ----------
    viewer
        The viewer that the dock belongs to.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._connections = Connections()
        self._create()
        self._lay_out()
        self._connect()
        self._folders: dict[Hashable, Path] = {}
        self._request_key: Hashable = None
        self._on_input_changed()
        self._show_object()
        self.status.say(FIRST_STEPS)

    def _create(self) -> None:
        viewer, connections = self._viewer, self._connections
        self.input_panel = InputPanel(viewer, connections)
        self.model_panel = ModelPanel()
        self.prompt_panel = PromptPanel(viewer, connections)
        self.prompt_panel.show_polarity_colors(POSITIVE_COLOR, NEGATIVE_COLOR)
        self.output_panel = OutputPanel()
        self.track_panel = TrackPanel()
        self.status = StatusLine(viewer)
        self.watch = ClickWatch(self)
        self.masklets = MaskletLayer(viewer, self)
        self.conductor = Conductor(self)

    def _lay_out(self) -> None:
        content = QWidget()
        column = QVBoxLayout(content)
        for panel in (
            self.input_panel,
            self.model_panel,
            self.prompt_panel,
            self.track_panel,
            self.output_panel,
        ):
            column.addWidget(panel)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(content)
        area.setMinimumWidth(content.minimumSizeHint().width() + SCROLL_BAR_WIDTH)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.status)
        outer.addWidget(area)
        self.status.setContentsMargins(12, 6, 8, 0)

    def _connect(self) -> None:
        self.input_panel.input_changed.connect(self._on_input_changed)
        self.model_panel.model_changed.connect(self._on_input_changed)
        self.output_panel.folder_changed.connect(self._on_folder_changed)
        prompts = self.prompt_panel
        prompts.new_points_requested.connect(self._on_new_points_requested)
        prompts.points_changed.connect(self._on_points_changed)
        prompts.object_changed.connect(self._show_object)
        prompts.polarity_changed.connect(self._show_object)
        prompts.new_object_requested.connect(self._on_new_object_requested)
        self.watch.clicks_changed.connect(self._on_clicks_changed)
        self.watch.new_object_requested.connect(self._on_new_object_requested)
        self.watch.flip_requested.connect(self._on_flip_requested)
        self.track_panel.track_requested.connect(self._on_track_requested)
        self.track_panel.cancel_requested.connect(self._on_cancel_requested)
        self.masklets.painted.connect(self._on_painted)
        conductor = self.conductor
        conductor.happened.connect(self._on_event)
        conductor.failed.connect(self.status.complain)
        conductor.answered.connect(self._on_answered)
        conductor.tracked.connect(self._on_tracked)
        conductor.told.connect(self.status.say)
        # When the dock goes, Qt deletes the widgets; the rest is let go of here. The
        # callback must not hold the dock itself.
        closing = (self._connections, self.watch, self.masklets, self.conductor)
        self.destroyed.connect(partial(_close_all, closing))

    # --- What the person asks for

    def _on_new_points_requested(self) -> None:
        try:
            axes = self.input_panel.axes()
            points = add_points_layer(self._viewer, self.input_panel.layer, axes)
        except NapariSam2Error as error:
            self.status.complain(error)
            return
        self.prompt_panel.points_combo.choose(points)
        # Objects of another points layer keep their masklets.
        self._on_new_object_requested()
        self.status.say("Click on a cell. N begins the next object.")

    def _on_points_changed(self) -> None:
        points = self.prompt_panel.points
        self.conductor.forget_clicks()
        self.watch.watch(points)
        if points is None:
            return
        adopt_points_layer(points)
        self._show_object()
        try:
            self.conductor.prepare(self._request())
        except NapariSam2Error as error:
            self.status.complain(error)
        else:
            self._on_clicks_changed()

    def _on_clicks_changed(self) -> None:
        try:
            clicks, request = self._read_clicks(), self._request()
        except NapariSam2Error as error:
            self.status.complain(error)
            return
        if clicks.complaint():
            self.status.say(clicks.complaint())
        self.conductor.update_clicks(request, clicks)

    def _on_new_object_requested(self) -> None:
        self.prompt_panel.set_polarity(True)
        self.prompt_panel.object_spin.setValue(self.conductor.next_object)

    def _on_flip_requested(self) -> None:
        positive = flip_last_click(self.prompt_panel.points)
        if positive is not None:
            self.prompt_panel.set_polarity(positive)

    def _on_track_requested(self, direction: str) -> None:
        try:
            clicks, request = self._read_clicks(), self._request()
            objects = clicks.objects()
            if not objects:
                raise InputError("There is nothing to track: click on a cell first")
        except NapariSam2Error as error:
            self.status.complain(error)
            return
        self._set_tracking(True)
        self.conductor.track(request, objects, Direction(direction))

    def _on_cancel_requested(self) -> None:
        self.conductor.cancel()
        self.status.say("Stopping after this frame …")

    def _on_input_changed(self) -> None:
        """Go to the masklets of another movie or model, or to a new folder for them."""
        self._request_key = self._choices()
        layer = self.input_panel.layer
        if layer is not None:
            if self._request_key not in self._folders:
                self._folders[self._request_key] = free_folder(str(layer.name))
            self.output_panel.show_folder(self._folders[self._request_key])
        self._turn_to_masklets()

    def _on_folder_changed(self) -> None:
        self._folders[self._request_key] = self.output_panel.folder
        self._turn_to_masklets()

    def _on_painted(self) -> None:
        try:
            request = self._request()
        except NapariSam2Error as error:
            self.status.complain(error)
        else:
            self.conductor.reopen_masklets(request)

    # --- What the worker says

    def _on_event(self, event: object) -> None:
        match event:
            case Said(text):
                self.status.say(text)
            case ModelReady(name, device, precision):
                where = device.upper().replace("CPU", "processor")
                self.model_panel.show_state(
                    f"{Path(name).name} is ready on the {where} ({precision})"
                )
            case StoreReady():
                self.masklets.show(event)
                self.masklets.set_tracking(self.conductor.is_tracking)
            case FrameChanged(frame_index):
                self.masklets.show_change(frame_index)
            case FrameDone():
                self._on_frame_done(event)

    def _on_frame_done(self, done: FrameDone) -> None:
        self.track_panel.show_progress(done.position, done.total)
        if not done.written:
            return
        if self.track_panel.follows:
            self.masklets.go_to(done.frame_index)
        self.masklets.show_change(done.frame_index)
        self.status.say(f"Tracking: frame {done.frame_index} is written.")

    def _on_answered(self, ticket: Ticket) -> None:
        if self.conductor.is_tracking:
            return
        ids = ", ".join(str(prompt.object_id) for prompt in ticket.prompts)
        text = (
            f"Frame {ticket.frame_index}: object {ids} is there. "
            "Click again to correct it, N for the next one, or Track."
            if ids
            else f"Frame {ticket.frame_index}: taken out."
        )
        self.status.say(f"{text} {self.conductor.clicks.complaint()}")

    def _on_tracked(self, is_done: bool, was_cancelled: bool) -> None:
        self._set_tracking(False)
        if is_done:
            where = short_path(self.output_panel.folder)
            self.status.say(f"Done. The masklets are in {where}")
        elif was_cancelled:
            self.status.say(
                "Stopped. What was written stays; Track goes on from there if no "
                "click has changed."
            )

    # --- Steps

    def _request(self) -> Request:
        return Request(
            self.input_panel.image_input(),
            self.model_panel.model,
            self.output_panel.folder,
        )

    def _choices(self) -> Hashable:
        """Return what decides which masklets are shown, besides their folder."""
        try:
            return self.input_panel.image_input().movie_key, self.model_panel.model
        except NapariSam2Error:
            return None

    def _read_clicks(self) -> Clicks:
        points, layer = self.prompt_panel.points, self.input_panel.layer
        if points is None or layer is None:
            return NO_CLICKS
        return read_points_layer(points, layer, self.input_panel.axes())

    def _turn_to_masklets(self) -> None:
        """Show the clicks in the masklets of what is chosen now."""
        if self.prompt_panel.points is None or self._request_key is None:
            return
        try:
            clicks = self._read_clicks()
        except NapariSam2Error as error:
            self.status.complain(error)
        else:
            self.conductor.turn_to(self._request(), clicks)

    def _show_object(self, _changed: object = None) -> None:
        """Prepare the points layer for the next click; show the object's colour."""
        prompts = self.prompt_panel
        prompts.show_object_color(object_color(prompts.object_id).tolist())
        if prompts.points is not None:
            set_next_click(
                prompts.points, prompts.object_id, positive=prompts.is_positive
            )

    def _set_tracking(self, tracking: bool) -> None:
        for panel in (self.input_panel, self.model_panel, self.output_panel):
            panel.set_frozen(tracking)
        self.track_panel.set_tracking(tracking)
        self.masklets.set_tracking(tracking)


def _close_all(
    things: tuple[Connections, ClickWatch, MaskletLayer, Conductor],
    _destroyed: object = None,
) -> None:
    for thing in things:
        thing.close()
