"""Sessions that were open lately, behind one button."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton, QWidget

from napari_sam2.io.sessions.recent import RecentSession
from napari_sam2.ui.widgets.folders import short_path
from napari_sam2.ui.widgets.icons import icon

NOTHING = "No session was open lately"
OPEN = "Open the folder of a session …"


class RecentList(QPushButton):
    """Asks for a session to go on with.

    Reads no file itself: `renew_requested` asks for the list each time it is opened,
    and `show_sessions` brings it, even while the menu is open.
    """

    open_requested = Signal(object)
    """Folder of the session, a `Path`."""
    renew_requested = Signal()
    """The list is about to be looked at."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText("Sessions")
        self.setToolTip("Go on with a session: its prompts, objects, masks and undo")
        self.setAccessibleName("Sessions")
        self.setIcon(icon("recent"))
        self._menu = QMenu(self)
        self._menu.setToolTipsVisible(True)
        self._menu.aboutToShow.connect(self.renew_requested)
        self.setMenu(self._menu)
        self.show_sessions(())

    def show_sessions(self, sessions: Sequence[RecentSession]) -> None:
        """Show sessions, newest first.

        Parameters
        ----------
        sessions
            Those that still exist; whoever reads the list looks for that.
        """
        self._menu.clear()
        for session in sessions:
            action = self._menu.addAction(icon("labels"), title(session))
            if action is not None:
                action.setToolTip(str(session.path))
                ask = partial(self.open_requested.emit, session.path)
                action.triggered.connect(lambda _checked=False, ask=ask: ask())
        if not sessions:
            nothing = self._menu.addAction(NOTHING)
            if nothing is not None:
                nothing.setEnabled(False)
        self._menu.addSeparator()
        other = self._menu.addAction(icon("folder"), OPEN)
        if other is not None:
            other.triggered.connect(self._on_other)

    def _on_other(self, _checked: bool = False) -> None:
        chosen = QFileDialog.getExistingDirectory(self, OPEN.removesuffix(" …"))
        if chosen:
            self.open_requested.emit(Path(chosen))


def title(session: RecentSession) -> str:
    """Return how a session is called in the menu; ampersands are doubled for Qt."""
    shown = f"{session.path.name}  –  {short_path(session.path.parent)}"
    return shown.replace("&", "&&")
