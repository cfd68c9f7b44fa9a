"""The dock *SAM 2 Tracker*: composes panels, layers, the tool and the conductor.

The panels ask (`*_requested`, `*_changed`) and show; the conductor edits the book and
lets the engine do the rest in the worker; here the one is connected to the other.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QWidget

from napari_sam2.engine import (
    FrameChanged,
    FramesChanged,
    ModelReady,
    Order,
    Pictured,
    Request,
    Said,
    SessionRead,
    StoreReady,
)
from napari_sam2.errors import InputError, NapariSam2Error
from napari_sam2.session.book.changes import changes
from napari_sam2.session.book.prompt_book import Edit
from napari_sam2.session.book.state import BookState
from napari_sam2.session.planning.plan import Direction
from napari_sam2.session.session import FrameDone
from napari_sam2.ui.controller.conductor import Conductor
from napari_sam2.ui.controller.cursor import Cursor
from napari_sam2.ui.controller.key_verbs import KeyVerbs
from napari_sam2.ui.controller.selection import Selection
from napari_sam2.ui.dock.comparing import DirectionComparing
from napari_sam2.ui.dock.prompt_taking import PromptTaking
from napari_sam2.ui.dock.sections import DockSections
from napari_sam2.ui.dock.session_finding import SessionFinding
from napari_sam2.ui.dock.session_opening import document_of, open_session
from napari_sam2.ui.dock.wiring import connect_parts
from napari_sam2.ui.keys.bindings import ToolKeys
from napari_sam2.ui.masklets.layer import MaskletLayer
from napari_sam2.ui.masklets.output_panel import OutputPanel, free_folder
from napari_sam2.ui.model.files import ModelFiles
from napari_sam2.ui.model.panel import ModelPanel
from napari_sam2.ui.model.view import problem_of
from napari_sam2.ui.movie.panel import InputPanel
from napari_sam2.ui.objects.panel import ObjectPanel
from napari_sam2.ui.plots.panel import PlotsPanel
from napari_sam2.ui.prompts.marks import PromptMarks
from napari_sam2.ui.prompts.panel import PromptPanel
from napari_sam2.ui.prompts.points_layer import NEGATIVE_COLOR, POSITIVE_COLOR
from napari_sam2.ui.prompts.sources_panel import PromptSources
from napari_sam2.ui.timeline.panel import TimelinePanel
from napari_sam2.ui.tool.labels_tool import LabelsTool
from napari_sam2.ui.track.panel import TrackPanel
from napari_sam2.ui.widgets.connections import Connections, close_all
from napari_sam2.ui.widgets.folders import short_path
from napari_sam2.ui.widgets.layout import TimeStrip
from napari_sam2.ui.widgets.preferences import read_preferences
from napari_sam2.ui.widgets.status_line import StatusLine, answer_text

if TYPE_CHECKING:
    import napari.viewer
    from napari.layers import Image, Labels

FIRST_STEPS = "Choose the movie, switch on the SAM 2 tool (W), and click on a cell."
STRIP_NAME = "SAM 2 timeline"


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
        self._folders: dict[Hashable, Path] = {}
        self._request_key: Hashable = None
        self._create()
        self._lay_out()
        connect_parts(self)
        self._connect()
        things = (
            self.comparing,
            self.marks,
            self.tool,
            self.keys,
            self._connections,
            self.masklets,
            self.conductor,
            self.files,
        )
        self.destroyed.connect(lambda _gone=None: close_all(things))
        self._on_input_changed()
        self.finding.look_around()
        self._on_current(self.selection.current)
        self.model_panel.ask_for_state()
        self.status.say(FIRST_STEPS)

    @property
    def viewer(self) -> napari.viewer.Viewer:
        """The viewer that the dock belongs to."""
        return self._viewer

    def _create(self) -> None:
        viewer, connections = self._viewer, self._connections
        self.preferences = read_preferences()
        self.input_panel = InputPanel(viewer, connections, self.preferences)
        self.model_panel = ModelPanel(self.preferences)
        self.prompt_panel = PromptPanel(viewer, connections)
        self.prompt_panel.show_polarity_colors(POSITIVE_COLOR, NEGATIVE_COLOR)
        self.prompt_sources = PromptSources(viewer, connections)
        self.object_panel = ObjectPanel()
        self.track_panel = TrackPanel(self.preferences)
        self.output_panel = OutputPanel()
        self.timeline_panel = TimelinePanel()
        self.plots_panel = PlotsPanel()
        self.status = StatusLine(viewer)
        self.masklets = MaskletLayer(viewer, self)
        self.conductor = Conductor(self.request, self)
        self.conductor.document_of = partial(document_of, self)
        self.selection = Selection(self)
        self.frame_cursor = Cursor(viewer, self._movie, connections, self)
        self.keys = ToolKeys(self)
        self.tool = LabelsTool(viewer, self.keys, self)
        self.marks = PromptMarks(viewer, self.keys, self)
        self.verbs = KeyVerbs(
            self.keys, self.conductor, self.selection, self.frame_cursor
        )
        self.taking = PromptTaking(self)
        self.comparing = DirectionComparing(self)
        self.finding = SessionFinding(self, connections)
        self.files = ModelFiles(self.model_panel, self.status.complain, self)

    def _lay_out(self) -> None:
        self.prompt_panel.set_tool(self.tool.action)
        self.sections = DockSections(self)
        self.strip = TimeStrip(self.timeline_panel, self.plots_panel)
        self._viewer.window.add_dock_widget(
            self.strip, name=STRIP_NAME, area="bottom", tabify=False
        )

    def _connect(self) -> None:
        """Connect what has slots of the dock itself."""
        self.input_panel.input_changed.connect(self._on_input_changed)
        self.model_panel.model_changed.connect(self._on_input_changed)
        self.output_panel.folder_changed.connect(self._on_folder_changed)
        self.frame_cursor.moved.connect(self._on_moved)
        self.prompt_panel.new_points_requested.connect(self._on_new_points_requested)
        self.prompt_panel.points_changed.connect(self._on_points_changed)
        self.prompt_panel.polarity_changed.connect(self._show_next_click)
        self.selection.current_changed.connect(self._on_current)
        self.track_panel.track_requested.connect(self._on_track_requested)
        self.track_panel.cancel_requested.connect(self._on_cancel_requested)
        conductor = self.conductor
        conductor.book_changed.connect(self._on_book_changed)
        conductor.happened.connect(self._on_event)
        conductor.failed.connect(self._on_failed)
        conductor.answered.connect(self._on_answered)
        conductor.tracked.connect(self._on_tracked)
        conductor.returned.connect(self._on_returned)
        conductor.runs.started.connect(partial(self._set_tracking, True))
        self.masklets.layer_added.connect(self._on_layer_added)

    # --- What the panels ask

    def _on_new_points_requested(self) -> None:
        try:
            points = self.marks.add_points()
        except NapariSam2Error as error:
            self.status.complain(error)
            return
        self.prompt_panel.points_combo.choose(points)
        self.status.say("Click on a cell. N begins the next object.")

    def _on_points_changed(self) -> None:
        try:
            if self.prompt_panel.points is not None:
                self.marks.use_points(self.prompt_panel.points)
        except NapariSam2Error as error:
            self.status.complain(error)
        else:
            self._show_next_click()

    def _on_track_requested(self, direction: str) -> None:
        order = self._order(Direction(direction))
        if not any(thing.prompts for thing in self.conductor.book.objects):
            self.status.complain(
                InputError("There is nothing to track: click on a cell first")
            )
            return
        self.conductor.track(order)

    def _on_cancel_requested(self) -> None:
        self.conductor.stop()
        self.status.say("Stopping after this frame …")

    def _on_input_changed(self) -> None:
        """Go to the masklets of another movie or model."""
        self._request_key = self._choices()
        layer = self.input_panel.layer
        if layer is None or self._request_key is None:
            return
        if self._request_key not in self._folders:
            below = self.preferences.session_folder
            self._folders[self._request_key] = free_folder(str(layer.name), below)
        self.output_panel.show_folder(self._folders[self._request_key])
        self._turn_to_masklets()

    def _on_folder_changed(self) -> None:
        self._folders[self._request_key] = self.output_panel.folder
        self._turn_to_masklets()

    def _on_moved(self, frame_index: int) -> None:
        self.conductor.warm(frame_index)
        self.track_panel.show_frame(frame_index)
        self.timeline_panel.show_frame(frame_index)
        self.plots_panel.show_frame(frame_index)

    # --- What the conductor says

    def _on_book_changed(self, book: BookState) -> None:
        self.selection.keep_within(book)
        for view in (self.object_panel, self.timeline_panel, self.plots_panel):
            view.show_state(book)
        self.model_panel.show_objects(len(book.objects))
        self.masklets.show_book(book)
        self.tool.show_book(book)
        self.marks.show_book(book)

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
                self._on_store_ready(event)
            case FrameChanged() | FramesChanged():
                self._on_labels(event)
            case FrameDone():
                self._on_frame_done(event)
            case Pictured(_, picture):
                self.input_panel.show_picture(picture)
            case SessionRead():
                open_session(self, event)

    def _on_labels(self, event: FrameChanged | FramesChanged) -> None:
        if isinstance(event, FrameChanged):
            self.masklets.show_frame(event.frame_index, event.labels)
        else:
            self.masklets.forget_frames(event.frames)

    def _on_store_ready(self, event: StoreReady) -> None:
        self.masklets.show(event)
        self.masklets.set_tracking(self.conductor.is_tracking)
        if self.masklets.layer is not None:
            self._on_layer_added(self.masklets.layer)

    def _on_layer_added(self, layer: Labels) -> None:
        self.tool.attach(layer, self.input_panel.axes())
        self.marks.bring_to_front()

    def _on_frame_done(self, done: FrameDone) -> None:
        self.track_panel.show_progress(done.position, done.total)
        if not done.written:
            return
        if self.track_panel.follows:
            self.masklets.go_to(done.frame_index)
        self.status.say(f"Tracking: frame {done.frame_index} is written.")

    def _on_answered(self, edit: Edit) -> None:
        changed = changes(edit.before, edit.after)
        if self.conductor.is_tracking or not (changed.prompted or changed.cleared):
            return
        self.status.say(answer_text(sorted(changed.prompted)))

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

    def _on_returned(self, text: str, is_redo: bool) -> None:
        self.status.say(f"{'Redone' if is_redo else 'Undone'}: {text}.")

    def _on_failed(self, error: Exception) -> None:
        self.status.complain(error)
        self.model_panel.show_problem(problem_of(error, self.model_panel.model))

    # --- Steps

    def _movie(self) -> tuple[Image | None, int | None]:
        return self.input_panel.layer, self.input_panel.frame_axis

    def request(self) -> Request:
        """Return what the panels say now.

        Raises
        ------
        InputError
            If there is no movie.
        """
        choice = self.model_panel.choice
        return Request(
            self.input_panel.image_input(),
            choice.model,
            self.output_panel.folder,
            choice.device,
            choice.precision,
            choice.object_batch(max(1, len(self.conductor.book.objects))),
        )

    def _order(self, direction: Direction) -> Order:
        frames = self.track_panel.frames
        return Order(
            direction,
            (frames.first, frames.stop - 1),
            self.track_panel.merge,
            self.frame_cursor.frame_index,
        )

    def _choices(self) -> Hashable:
        """Return what decides which masklets are shown, besides their folder."""
        try:
            return self.input_panel.image_input().movie_key, self.model_panel.model
        except NapariSam2Error:
            return None

    def use_folder(self, folder: Path) -> None:
        """Let the masklets of what is chosen now lie in a folder; tell nobody."""
        self._request_key = self._choices()
        self._folders[self._request_key] = folder
        self.output_panel.show_folder(folder)

    def _turn_to_masklets(self) -> None:
        """Go on with the session of what is chosen now."""
        try:
            request = self.request()
        except NapariSam2Error as error:
            self.status.complain(error)
            return
        self.show_movie(request)
        self.conductor.turn_to(request)
        self.conductor.warm(self.frame_cursor.frame_index)

    def show_movie(self, request: Request) -> None:
        """Let all views be about a movie."""
        layer, axes = self.input_panel.layer, request.image.axes
        if layer is None:
            return
        self.object_panel.show_movie(axes.frame_count)
        self.timeline_panel.show_movie(axes.frame_count)
        self.track_panel.show_frame_count(axes.frame_count)
        self.plots_panel.show_movie(axes.frame_count, request.image.calibration)
        self.tool.attach(layer, axes)
        self.marks.show_on(layer, axes)

    def _on_current(self, object_id: int) -> None:
        self.prompt_panel.show_object(object_id)
        self.tool.show_selected(object_id)
        self._show_next_click()

    def _show_next_click(self, _changed: object = None) -> None:
        self.marks.show_selected(
            self.selection.current, is_positive=self.prompt_panel.is_positive
        )

    def _set_tracking(self, tracking: bool) -> None:
        for panel in (self.input_panel, self.model_panel, self.output_panel):
            panel.set_frozen(tracking)
        self.track_panel.set_tracking(tracking)
        self.masklets.set_tracking(tracking)
