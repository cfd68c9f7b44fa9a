"""The dock *SAM 2 Tracker*: the generator runs in the worker, the layer is renewed.

The panels ask (`*_requested`, `*_changed`) and show; the conductor edits the book and
lets the engine do the rest in the worker; here its events come to those who show them.
"""

from __future__ import annotations

from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtGui import QShowEvent

from napari_sam2.engine import (
    Busy,
    FramesChanged,
    ModelReady,
    Pictured,
    Remark,
    Said,
    SessionRead,
    StoreReady,
)
from napari_sam2.errors import InputError
from napari_sam2.session.book.prompt_book import Edit
from napari_sam2.session.planning.plan import Direction
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.session.session import FrameDone
from napari_sam2.ui.automatic.finder import Finder, Shown
from napari_sam2.ui.automatic.proposals import Proposals
from napari_sam2.ui.dock.clicks import ClickMode
from napari_sam2.ui.dock.comparison import ComparisonView
from napari_sam2.ui.dock.current_movie import CurrentMovie
from napari_sam2.ui.dock.exchange import Exchange
from napari_sam2.ui.dock.limits import ModelLimits
from napari_sam2.ui.dock.parts import TrackerParts
from napari_sam2.ui.dock.sections import DockSections
from napari_sam2.ui.dock.sessions import Sessions
from napari_sam2.ui.dock.volumes import VolumeTracking
from napari_sam2.ui.dock.wiring import connect_parts
from napari_sam2.ui.model.view import problem_of
from napari_sam2.ui.widgets.connections import close_all
from napari_sam2.ui.widgets.layout import TimeStrip
from napari_sam2.ui.widgets.panel import short_path
from napari_sam2.ui.widgets.placing import (
    DockedWidget,
    WayBack,
    keep_height,
    lies_left,
    narrow_dock,
    picture_share,
    placed,
    share_place,
)
from napari_sam2.ui.widgets.status_line import Change, Topic, answer_text, waiting_text
from napari_sam2.ui.widgets.timers import single_shot

if TYPE_CHECKING:
    import napari.viewer
    from napari.layers import Labels

NO_MOVIE = "There is no movie: open one first"
STRIP_NAME = "SAM 2 timeline"
HALF = 0.5
LAYER_CONTROLS = "layer controls"
"""A dock of napari, with which ours takes turns where the window is small."""


class TrackerDock(DockedWidget):
    """Click on cells in a movie; masks appear at once, *Track* makes masklets."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer.window)
        self.parts = parts = TrackerParts(viewer, self)
        self._viewer = viewer
        self._is_placed = False
        self.placing = single_shot(self, self._find_place)
        height = viewer.window.geometry()[3]
        self._remark = ""
        self._followed = -1
        self.strip = TimeStrip(
            parts.timeline_panel, parts.plots_panel, parts.lineage_panel
        )
        self.way_back = WayBack(viewer.window, self.strip, STRIP_NAME, "Timeline")
        # A window that is not open yet gets its height later.
        found = placed(self.strip)
        is_open = found is not None and found[0].isVisible()
        self._height_before = height if is_open else inf
        self.sections = DockSections(parts, self.way_back, self)
        self.companions = (self.strip,)
        connect_parts(parts, self)
        self._connect()
        self.movie = CurrentMovie(parts, self)
        self.comparison = comparison = ComparisonView(parts, self)
        self.sessions = Sessions(parts, self.movie, self)
        self.exchange = exchange = Exchange(parts, self)
        self.finder = finder = self._make_finder()
        section = self.sections.sections["volume"]
        self.volumes = volumes = VolumeTracking(parts, section, self)
        self.clicks = ClickMode(parts, self)
        self.limits = ModelLimits(parts, self.sections, self)

        def close(_gone: object = None) -> None:
            close_all((comparison, exchange, finder, volumes, parts))

        self.destroyed.connect(close)
        self.movie.follow()
        self.sessions.look_around()
        parts.model_panel.ask_for_state()

    def _connect(self) -> None:
        parts, conductor = self.parts, self.parts.conductor
        parts.run_bar.track_requested.connect(self._on_track_requested)
        parts.run_bar.cancel_requested.connect(self._on_cancel_requested)
        parts.frame_cursor.moved.connect(self._on_moved)
        parts.verbs.track_toggled.connect(self._on_track_toggled)
        parts.masklets.layer_added.connect(self._on_layer_added)
        conductor.happened.connect(self._on_event)
        conductor.failed.connect(self._on_failed)
        conductor.answered.connect(self._on_answered)
        conductor.runs.started.connect(partial(self._set_tracking, True))
        conductor.tracked.connect(self._on_tracked)
        conductor.returned.connect(self._on_returned)
        conductor.scores_changed.connect(self._on_scores)

    # --- Where it lies

    def showEvent(self, event: QShowEvent | None) -> None:
        """Find a place, once napari has put it somewhere."""
        super().showEvent(event)
        if not self._is_placed:
            self._is_placed = True
            self.placing.start(0)

    def _find_place(self) -> None:
        """Leave at least half of the window to the picture, and show all of it."""
        if picture_share(self) < HALF:
            narrow_dock(self)
        # napari remembers the side; in its own column it would leave no height.
        if lies_left(self) or picture_share(self) < HALF:
            share_place(self, LAYER_CONTROLS)
            narrow_dock(self)
        keep_height(self, self._height_before)
        if len(self._viewer.layers):
            self._viewer.reset_view()

    def _make_finder(self) -> Finder:
        """Return who looks for everything; divisions that it sees are proposed."""
        parts = self.parts
        finder = Finder(
            parts.viewer, parts.automatic_panel, parts.conductor, self._shown, self
        )
        self.proposals = proposals = Proposals(
            parts.conductor, parts.selection, parts.frame_cursor, parts.request, self
        )
        for teller in (finder, proposals):
            teller.told.connect(parts.status.say)
            teller.failed.connect(self._on_failed)
        finder.found.connect(self._on_found)
        finder.proposed.connect(proposals.show)
        proposals.changed.connect(parts.timeline_panel.show_divisions)
        parts.automatic_panel.divisions_requested.connect(proposals.look)
        parts.keys.accept_division_requested.connect(proposals.accept)
        parts.keys.reject_division_requested.connect(proposals.reject)
        return finder

    def _on_found(self) -> None:
        conductor = self.parts.conductor
        conductor.track(self.parts.order(Direction.BOTH))

    def find_everything(self) -> None:
        """Open the section *Everything*, and show the masks of this frame."""
        self.sections.sections["everything"].set_open(True)
        self.finder.look()

    def _shown(self) -> Shown:
        """Return what is looked at."""
        layer = self.parts.input_panel.layer
        if layer is None:
            raise InputError(NO_MOVIE)
        frame_index = self.parts.frame_cursor.frame_index
        current = self.parts.selection.current
        return Shown(layer, self.parts.request(), frame_index, current)

    # --- A run is asked for: the worker takes its steps

    def _on_track_requested(self) -> None:
        conductor = self.parts.conductor
        if conductor.book.has_prompts:
            conductor.track(self.parts.order(self.parts.track_panel.direction))
        elif self.parts.input_panel.layer is None:
            self.parts.status.complain(InputError(NO_MOVIE))
        else:
            self.parts.status.complain(
                InputError("There is nothing to track: click on a cell first")
            )

    def _on_track_toggled(self) -> None:
        if self.parts.conductor.is_repairing_by_itself:
            self._on_track_requested()
        else:
            self.parts.run_bar.toggle()

    def _on_cancel_requested(self) -> None:
        self.parts.conductor.stop()
        self.parts.status.say("Stopping after this frame …", Topic.RUN)

    # --- What the worker yields: the layer is renewed

    def _on_event(self, event: object) -> None:
        parts = self.parts
        match event:
            case FramesChanged(frames):
                parts.masklets.forget_frames(frames)
            case FrameDone():
                self._on_frame_done(event)
            case StoreReady():
                self._on_store_ready(event)
            case SessionRead():
                self.sessions.open(event)
            case _:
                self._show(event)

    def _show(self, event: object) -> None:
        """Show in the panels what is no label of a frame."""
        parts = self.parts
        match event:
            case Pictured(_, picture):
                parts.input_panel.picture.show_picture(picture)
            case ModelReady(name, device, precision):
                parts.status.note(Change.MODEL)
                where = device.upper().replace("CPU", "processor")
                parts.model_panel.show_state(
                    f"{Path(name).name} is ready on the {where} ({precision})"
                )
            case Said(text):
                parts.status.say(text)
            case Busy(text):
                parts.status.say(text, Topic.WORK)
            case Remark(text):
                self._remark = f" But {text}."

    def _on_store_ready(self, event: StoreReady) -> None:
        masklets = self.parts.masklets
        masklets.show(event)
        masklets.set_tracking(self.parts.conductor.is_tracking)
        if masklets.layer is not None:
            self._on_layer_added(masklets.layer)
        self.sessions.note(event.request.folder)

    def _on_layer_added(self, layer: Labels) -> None:
        self.parts.tool.attach(layer, self.parts.input_panel.axes())
        self.parts.marks.bring_to_front()

    def _on_frame_done(self, done: FrameDone) -> None:
        parts = self.parts
        parts.run_bar.show_progress(done.position, done.total)
        if done.written:
            # Moving through a volume draws it whole, and shows nothing else.
            if parts.run_bar.follows and not parts.frame_cursor.is_everywhere:
                self._followed = done.frame_index
                parts.frame_cursor.go_to(done.frame_index)
            text = f"Tracking: frame {done.frame_index} is written."
            parts.status.say(text, Topic.RUN)

    def _on_answered(self, edit: Edit) -> None:
        changed, tables = edit.changes, self.parts.conductor.tables
        if not (changed.prompted or changed.cleared):
            return
        missed = set() if tables is None else tables.unanswered(edit.after, changed)
        found = changed.prompted.keys() - missed
        is_next_new = self.parts.prompt_panel.is_each_new
        answer = answer_text(sorted(found), sorted(missed), is_next_new=is_next_new)
        runs = self.parts.conductor.runs
        if runs.is_running and not runs.is_about(found) and found:
            answer = waiting_text(sorted(found), runs.order)
        # What can be done about a remark is offered beside it, a line below.
        remark = "" if self.parts.offer.is_open else self._remark
        self.parts.status.say(f"{answer}{remark}")
        self._remark = ""

    def _on_tracked(self, is_done: bool, was_cancelled: bool) -> None:
        self._set_tracking(False)
        if is_done:
            where = short_path(self.parts.output_panel.folder)
            self.parts.status.say(f"Done. The masklets are in {where}")
        elif was_cancelled and self.parts.input_panel.layer is None:
            self.parts.status.say("Stopped: the movie is gone. What was written stays.")
        elif was_cancelled:
            self.parts.status.say(
                "Stopped. What was written stays; Track goes on from there if no "
                "click has changed."
            )

    def _on_scores(self, tables: ScoreTables) -> None:
        self.strip.offer_plots(bool(tables.computed().sum(axis=0).max(initial=0) > 1))

    def _on_returned(self, text: str, is_redo: bool) -> None:
        self.parts.status.say(f"{'Redone' if is_redo else 'Undone'}: {text}.")

    def _on_failed(self, error: Exception) -> None:
        way = self.movie.makes_way(error)
        if way is not None:
            self._remark = f" {way}" if way else self._remark
            return
        panel = self.parts.model_panel
        self.parts.status.complain(error)
        panel.problem.show_problem(problem_of(error, panel.model))

    def _on_moved(self, frame_index: int) -> None:
        """Let somebody who moves while something is tracked look where they want."""
        if self.parts.run_bar.follows and frame_index != self._followed:
            self.parts.run_bar.let_go()

    def _set_tracking(self, tracking: bool) -> None:
        parts = self.parts
        is_by_itself = tracking and parts.conductor.is_repairing_by_itself
        self._followed = parts.frame_cursor.frame_index
        panels = parts.input_panel, parts.model_panel, parts.output_panel
        for panel in (*panels, parts.track_panel):
            panel.set_frozen(tracking)
        parts.run_bar.set_tracking(tracking, is_by_itself=is_by_itself)
        parts.masklets.set_tracking(tracking)
