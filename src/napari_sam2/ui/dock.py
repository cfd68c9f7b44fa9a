"""The dock *SAM 2 Tracker*: composes panels, layers, the worker and the engine.

The panels ask (`*_requested`, `*_changed`) and show; the engine does, in the worker;
here the one is connected to the other.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from napari_sam2.errors import InputError, NapariSam2Error
from napari_sam2.session.plan import Direction
from napari_sam2.session.session import FrameDone
from napari_sam2.ui.click_watch import ClickWatch, OwedMasks, Ticket
from napari_sam2.ui.connections import Connections
from napari_sam2.ui.engine import (
    Event,
    FrameChanged,
    ModelReady,
    Request,
    Said,
    StoreReady,
    TrackingEngine,
)
from napari_sam2.ui.input_panel import InputPanel
from napari_sam2.ui.jobs import Job
from napari_sam2.ui.masklet_layer import MaskletLayer
from napari_sam2.ui.model_panel import ModelPanel
from napari_sam2.ui.output_panel import OutputPanel, free_folder, short_path
from napari_sam2.ui.point_prompts import NO_CLICKS, Clicks, compare_clicks
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
from napari_sam2.ui.worker import Worker

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

    _told = Signal(str)

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._connections = Connections()
        self._create()
        self._lay_out()
        self._connect()
        self._clicks = NO_CLICKS
        self._answered: dict[Hashable, Clicks] = {}
        self._owed = OwedMasks()
        self._used: set[int] = set()
        self._tracking: Job | None = None
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
        self.worker = Worker(self)
        self._engine = TrackingEngine(self._told.emit)

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
        self._told.connect(self.status.say)
        # When the dock goes, Qt deletes the widgets; the rest is let go of here. The
        # callback must not hold the dock itself.
        closing = (self._connections, self.watch, self.masklets, self.worker)
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
        self._clicks = NO_CLICKS
        self._answered.clear()
        if points is not None:
            adopt_points_layer(points)
        self.watch.watch(points)
        self._show_object()
        if points is not None:
            self._warm_up()
            self._on_clicks_changed()

    def _on_clicks_changed(self) -> None:
        """Ask for the masks of all that was clicked since the last time."""
        try:
            clicks, request = self._read_clicks(), self._request()
        except NapariSam2Error as error:
            self.status.complain(error)
            return
        changes = compare_clicks(self._clicks, clicks)
        self._clicks = self._answered[request.masklets_key] = clicks
        self._used.update(object_id for object_id, _ in clicks.prompts)
        if clicks.complaint():
            self.status.say(clicks.complaint())
        for ticket in self._owed.note(changes, clicks):
            self._submit_ticket(request, ticket)
        if changes.removed:
            remove = partial(
                self._engine.remove_objects, request, changes.removed, self._is_gone
            )
            self._submit(remove, gives_way=True)

    def _on_new_object_requested(self) -> None:
        self.prompt_panel.set_polarity(True)
        self.prompt_panel.object_spin.setValue(max(self._used, default=0) + 1)

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
        track = partial(self._engine.track, request, objects, Direction(direction))
        self._set_tracking(True)
        self._tracking = self._submit(track, finish=self._on_tracked, gives_way=True)

    def _on_cancel_requested(self) -> None:
        if self._tracking is not None:
            self._tracking.cancel()
            self.status.say("Stopping after this frame …")

    def _on_input_changed(self) -> None:
        """Go to the masklets of another movie or model, or to a new folder for them."""
        self._request_key = self._choices()
        layer = self.input_panel.layer
        if layer is not None:
            if self._request_key not in self._folders:
                self._folders[self._request_key] = free_folder(str(layer.name))
            self.output_panel.show_folder(self._folders[self._request_key])
        self._answer_anew()

    def _on_folder_changed(self) -> None:
        self._folders[self._request_key] = self.output_panel.folder
        self._answer_anew()

    def _on_painted(self) -> None:
        try:
            request = self._request()
        except NapariSam2Error as error:
            self.status.complain(error)
        else:
            self._submit(partial(self._engine.reopen_masklets, request), key="painted")

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
            case StoreReady() if self.input_panel.layer is not None:
                self.masklets.show(event, self.input_panel.layer)
                self.masklets.set_tracking(self._tracking is not None)
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

    def _on_answered(self, ticket: Ticket, is_done: bool) -> None:
        if self._owed.is_current(ticket) and is_done and self._tracking is None:
            ids = ", ".join(str(prompt.object_id) for prompt in ticket.prompts)
            self.status.say(
                f"Frame {ticket.frame_index}: object {ids} is there. "
                "Click again to correct it, N for the next one, or Track."
                if ids
                else f"Frame {ticket.frame_index}: taken out."
            )
        self._owed.settle(ticket)

    def _on_tracked(self, is_done: bool) -> None:
        cancelled = self._tracking is not None and self._tracking.is_cancelled
        self._tracking = None
        self._set_tracking(False)
        if is_done:
            where = short_path(self.output_panel.folder)
            self.status.say(f"Done. The masklets are in {where}")
        elif cancelled:
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

    def _is_gone(self, object_id: int) -> bool:
        """Whether an object has no clicks; asked from the worker too."""
        return all(one != object_id for one, _ in self._clicks.prompts)

    def _answer_anew(self) -> None:
        """Show the same clicks in other masklets, as far as these lack them."""
        self._owed.clear()
        if self.prompt_panel.points is None or self._request_key is None:
            return
        key = self._request().masklets_key
        self._clicks = self._answered.get(key, NO_CLICKS)
        self._on_clicks_changed()
        self._submit(partial(self._engine.show, self._request()), key="show")

    def _warm_up(self) -> None:
        """Load the model before the first click asks for it."""
        try:
            request = self._request()
        except NapariSam2Error as error:
            self.status.complain(error)
        else:
            self._submit(partial(self._engine.prepare, request), key="prepare")

    def _submit_ticket(self, request: Request, ticket: Ticket) -> None:
        steps = partial(
            self._engine.show_clicks,
            request,
            ticket.frame_index,
            ticket.prompts,
            ticket.cleared,
            partial(self._owed.is_current, ticket),
        )
        self._submit(
            steps,
            finish=partial(self._on_answered, ticket),
            key=("clicks", ticket.frame_index),
        )

    def _submit(
        self,
        steps: partial[Iterator[Event]],
        *,
        finish: object = None,
        key: Hashable = None,
        gives_way: bool = False,
    ) -> Job:
        job = Job(steps, self._on_event, self.status.complain, key=key)
        job.gives_way = gives_way
        if callable(finish):
            job.finish = finish
        self.worker.submit(job)
        return job

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
    things: tuple[Connections, ClickWatch, MaskletLayer, Worker],
    _destroyed: object = None,
) -> None:
    for thing in things:
        thing.close()
