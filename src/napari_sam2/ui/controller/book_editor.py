"""The book of the masklets that are shown, and the jobs that follow from its edits."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_sam2.engine import BookReturned, Claim, Event, Request, TrackingEngine
from napari_sam2.engine.jobs import Job, Priority
from napari_sam2.errors import InputError, NapariSam2Error
from napari_sam2.session.book.edits import check_shown
from napari_sam2.session.book.prompt_book import Edit, PromptBook
from napari_sam2.session.book.state import BookState
from napari_sam2.ui.controller.shown_masklets import KnownMasklets, ShownMasklets
from napari_sam2.ui.controller.worker import Worker
from napari_sam2.ui.widgets.timers import single_shot

UNDOING = "One moment: the last step is still being undone"

SETTLING_MS = 200
"""Tables and counts wait for the mask of a click no longer than this."""

Hear = Callable[[ShownMasklets | None, object], None]
"""Told of an event of the engine, and of the masklets that it is about."""

Follow = Callable[[Request, Edit], Iterator[Event]]
"""What the worker does after an edit."""


class BookEditor(QObject):
    """Edits a book, and lets the worker do what follows.

    All signals are emitted in the main thread.

    Parameters
    ----------
    request_of
        Returns what the panels say now; raises `InputError` if they cannot.
    """

    turned = Signal()
    """Other masklets are shown, with their book."""
    forgot = Signal()
    """What was shown is forgotten; nothing is shown until something is turned to."""
    changed = Signal(object)
    """The `BookState` is another one, of the same or of other masklets."""
    settled = Signal(object)
    """The same, but after a click only when its mask was shown, or is late."""
    edited = Signal(object)
    """An `Edit` was made; neither the worker nor those who show the book were told."""
    answered = Signal(object)
    """What an `Edit` asked for is there, and no later edit is about its frames."""
    returned = Signal(str, bool)
    """A step was undone, or (True) done again: its text."""
    failed = Signal(object)
    """The error that ended a job, or that an edit was refused with."""

    def __init__(
        self,
        engine: TrackingEngine,
        worker: Worker,
        hear: Hear,
        request_of: Callable[[], Request],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._engine, self._worker, self._hear = engine, worker, hear
        self._request_of = request_of
        self._known = KnownMasklets()
        self.shown: ShownMasklets | None = None
        self.shown_frame = 0
        self._turning = 0
        self.settling = single_shot(self, self._settle, SETTLING_MS)

    # --- Which masklets

    @property
    def book(self) -> BookState:
        """What people said about the masklets that are shown."""
        return BookState() if self.shown is None else self.shown.book.state

    @property
    def is_turning(self) -> bool:
        """Whether a step is being undone, or done again."""
        return self._turning > 0

    def knows(self, folder: Path) -> bool:
        """Whether masklets in a folder have been shown already."""
        return self._known.lie_in(folder)

    def turn_to(self, request: Request) -> None:
        """Go on with the masklets of another movie, model or folder.

        Those of a movie alike take over the prompts.
        """
        shown = self._known.of(request, self.shown)
        if shown is self.shown:
            return
        self._show(shown)
        if shown.is_new and shown.book.state.objects:
            edit = Edit("take over prompts", BookState(), shown.book.state)
            self.edited.emit(edit)
            self._follow(shown, request, edit)
        shown.is_new = False
        self.submit(partial(self._engine.show, request), key="show")

    def go_on_with(
        self, request: Request, book: BookState, *, accepts_movie: bool = False
    ) -> None:
        """Go on with the session that was read from the request's folder.

        Parameters
        ----------
        accepts_movie
            Whether the person said that a changed movie is the right one.
        """
        shown = self._known.put(request, book)
        shown.is_new = False
        self._show(shown)
        adopt = partial(self._engine.adopt, accepts_movie=accepts_movie)
        self.submit(partial(adopt, request, book))

    def asked(self, *, is_quiet: bool = False) -> Request | None:
        """Return what the panels say, or tell why they cannot."""
        try:
            return self._request_of()
        except NapariSam2Error as error:
            if not is_quiet:
                self.failed.emit(error)
            return None

    def forget_layer(
        self, layer_id: Hashable, kept: int | None = None
    ) -> list[Request]:
        """Let go of movies, see `KnownMasklets.forget_layer`."""
        gone = self._known.forget_layer(layer_id, kept)
        if self.shown is not None and self.shown.request in gone:
            self.forgot.emit()
            self.shown = None
            self.tell_book()
        return gone

    # --- Edits

    def edit(
        self, verb: Callable[[PromptBook], Edit | None], follow: Follow | None = None
    ) -> Edit | None:
        """Edit the book, and let the worker follow; say why if it cannot be done."""
        try:
            request = self._request_of()
            if self._turning:
                raise InputError(UNDOING)
            shown = self.shown
            if shown is None or shown.request.masklets_key != request.masklets_key:
                self.turn_to(request)
                shown = self._known.of(request, None)
            edit = verb(shown.book)
        except NapariSam2Error as error:
            self.failed.emit(error)
            return None
        if edit is not None:
            self.edited.emit(edit)
            self._ask_for_positive(edit)
            self._tell_edited(edit)
            self._follow(shown, request, edit, follow)
        return edit

    def undo(self) -> None:
        """Take the last step back."""
        self._turn(self._engine.undo, is_redo=False)

    def redo(self) -> None:
        """Do the step again that was undone last."""
        self._turn(self._engine.redo, is_redo=True)

    def tell_book(self) -> None:
        """Tell what the book is now."""
        self.changed.emit(self.book)
        self._settle()

    # --- Jobs

    def submit(
        self,
        steps: Callable[[], Iterator[Event]],
        deliver: Callable[[Any], None] | None = None,
        finish: Callable[[bool], None] = lambda _is_done: None,
        *,
        key: Hashable = None,
        priority: Priority = Priority.CLICK,
    ) -> None:
        """Let the worker do something for the masklets that are shown now."""
        deliver = deliver or self.hearing()
        self._worker.submit(
            Job(steps, deliver, self.failed.emit, finish, key, priority)
        )

    def hearing(self) -> Callable[[object], None]:
        """Return who hears of a job's events for the masklets that are shown now."""
        return partial(self._hear, self.shown)

    # --- Steps

    def _show(self, shown: ShownMasklets) -> None:
        self.shown = shown
        self.tell_book()
        self.turned.emit()
        for event in shown.take_missed():
            self._hear(shown, event)

    def _tell_edited(self, edit: Edit) -> None:
        """Tell of an edit: where a mask is going to follow, tables wait for it."""
        changes = edit.changes
        if not changes.prompted or changes.removed:
            self.tell_book()
            return
        self.changed.emit(self.book)
        if not self.settling.isActive():
            self.settling.start()

    def _settle(self) -> None:
        self.settling.stop()
        self.settled.emit(self.book)

    def _ask_for_positive(self, edit: Edit) -> None:
        """Say so if nothing says where an object is; its marks stay."""
        try:
            check_shown(edit.before, edit.after)
        except InputError as error:
            self.failed.emit(error)

    def _follow(
        self,
        shown: ShownMasklets,
        request: Request,
        edit: Edit,
        follow: Follow | None = None,
    ) -> None:
        claim = shown.pending.note(edit.changes.frames)
        make = follow or partial(self._applied, shown, claim)
        self.submit(
            partial(make, request, edit),
            finish=partial(self._on_answered, shown, edit, claim),
        )

    def _applied(
        self, shown: ShownMasklets, claim: Claim, request: Request, edit: Edit
    ) -> Iterator[Event]:
        is_wanted = partial(shown.pending.is_wanted, claim)
        return self._engine.apply(request, edit, is_wanted, self.shown_frame)

    def _on_answered(
        self, shown: ShownMasklets, edit: Edit, claim: Claim, is_done: bool
    ) -> None:
        if self.settling.isActive():
            self._settle()
        is_shown = shown is self.shown
        if is_done and is_shown and shown.pending.is_current(claim):
            self.answered.emit(edit)

    def _turn(
        self, verb: Callable[[Request], Iterator[Event]], *, is_redo: bool
    ) -> None:
        request, shown = self.asked(), self.shown
        if request is None or shown is None:
            return
        self._turning += 1

        def on_event(event: Event) -> None:
            if isinstance(event, BookReturned):
                shown.book.replace(event.state)  # others may be shown by now
                if self.shown is shown:
                    self.tell_book()
                self.returned.emit(event.text, is_redo)
            self._hear(shown, event)

        def on_finished(_is_done: bool) -> None:
            self._turning -= 1

        self.submit(partial(verb, request), on_event, on_finished)
