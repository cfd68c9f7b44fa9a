"""Sessions of the window: found lying around, opened, and what is saved of one."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_sam2.engine import Request, SessionRead
from napari_sam2.engine.jobs import Priority, once
from napari_sam2.errors import InputError, NapariSam2Error, OtherMovieError
from napari_sam2.io.label_store.store import DEFAULT_NAME
from napari_sam2.io.sessions.document import ModelChoice, SessionDocument
from napari_sam2.io.sessions.recent import RecentSession, RecentSessions
from napari_sam2.session.book.state import BookState
from napari_sam2.texts import counted
from napari_sam2.ui.dock.current_movie import CurrentMovie
from napari_sam2.ui.dock.parts import TrackerParts
from napari_sam2.ui.masklets.session_mark import session_of
from napari_sam2.ui.movie.saved import mapping_of, opened_from, restore_input
from napari_sam2.ui.widgets.panel import short_path

BUSY = "Stop tracking, then open the session {} once more to go on with it."


class Sessions(QObject):
    """Brings sessions back: those of lately, and those dropped on the viewer."""

    def __init__(
        self, parts: TrackerParts, movie: CurrentMovie, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._parts, self._movie = parts, movie
        parts.conductor.document_of = self.document_of
        self._opened: tuple[Request, BookState] | None = None
        self._looked_for: set[Hashable] = set()
        parts.conductor.failed.connect(self._ask_about_movie)
        parts.output_panel.open_requested.connect(parts.conductor.open_session)
        parts.output_panel.recent.renew_requested.connect(self._on_renew_requested)
        parts.connections.add(parts.viewer.layers.events.inserted, self._on_inserted)
        parts.conductor.saved.connect(self._on_saved)
        parts.input_panel.input_changed.connect(self._on_movie)

    # --- What is saved

    def document_of(self, book: BookState) -> SessionDocument:
        """Return the session as it is now, for the worker to save."""
        parts, request = self._parts, self._parts.request()
        names = {layer.unique_id: str(layer.name) for layer in parts.viewer.layers}
        current = parts.selection.current
        return SessionDocument(
            book=book,
            image=mapping_of(request.image, names).model_copy(update=self._origin()),
            model=ModelChoice(name=request.model, tiles=request.tiles),
            frame_index=parts.frame_cursor.frame_index,
            selected=current if current in book else None,
            live_repair=parts.conductor.live_repair,
        )

    def _origin(self) -> dict[str, str | None]:
        layer = self._parts.input_panel.layer
        return {} if layer is None else opened_from(layer)

    def _on_saved(self, document: SessionDocument) -> None:
        """Note what the list of sessions says of this one."""
        parts, image = self._parts, document.image
        tables = parts.conductor.tables
        folder, count = parts.output_panel.folder, len(document.book.objects)
        if count == 0 or tables is None:
            return
        entry = RecentSession(
            path=folder.absolute(),
            name=DEFAULT_NAME,
            layer=image.layer,
            opened_from=image.opened_from,
            saved=datetime.now(),
            objects=count,
            doubtful=int(np.count_nonzero(tables.doubtful(document.book))),
        )
        self._ask(once(_put, entry), Priority.EDIT)

    # --- What is opened

    def open(self, read: SessionRead) -> None:
        """Go on with a session that was found in a folder; say why if it cannot be."""
        parts, document = self._parts, read.document
        if self._offer_movie(read):
            return
        try:
            self._bring_movie(read)
            if document.model is not None:
                parts.model_panel.choose(document.model.name)
                parts.model_panel.tile_combo.choose(document.model.tiles)
            self._movie.use_folder(read.folder, read.tracker)
            request = parts.request()
        except NapariSam2Error as error:
            parts.status.complain(error)
            return
        self._movie.show(request)
        self._opened = request, document.book
        parts.conductor.editor.go_on_with(request, document.book)
        parts.frame_cursor.go_to(document.frame_index)
        known = document.book.object_ids
        chosen = document.selected or (known[0] if known else document.book.next_id)
        parts.selection.go_on_with(chosen)
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
            self._parts.conductor.editor.go_on_with(request, book, accepts_movie=True)
            self._parts.status.say("The session goes on, with this movie.")

    def _window(self) -> QWidget | None:
        parent = self.parent()
        return parent if isinstance(parent, QWidget) else None

    def _offer_movie(self, read: SessionRead) -> bool:
        """Offer to open the movie of a session, if it is not open and known where."""
        image, parts = read.document.image, self._parts
        path = None if image.opened_from is None else Path(image.opened_from)
        is_open = any(str(one.name) == image.layer for one in parts.viewer.layers)
        if is_open or read.image is not None or path is None or not path.exists():
            return False

        def open_both() -> None:
            try:
                layers = parts.viewer.open(str(path), plugin=image.opened_by)
            except (NapariSam2Error, OSError, ValueError, RuntimeError) as error:
                parts.status.complain(error)
                return
            movies = [one for one in layers if isinstance(one, Image)]
            if len(movies) == 1 and image.layer is not None:
                movies[0].name = image.layer
            parts.conductor.open_session(read.folder)

        parts.offer.make(
            f"The movie of this session is not open: {short_path(path)}",
            {"Open it": open_both},
        )
        return True

    def _offer_session(self, sessions: Sequence[RecentSession]) -> None:
        """Offer the latest session of the movie that has just been chosen."""
        parts, layer = self._parts, self._parts.input_panel.layer
        if layer is None or parts.conductor.book.objects:
            return
        origin = opened_from(layer)["opened_from"]
        folder = parts.output_panel.folder.absolute()
        for session in sessions:
            is_here = session.path == folder or parts.conductor.editor.knows(
                session.path
            )
            if session.is_of(str(layer.name), origin) and not is_here:
                when = "" if session.saved is None else f" of {session.saved:%d %b}"
                what = counted(session.objects, "object")
                parts.offer.make(
                    f"This movie has a session{when} with {what}.",
                    {
                        "Go on with it": partial(
                            parts.conductor.open_session, session.path
                        )
                    },
                )
                return

    def _show_sessions(self, sessions: Sequence[RecentSession]) -> None:
        """List sessions, those of this movie first."""
        layer = self._parts.input_panel.layer
        name = "" if layer is None else str(layer.name)
        origin = None if layer is None else opened_from(layer)["opened_from"]
        others = [not one.is_of(name, origin) for one in sessions]
        ranked = sorted(range(len(sessions)), key=others.__getitem__)
        self._parts.output_panel.recent.show_sessions([sessions[at] for at in ranked])

    def _on_movie(self) -> None:
        """Look for sessions of a movie that was not chosen before."""
        layer = self._parts.input_panel.layer
        if layer is None or layer.unique_id in self._looked_for:
            return
        self._looked_for.add(layer.unique_id)
        self._parts.ask(once(_existing), self._offer_session, Priority.WARM)

    def _bring_movie(self, read: SessionRead) -> None:
        """Choose the movie of a session; one beside its masklets is opened."""
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
        restore_input(panel, said.model_copy(update={"layer": name}), read.region)
        shape = panel.axes().frame_shape
        if read.image is None and read.shape[1:] != shape:
            raise InputError(
                f"the movie {name!r} has frames of {shape}, the session of "
                f"{read.shape[1:]}: open the movie that it was made of"
            )

    # --- What lies around

    def look_around(self) -> None:
        """Go on with a session that was opened before the dock."""
        if not any(self._pick_up(one) for one in reversed(self._parts.viewer.layers)):
            self._on_movie()

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
        if parts.conductor.editor.knows(folder):
            return False  # ours
        if parts.conductor.is_tracking:
            parts.status.say(BUSY.format(folder.name))
        else:
            parts.conductor.open_session(folder)
        return True

    def _ask(
        self, steps: Callable[[], Iterator[list[RecentSession]]], priority: Priority
    ) -> None:
        self._parts.ask(steps, self._show_sessions, priority)


def _existing() -> list[RecentSession]:
    return [session for session in RecentSessions().read() if session.exists]


def _put(session: RecentSession) -> list[RecentSession]:
    sessions = RecentSessions().put(session)
    return [session for session in sessions if session.exists]


def _noted(folder: Path) -> list[RecentSession]:
    sessions = RecentSessions().add(folder, DEFAULT_NAME)
    return [session for session in sessions if session.exists]
