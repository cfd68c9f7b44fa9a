"""Sessions that lie around: those of lately, and those that napari's reader opened."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_sam2.engine import StoreReady
from napari_sam2.engine.jobs import Job, Priority
from napari_sam2.io.label_store.store import DEFAULT_NAME
from napari_sam2.io.sessions.recent import RecentSession, RecentSessions
from napari_sam2.ui.masklets.session_mark import session_of
from napari_sam2.ui.widgets.connections import Connections

if TYPE_CHECKING:
    from napari_sam2.ui.dock.dock import TrackerDock

BUSY = "Stop tracking, then open the session {} once more to go on with it."


class SessionFinding(QObject):
    """Offers the sessions of lately; goes on with one that was dropped on the viewer.

    Parameters
    ----------
    dock
        Whose viewer and output panel.
    connections
        To the viewer.
    """

    def __init__(self, dock: TrackerDock, connections: Connections) -> None:
        super().__init__(dock)
        self._dock = dock
        recent = dock.output_panel.recent
        recent.renew_requested.connect(self._on_renew_requested)
        dock.conductor.happened.connect(self._on_event)
        connections.add(dock.viewer.layers.events.inserted, self._on_inserted)

    def look_around(self) -> None:
        """Go on with a session that was opened before the dock."""
        for layer in reversed(self._dock.viewer.layers):
            if self._pick_up(layer):
                return

    def _on_renew_requested(self) -> None:
        self._ask(_existing, Priority.CLICK)

    def _on_event(self, event: object) -> None:
        if isinstance(event, StoreReady):
            self._ask(partial(_noted, event.request.folder), Priority.EDIT)

    def _on_inserted(self, event: Any) -> None:
        self._pick_up(event.value)

    def _pick_up(self, layer: Any) -> bool:
        """Go on with the session that a layer shows, unless it is the one at hand."""
        dock, session = self._dock, session_of(layer)
        if session is None or session[1] != DEFAULT_NAME:
            return False
        folder = session[0]
        if dock.conductor.knows(folder):
            return False  # ours
        if dock.conductor.is_tracking:
            dock.status.say(BUSY.format(folder.name))
        else:
            dock.conductor.open_session(folder)
        return True

    def _ask(self, steps: Any, priority: Priority) -> None:
        job = Job(steps, self._show, self._dock.status.complain, priority=priority)
        self._dock.conductor.worker.submit(job)

    def _show(self, sessions: object) -> None:
        if isinstance(sessions, list):
            self._dock.output_panel.recent.show_sessions(sessions)


def _existing() -> Iterator[list[RecentSession]]:
    yield [one for one in RecentSessions().read() if one.exists]


def _noted(folder: Path) -> Iterator[list[RecentSession]]:
    yield [one for one in RecentSessions().add(folder, DEFAULT_NAME) if one.exists]
