"""The book of the masklets that are shown, and the jobs that follow from its edits."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_sam2.engine import (
    BookReturned,
    Event,
    FrameChanged,
    FramesChanged,
    Hovered,
    ModelReady,
    Request,
    Scored,
    ScoresRead,
    StoreReady,
    TrackingEngine,
)
from napari_sam2.engine.jobs import Job, Priority
from napari_sam2.errors import InputError, NapariSam2Error
from napari_sam2.io.sessions.document import SessionDocument
from napari_sam2.session.book.changes import changes
from napari_sam2.session.book.edits import check_shown
from napari_sam2.session.book.prompt_book import Edit, PromptBook
from napari_sam2.session.book.state import BookState
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.session.scores.trust_rule import TrustFunction, neighbour_trust
from napari_sam2.session.session import FrameDone
from napari_sam2.ui.controller.pending_answers import Claim
from napari_sam2.ui.controller.shown_masklets import KnownMasklets, ShownMasklets
from napari_sam2.ui.controller.worker import Worker

SCORES_MS = 200
"""Five times a second the views hear of new scores."""

SAVE_MS = 300
"""A session is saved when nothing was edited for so many milliseconds."""

UNDOING = "One moment: the last step is still being undone"

SEEN = StoreReady, FrameChanged, FramesChanged, FrameDone, Hovered
"""Events that are about the masklets of one request, and shown."""

Follow = Callable[[Request, Edit, Claim], Iterator[Event]]
"""What the worker does after an edit."""


class BookEditor(QObject):
    """Edits the book, and lets the worker do what follows.

    All signals are emitted in the main thread.

    Parameters
    ----------
    request_of
        Returns what the panels say now; raises `InputError` if they cannot.
    parent
        The dock.
    """

    happened = Signal(object)
    """An `Event` of the engine."""
    failed = Signal(object)
    """The error that ended a job, or that an edit was refused with."""
    book_changed = Signal(object)
    """The `BookState` is another one, of the same or of other masklets."""
    frame_changed = Signal(int)
    """The labels of a frame are new."""
    scores_changed = Signal(object)
    """`ScoreTables`, at most five times a second."""
    hovered = Signal(int, int, object)
    """Frame, object, and the ``(Y, X)`` bool mask that a click would give, or None."""
    answered = Signal(object)
    """What an `Edit` asked for is there, and no later edit is about its frames."""
    returned = Signal(str, bool)
    """A step was undone, or (True) done again: its text."""
    told = Signal(str)
    """How a long step goes, in words."""

    def __init__(self, request_of: Callable[[], Request], parent: QObject) -> None:
        super().__init__(parent)
        self._request_of = request_of
        self.worker = Worker(self)
        self.engine = TrackingEngine(self.told.emit)
        self.shown_frame = 0
        self.document_of: Callable[[BookState], SessionDocument] | None = None
        self._known = KnownMasklets()
        self._shown: ShownMasklets | None = None
        self._trust: dict[str, TrustFunction] = {}  # by the name of the model
        self._turning = 0
        self._scores_due = self._timer(SCORES_MS, self._tell_scores)
        self._save_due = self._timer(SAVE_MS, self.save)

    # --- What there is

    @property
    def book(self) -> BookState:
        """What people said about the masklets that are shown."""
        return BookState() if self._shown is None else self._shown.book.state

    @property
    def tables(self) -> ScoreTables | None:
        """Scores of these masklets."""
        return None if self._shown is None else self._shown.tables

    def knows(self, folder: Path) -> bool:
        """Whether masklets in a folder have been shown already."""
        return self._known.lie_in(folder)

    def turn_to(self, request: Request) -> None:
        """Go on with the masklets of another movie, model or folder.

        Those of a movie alike take over the prompts.
        """
        shown = self._known.of(request, self._shown)
        if shown is self._shown:
            return
        self._show(shown)
        if shown.is_new and shown.book.state.objects:
            edit = Edit("take over prompts", BookState(), shown.book.state)
            self._follow(request, edit)
        shown.is_new = False
        self._submit(partial(self.engine.show, request), key="show")

    def open_session(self, folder: Path) -> None:
        """Look for a session in a folder; `happened` brings a `SessionRead`."""
        self._submit(partial(self.engine.read_session, folder))

    def go_on_with(self, request: Request, book: BookState) -> None:
        """Go on with the session that was read from the request's folder."""
        shown = self._known.put(request, book)
        shown.is_new = False
        self._show(shown)
        self._submit(partial(self.engine.adopt, request, book))

    def save(self) -> None:
        """Save the session, in the worker, between the edits before and after."""
        request = self._asked(is_quiet=True)
        if request is not None and self.document_of is not None:
            document = self.document_of(self.book)
            steps = partial(self.engine.save, request, document)
            self._submit(steps)

    # --- Edits

    def _edit(
        self,
        verb: Callable[[PromptBook], Edit | None],
        steps: Follow | None = None,
    ) -> Edit | None:
        """Edit the book, and let the worker follow; say why if it cannot be done."""
        try:
            request = self._request_of()
            if self._turning:
                raise InputError(UNDOING)
            shown = self._shown
            if shown is None or shown.request.masklets_key != request.masklets_key:
                self.turn_to(request)
                shown = self._known.of(request, None)
            edit = verb(shown.book)
        except NapariSam2Error as error:
            self.failed.emit(error)
            return None
        if edit is not None:
            self._ask_for_positive(edit)
            self._on_book_changed()
            self._follow(request, edit, steps)
        return edit

    def _ask_for_positive(self, edit: Edit) -> None:
        """Say so if nothing says where an object is; its marks stay."""
        try:
            check_shown(edit.before, edit.after)
        except InputError as error:
            self.failed.emit(error)

    def _follow(
        self,
        request: Request,
        edit: Edit,
        steps: Follow | None = None,
    ) -> None:
        shown = self._shown
        if shown is None:
            return
        claim = shown.pending.note(_asked_frames(edit))
        make = steps or partial(self._applied, shown)
        self._submit(
            partial(make, request, edit, claim),
            finish=partial(self._on_answered, shown, edit, claim),
        )
        self._save_due.start()

    def _applied(
        self, shown: ShownMasklets, request: Request, edit: Edit, claim: Claim
    ) -> Iterator[Event]:
        is_wanted = partial(shown.pending.is_wanted, claim)
        return self.engine.apply(request, edit, is_wanted, self.shown_frame)

    def _on_answered(
        self, shown: ShownMasklets, edit: Edit, claim: Claim, is_done: bool
    ) -> None:
        is_shown = shown is self._shown
        if is_done and is_shown and shown.pending.is_current(claim):
            self.answered.emit(edit)

    def _turn(
        self, verb: Callable[[Request], Iterator[Event]], *, is_redo: bool
    ) -> None:
        request, shown = self._asked(), self._shown
        if request is None or shown is None:
            return
        self._turning += 1

        def on_event(event: Event) -> None:
            if isinstance(event, BookReturned):
                shown.book.replace(event.state)  # others may be shown by now
                if self._shown is shown:
                    self._on_book_changed()
                self.returned.emit(event.text, is_redo)
            self._on_event(shown, event)

        def on_finished(_is_done: bool) -> None:
            self._turning -= 1
            self._save_due.start()

        self._submit(partial(verb, request), on_event, on_finished)

    # --- Steps

    def _asked(self, *, is_quiet: bool = False) -> Request | None:
        try:
            return self._request_of()
        except NapariSam2Error as error:
            if not is_quiet:
                self.failed.emit(error)
            return None

    def _show(self, shown: ShownMasklets) -> None:
        self._shown = shown
        self._on_book_changed()
        self._tell_scores()
        for event in shown.take_missed():
            self._on_event(shown, event)

    def _submit(
        self,
        steps: Callable[[], Iterator[Event]],
        deliver: Callable[[Any], None] | None = None,
        finish: Callable[[bool], None] = lambda _is_done: None,
        *,
        key: Hashable = None,
        priority: Priority = Priority.CLICK,
    ) -> None:
        """Let the worker do something for the masklets that are shown now."""
        job = Job(
            steps,
            deliver or self.hearing(),
            self.failed.emit,
            finish,
            key,
            priority,
        )
        self.worker.submit(job)

    def hearing(self) -> Callable[[object], None]:
        """Return who hears of a job's events for the masklets that are shown now."""
        return partial(self._on_event, self._shown)

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
            case _ if shown is self._shown or not isinstance(event, SEEN):
                self._tell(event)
            case _ if shown is not None:
                shown.miss(event)

    def _tell(self, event: object) -> None:
        if isinstance(event, Hovered):
            self.hovered.emit(event.frame_index, event.object_id, event.mask)
            return
        self.happened.emit(event)
        if isinstance(event, FrameChanged):
            self.frame_changed.emit(event.frame_index)

    def _on_book_changed(self) -> None:
        self.book_changed.emit(self.book)

    def _scores_soon(self) -> None:
        if not self._scores_due.isActive():
            self._scores_due.start()

    def _tell_scores(self) -> None:
        shown = self._shown
        if shown is not None:
            ids = [one.object_id for one in self.book.objects]
            tables = shown.tables.with_objects(ids)
            trust = self._trust.get(shown.request.model, neighbour_trust)
            if tables.trust_function is not trust:
                tables = tables.with_trust(trust)
            shown.tables = tables
            self.scores_changed.emit(tables)

    def _timer(self, interval: int, slot: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(interval)
        timer.timeout.connect(slot)
        return timer


def _asked_frames(edit: Edit) -> list[int]:
    """Return the frames that an edit says something else about."""
    changed = changes(edit.before, edit.after)
    return sorted(
        {
            frame
            for frames in (*changed.prompted.values(), *changed.cleared.values())
            for frame in frames
        }
    )
