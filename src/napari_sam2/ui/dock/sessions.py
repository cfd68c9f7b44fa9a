"""Sessions of the window: found lying around, opened, and what is saved of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_sam2.engine import Request, SessionRead
from napari_sam2.engine.jobs import Job, Priority, once
from napari_sam2.errors import InputError, NapariSam2Error, OtherMovieError
from napari_sam2.io.label_store.store import DEFAULT_NAME
from napari_sam2.io.sessions.document import ModelChoice, SessionDocument
from napari_sam2.io.sessions.recent import RecentSession, RecentSessions
from napari_sam2.session.book.state import BookState
from napari_sam2.ui.dock.current_movie import CurrentMovie
from napari_sam2.ui.dock.parts import TrackerParts
from napari_sam2.ui.masklets.session_mark import session_of
from napari_sam2.ui.movie.saved import mapping_of, restore_input

BUSY = "Stop tracking, then open the session {} once more to go on with it."


class Sessions(QObject):
    """Brings sessions back: those of lately, and those dropped on the viewer.

    Parameters
    ----------
    parts
        Whose book is saved, and whose panels show what comes back.
    movie
        Turns to the masklets of a session.
    parent
        The dock.
    """

    def __init__(
        self, parts: TrackerParts, movie: CurrentMovie, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._parts, self._movie = parts, movie
        parts.conductor.document_of = self.document_of
        self._opened: tuple[Request, BookState] | None = None
        parts.conductor.failed.connect(self._ask_about_movie)
        parts.output_panel.open_requested.connect(parts.conductor.open_session)
        parts.output_panel.recent.renew_requested.connect(self._on_renew_requested)
        parts.connections.add(parts.viewer.layers.events.inserted, self._on_inserted)

    # --- What is saved

    def document_of(self, book: BookState) -> SessionDocument:
        """Return the session as it is now, for the worker to save."""
        parts, request = self._parts, self._parts.request()
        names = {layer.unique_id: str(layer.name) for layer in parts.viewer.layers}
        current = parts.selection.current
        return SessionDocument(
            book=book,
            image=mapping_of(request.image, names),
            model=ModelChoice(name=request.model),
            frame_index=parts.frame_cursor.frame_index,
            selected=current if current in book else None,
            live_repair=parts.conductor.live_repair,
        )

    # --- What is opened

    def open(self, read: SessionRead) -> None:
        """Go on with a session that was found in a folder; say why if it cannot be."""
        parts, document = self._parts, read.document
        try:
            self._bring_movie(read)
            if document.model is not None:
                parts.model_panel.choose(document.model.name)
            self._movie.use_folder(read.folder)
            request = parts.request()
        except NapariSam2Error as error:
            parts.status.complain(error)
            return
        self._movie.show(request)
        self._opened = request, document.book
        parts.conductor.go_on_with(request, document.book)
        parts.frame_cursor.go_to(document.frame_index)
        parts.selection.go_on_with(document.selected or document.book.next_id)
        parts.track_panel.repair_box.setChecked(document.live_repair)
        parts.status.say(" ".join(("The session goes on.", *document.remarks)))

    def _ask_about_movie(self, error: Exception) -> None:
        """Let a person go on with a movie that has other pixels than it had."""
        if not isinstance(error, OtherMovieError) or self._opened is None:
            return
        (request, book), self._opened = self._opened, None
        question = f"{error}.\n\nIs it the right movie, with all cells where they were?"
        answer = QMessageBox.question(self._window(), "Another movie?", question)
        if answer == QMessageBox.StandardButton.Yes:
            self._parts.conductor.go_on_with(request, book, accepts_movie=True)
            self._parts.status.say("The session goes on, with this movie.")

    def _window(self) -> QWidget | None:
        parent = self.parent()
        return parent if isinstance(parent, QWidget) else None

    def _bring_movie(self, read: SessionRead) -> None:
        """Choose the movie of a session; one that lies beside its masklets is opened.

        Raises
        ------
        InputError
            If the movie is not open.
        """
        said, viewer = read.document.image, self._parts.viewer
        panel = self._parts.input_panel
        name = said.layer or read.folder.stem
        is_open = any(str(layer.name) == name for layer in viewer.layers)
        if not is_open and read.image is not None:
            calibration = read.calibration
            viewer.add_image(
                read.image,
                name=name,
                scale=calibration.scale,
                translate=calibration.translation,
                axis_labels=(calibration.frame_axis, "y", "x"),
            )
        restore_input(panel, said.model_copy(update={"layer": name}))
        shape = panel.axes().frame_shape
        if read.image is None and read.shape[1:] != shape:
            raise InputError(
                f"the movie {name!r} has frames of {shape}, the session of "
                f"{read.shape[1:]}: open the movie that it was made of"
            )

    # --- What lies around

    def look_around(self) -> None:
        """Go on with a session that was opened before the dock."""
        any(self._pick_up(layer) for layer in reversed(self._parts.viewer.layers))

    def note(self, folder: Path) -> None:
        """Take note of masklets, for the list of those of lately."""
        self._ask(once(_noted, folder), Priority.EDIT)

    def _on_renew_requested(self) -> None:
        self._ask(once(_existing), Priority.CLICK)

    def _on_inserted(self, event: Any) -> None:
        self._pick_up(event.value)

    def _pick_up(self, layer: Any) -> bool:
        """Go on with the session that a layer shows, unless it is the one at hand."""
        parts, session = self._parts, session_of(layer)
        if session is None or session[1] != DEFAULT_NAME:
            return False
        folder = session[0]
        if parts.conductor.knows(folder):
            return False  # ours
        if parts.conductor.is_tracking:
            parts.status.say(BUSY.format(folder.name))
        else:
            parts.conductor.open_session(folder)
        return True

    def _ask(
        self, steps: Callable[[], Iterator[list[RecentSession]]], priority: Priority
    ) -> None:
        show: Callable[[Any], None] = self._parts.output_panel.recent.show_sessions
        job = Job(steps, show, self._parts.status.complain, priority=priority)
        self._parts.conductor.worker.submit(job)


def _existing() -> list[RecentSession]:
    return [session for session in RecentSessions().read() if session.exists]


def _noted(folder: Path) -> list[RecentSession]:
    sessions = RecentSessions().add(folder, DEFAULT_NAME)
    return [session for session in sessions if session.exists]
