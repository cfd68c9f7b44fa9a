"""Every verb of the window: from what people do to edits of the book and to jobs.

Knows the book, the engine and the worker; no panels and no layers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_sam2.engine import (
    DirectionsCompared,
    Event,
    FrameChanged,
    FramesChanged,
    Hovered,
    ModelReady,
    Order,
    Request,
    Scored,
    ScoresRead,
    StoreReady,
    TrackingEngine,
    corrects,
)
from napari_sam2.engine.engine import WARM_REACH
from napari_sam2.engine.jobs import Priority
from napari_sam2.io.sessions.document import SessionDocument
from napari_sam2.prompts import FramePrompt, Place
from napari_sam2.session.book.drawn import drawn_prompts
from napari_sam2.session.book.intake import Intake
from napari_sam2.session.book.prompt_book import Edit
from napari_sam2.session.book.state import BookState, Color, FrameFlag
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.planning.plan import Direction
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.session.scores.trust_rule import TrustFunction, neighbour_trust
from napari_sam2.session.session import FrameDone
from napari_sam2.ui.controller.book_editor import BookEditor
from napari_sam2.ui.controller.run_control import RunControl
from napari_sam2.ui.controller.shown_masklets import ShownMasklets
from napari_sam2.ui.controller.worker import Worker
from napari_sam2.ui.widgets.timers import single_shot

SCORES_MS = 200
"""Five times a second the views hear of new scores."""

SAVE_MS = 300
"""A session is saved when nothing was edited for so many milliseconds."""

WARM_MS = 150
"""Somebody who stays on a frame for so long may click there."""

REPAIR_MS = 400
"""Live repair begins when nothing was corrected for so many milliseconds."""

SEEN = StoreReady, FrameChanged, FramesChanged, FrameDone, Hovered
"""Events that are about the masklets of one request, and shown."""


class Conductor(QObject):
    """What panels and tools may ask for, and all that they hear.

    All signals are emitted in the main thread.

    Parameters
    ----------
    request_of
        Returns what the panels say now; raises `InputError` if they cannot.
    """

    happened = Signal(object)
    """An `Event` of the engine that has no signal of its own."""
    failed = Signal(object)
    """The error that ended a job, or that an edit was refused with."""
    book_changed = Signal(object)
    """The `BookState` is another one, of the same or of other masklets."""
    book_settled = Signal(object)
    """The same, for tables and counts: of a click, when its mask has been shown."""
    frame_changed = Signal(int, object)
    """The ``(Y, X)`` labels of a frame are new."""
    scores_changed = Signal(object)
    """`ScoreTables`, at most five times a second."""
    hovered = Signal(int, int, object)
    """Frame, object, and the ``(Y, X)`` bool mask that a click would give, or None."""
    answered = Signal(object)
    """What an `Edit` asked for is there, and no later edit is about its frames."""
    returned = Signal(str, bool)
    """A step was undone, or (True) done again: its text."""
    told = Signal(str)
    """What came of something, in words."""
    saved = Signal(object)
    """The `SessionDocument` that is saved now."""
    busy = Signal(str)
    """How a long step of the worker goes, in words."""
    tracked = Signal(bool, bool)
    """Tracking has ended: whether it came to its end, whether it was cancelled."""

    def __init__(self, request_of: Callable[[], Request], parent: QObject) -> None:
        super().__init__(parent)
        self.worker, self.engine = Worker(self), TrackingEngine(self.busy.emit)
        self.editor = BookEditor(
            self.engine, self.worker, self._on_event, request_of, self
        )
        self.runs = RunControl(self.worker, self._on_event, self.failed.emit, self)
        self.document_of: Callable[[BookState], SessionDocument] | None = None
        self.live_repair = False
        self.warm_radius = WARM_REACH
        self._trust: dict[str, TrustFunction] = {}  # by the name of the model
        self._hovering = self._warming = 0
        self._last_said: Place | None = None
        self._next_order: Order | None = None
        self._scores_due = single_shot(self, self._tell_scores, SCORES_MS)
        self._save_due = single_shot(self, self.save, SAVE_MS)
        self._warm_due = single_shot(self, self._warm, WARM_MS)
        self._repair_due = single_shot(self, self._repair_live, REPAIR_MS)
        self._connect()

    def _connect(self) -> None:
        editor, runs = self.editor, self.runs
        editor.turned.connect(self._on_turned)
        editor.forgot.connect(self._on_forgot)
        editor.edited.connect(self._on_edited)
        editor.answered.connect(self._repair_soon)
        editor.changed.connect(self.book_changed)
        editor.settled.connect(self.book_settled)
        editor.answered.connect(self.answered)
        editor.returned.connect(self.returned)
        editor.returned.connect(self._save_soon)
        editor.failed.connect(self.failed)
        runs.ended.connect(self._on_ended)
        runs.book_renewed.connect(editor.tell_book)

    @property
    def book(self) -> BookState:
        """What people said about the masklets that are shown."""
        return self.editor.book

    @property
    def tables(self) -> ScoreTables | None:
        """Scores of these masklets."""
        return None if self.editor.shown is None else self.editor.shown.tables

    @property
    def is_tracking(self) -> bool:
        """Whether something is tracked, or waits for it."""
        return self.runs.is_running

    def close(self) -> None:
        """Let nothing begin any more; what runs ends after its current step."""
        timers = self._scores_due, self._save_due, self._warm_due, self._repair_due
        for timer in (*timers, self.editor.settling):
            timer.stop()
        self.worker.close(self.engine.close)

    # --- Sessions

    def open_session(self, folder: Path) -> None:
        """Look for a session in a folder; `happened` brings a `SessionRead`."""
        self.editor.submit(partial(self.engine.read_session, folder))

    def save(self) -> None:
        """Save the session, in the worker, between the edits before and after."""
        request = self.editor.asked(is_quiet=True)
        if request is not None and self.document_of is not None:
            document = self.document_of(self.book)
            self.editor.submit(partial(self.engine.save, request, document))
            self.saved.emit(document)

    def forget_layer(
        self, layer_id: Hashable, kept: int | None = None
    ) -> list[Request]:
        """Let go of the masklets of movies that are gone for good.

        Parameters
        ----------
        layer_id
            The layer that they were in.
        kept
            ``array_id`` of the movie that is in it now; None if the layer is gone.

        Returns
        -------
        list of Request
            Whose masklets they were.
        """
        gone = self.editor.forget_layer(layer_id, kept)
        for request in gone:
            # After all that is still to be done for it.
            forget = partial(self.engine.forget, request)
            self.editor.submit(forget, priority=Priority.WARM)
        return gone

    # --- Objects

    def add_object(self) -> int:
        """Begin a new object; return its id."""
        edit = self.editor.edit(lambda book: book.add_object())
        return self.book.next_id if edit is None else edit.after.next_id - 1

    def remove_objects(self, object_ids: Iterable[int]) -> None:
        """Delete objects with all their masks."""
        gone = list(object_ids)
        self._stop_if_tracked(gone)
        self.editor.edit(lambda book: book.remove_objects(gone))

    def rename(self, object_id: int, name: str) -> None:
        """Give an object another name."""
        self.editor.edit(lambda book: book.rename(object_id, name))

    def set_parent(self, object_id: int, parent: int | None) -> None:
        """Say which object divided into this one."""
        self.editor.edit(lambda book: book.set_parent(object_id, parent))

    def merge(self, kept: int, gone: int) -> None:
        """Make two objects one; masks of both become its masks."""
        self._stop_if_tracked((kept, gone))

        def steps(request: Request, edit: Edit) -> Iterator[Event]:
            pair = (kept, gone)
            return self.engine.merge(request, edit, pair, self.editor.shown_frame)

        self.editor.edit(lambda book: book.merge(kept, gone), steps)

    def divide(
        self, mother: int, sister: int | FramePrompt, first: FramePrompt
    ) -> Edit | None:
        """Let an object end as the mother of a sister and of what it is from there."""
        known = (mother,) if isinstance(sister, FramePrompt) else (mother, sister)
        self._stop_if_tracked(known)
        return self.editor.edit(lambda book: book.divide(mother, sister, first))

    def cut(self, object_id: int, first: FramePrompt) -> Edit | None:
        """Let an object end, and go on as another one from a frame on."""
        self._stop_if_tracked((object_id,))
        return self.editor.edit(lambda book: book.cut(object_id, first))

    def recolor(self, colors: Mapping[int, Color | None]) -> None:
        """Give objects colours of their own, or take these away."""
        self.editor.edit(lambda book: book.recolor(colors))

    def duplicate(self, object_id: int) -> None:
        """Add an object with the same prompts."""
        self.editor.edit(lambda book: book.duplicate(object_id))

    def set_hidden(self, object_ids: Iterable[int], is_hidden: bool) -> None:
        """Hide objects, or show them again."""
        ids = list(object_ids)
        self.editor.edit(lambda book: book.set_hidden(ids, is_hidden))

    def flag(
        self,
        flag: FrameFlag,
        object_ids: Iterable[int],
        frames: FrameSet,
        is_on: bool = True,
    ) -> None:
        """Lock objects on some frames, or note that they are right; or take it back."""
        ids = list(object_ids)
        self.editor.edit(lambda book: book.flag(flag, ids, frames, is_on=is_on))

    # --- Prompts

    def set_prompt(self, prompt: FramePrompt) -> None:
        """Say something about an object on a frame."""
        self._remember((prompt,))
        self.editor.edit(lambda book: book.set_prompt(prompt))

    def set_prompts(self, prompts: Sequence[FramePrompt], text: str) -> None:
        """Say several things in one step."""
        self._remember(prompts)
        self.editor.edit(lambda book: book.set_prompts(prompts, text))

    def take_in(self, intake: Intake) -> None:
        """Take objects in from elsewhere, in one step."""
        self.editor.edit(lambda book: book.take_in(intake))

    def clear_prompt(self, object_id: int, frame_index: int) -> None:
        """Take back what was said about an object on a frame."""
        self.editor.edit(lambda book: book.clear_prompt(object_id, frame_index))

    def change_prompts(
        self,
        prompts: Sequence[FramePrompt],
        cleared: Iterable[tuple[int, int]],
        text: str,
    ) -> Edit | None:
        """Say some things and take others back, ``(object_id, frame)``, in one step."""
        places = list(cleared)
        self._remember(prompts)
        return self.editor.edit(lambda book: book.change_prompts(prompts, places, text))

    def flip_last_point(self) -> None:
        """Turn the click that was made last round: inside, or outside."""
        if self._last_said is not None:
            place = self._last_said
            self.editor.edit(lambda book: book.flip_last_point(*place))

    def stroke(self, frame_index: int, before: np.ndarray, after: np.ndarray) -> None:
        """Say that a frame is as somebody drew it: ``(Y, X)`` labels."""
        drawn = drawn_prompts(frame_index, before, after, self.book)
        if drawn.prompts or drawn.erased:
            cleared = [(object_id, frame_index) for object_id in drawn.erased]
            text = drawn.text(frame_index)
            if self.change_prompts(drawn.prompts, cleared, text) is None:
                self.read_frames([frame_index])  # as it was before the stroke

    # --- Undo

    def undo(self) -> None:
        """Take the last step back; tracking stops first."""
        self.stop()
        self.editor.undo()

    def redo(self) -> None:
        """Do the step again that was undone last; tracking stops first."""
        self.stop()
        self.editor.redo()

    # --- Tracking

    @property
    def is_repairing_by_itself(self) -> bool:
        """Whether what runs is a repair that nobody asked for."""
        return self.is_tracking and self.runs.order.joins_step

    def track(self, order: Order) -> None:
        """Track objects; `happened` and `tracked` tell how it goes.

        A repair that began by itself is let to its end first.
        """
        if self.is_repairing_by_itself:
            self._next_order = order
            self.told.emit("Tracking begins as soon as the repair has ended.")
            return
        request = self.editor.asked()
        if request is None or self.editor.shown is None or self.is_tracking:
            return
        self._repair_due.stop()
        self.runs.start(self.engine, self.editor.shown, request, order)

    def repair(self) -> None:
        """Track again what corrections made stale."""
        self.track(Order(start=self.editor.shown_frame, is_repair=True))

    def set_live_repair(self, is_on: bool) -> None:
        """Repair at once after each correction, or not."""
        self.live_repair = is_on

    def stop(self) -> None:
        """Stop tracking after the current frame; nothing begins by itself."""
        self._next_order = None
        self.runs.stop()
        self._repair_due.stop()

    def keep_direction(self, found: DirectionsCompared, way: Direction) -> None:
        """Let one way of a comparison be what is written in its gap."""
        frames = FrameSet.of(found.agreement)

        def steps(request: Request, edit: Edit) -> Iterator[Event]:
            return self.engine.keep_direction(request, edit, way)

        self.editor.edit(
            lambda book: book.keep_direction(found.object_id, frames, way), steps
        )

    # --- Looking

    def picture(self, frame_index: int) -> None:
        """Ask for a frame as the model sees it; `happened` brings a `Pictured`."""
        request = self.editor.asked(is_quiet=True)
        if request is not None:
            steps = partial(self.engine.picture, request, frame_index)
            self.editor.submit(steps, key="picture", priority=Priority.EDIT)

    def hover(self, frame_index: int, prompt: FramePrompt | None) -> None:
        """Ask what a click would give; None when nobody wants to know any more."""
        self._hovering += 1
        number = self._hovering
        if prompt is None:
            self.hovered.emit(frame_index, 0, None)
            return
        request = self.editor.asked()
        if request is not None:
            steps = partial(
                self.engine.hover,
                request,
                self.book,
                prompt,
                lambda: number == self._hovering,
            )
            self.editor.submit(steps, key="hover")

    def warm(self, frame_index: int) -> None:
        """Know what the person looks at; prepare the frames around it."""
        self.editor.shown_frame = frame_index
        self._warming += 1
        self._warm_due.start()

    def look_again(self) -> None:
        """Prepare the frames anew: the model sees another picture of them."""
        self._hovering += 1  # what was hovered over is no answer to the new picture
        self.warm(self.editor.shown_frame)

    def read_frames(self, frames: Sequence[int]) -> None:
        """Read labels that somebody wants to see."""
        request = self.editor.asked(is_quiet=True)  # a movie that goes is no error
        if request is not None:
            self.editor.submit(partial(self.engine.read_frames, request, frames))

    # --- Steps

    def _stop_if_tracked(self, object_ids: Iterable[int]) -> None:
        """Stop a run that would write the masks of objects that are to go."""
        if self.runs.is_about(object_ids):
            self.runs.stop()

    def _remember(self, prompts: Sequence[FramePrompt]) -> None:
        clicked = [prompt for prompt in prompts if prompt.points]
        if clicked:
            self._last_said = (clicked[-1].object_id, clicked[-1].frame_index)

    def _on_turned(self) -> None:
        self._next_order = None
        self.runs.stop()
        self._tell_scores()

    def _on_forgot(self) -> None:
        self.stop()
        self._scores_soon()

    def _on_edited(self, edit: Edit) -> None:
        if self.live_repair and self.runs.order.is_repair and corrects(edit):
            self.runs.give_way()
        self._save_due.start()

    def _save_soon(self) -> None:
        self._save_due.start()

    def _repair_soon(self, edit: Edit) -> None:
        is_stale = any(state.stale for state in edit.after.objects)
        if self.live_repair and is_stale and corrects(edit):
            self._repair_due.start()

    def _is_repair_due(self) -> bool:
        """Whether a mask that was tracked before no longer follows from the prompts."""
        tables = self.tables
        if tables is None:
            return False
        computed = tables.computed()
        return any(
            computed[first:stop, column].any()
            for object_id, column in tables.columns.items()
            if object_id in self.book
            for first, stop in self.book[object_id].stale.runs
        )

    def _on_ended(self, is_done: bool, was_cancelled: bool) -> None:
        self._save_due.start()
        self.tracked.emit(is_done, was_cancelled)
        order, self._next_order = self._next_order, None
        if order is not None:
            self.track(order)

    def _warm(self) -> None:
        request = self.editor.asked(is_quiet=True)
        if request is None:
            return
        number = self._warming
        steps = partial(
            self.engine.warm,
            request,
            self.editor.shown_frame,
            lambda: number == self._warming,
            self.warm_radius,
        )
        self.editor.submit(steps, key="warm", priority=Priority.WARM)

    def _repair_live(self) -> None:
        if not self.live_repair or self.editor.is_turning or not self._is_repair_due():
            return
        if not self.is_tracking:
            order = Order(
                start=self.editor.shown_frame, is_repair=True, joins_step=True
            )
            self.track(order)
        elif self.runs.order.is_repair:
            # It goes on with what was corrected meanwhile, unless it has just ended.
            self._repair_due.start()

    # --- What the worker says

    def _on_event(self, shown: ShownMasklets | None, event: object) -> None:
        """Tell of an event; what is to be seen waits until its masklets are shown."""
        match event:
            case Scored() | ScoresRead():
                if shown is not None:
                    shown.take_scores(event)
                    self._scores_soon()
            case ModelReady(name, trust=trust):
                self._trust[name] = trust or neighbour_trust
                self._scores_soon()
                self.happened.emit(event)
            case _ if shown is self.editor.shown or not isinstance(event, SEEN):
                self._tell(event)
            case _ if shown is not None:
                shown.miss(event)

    def _tell(self, event: object) -> None:
        match event:
            case Hovered(frame_index, object_id, mask):
                self.hovered.emit(frame_index, object_id, mask)
            case FrameChanged(frame_index, labels):
                self.frame_changed.emit(frame_index, labels)
            case _:
                self.happened.emit(event)

    def _scores_soon(self) -> None:
        if not self._scores_due.isActive():
            self._scores_due.start()

    def _tell_scores(self) -> None:
        shown = self.editor.shown
        if shown is None:
            self.scores_changed.emit(ScoreTables.empty([], 1))
        else:
            tables = shown.tables.with_objects(self.book.object_ids)
            trust = self._trust.get(shown.request.model, tables.trust_function)
            if tables.trust_function is not trust:
                tables = tables.with_trust(trust)
            shown.tables = tables
            self.scores_changed.emit(tables)
