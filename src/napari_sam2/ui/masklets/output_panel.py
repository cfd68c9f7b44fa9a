"""Panel: where masklets go."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
)

from napari_sam2.io.sessions.recent import RecentSession
from napari_sam2.texts import counted
from napari_sam2.ui.widgets.icons import icon
from napari_sam2.ui.widgets.panel import Panel, short_path

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

    def __init__(self) -> None:
        super().__init__()
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
    parts = [session.layer or session.path.name]
    if session.saved is not None:
        parts.insert(0, f"{session.saved:%d %b %H:%M}")
        parts.append(counted(session.objects, "object"))
    if session.doubtful:
        parts.append(f"{session.doubtful:,} to review")
    where = short_path(session.path.parent)
    parts.append(f"{session.path.name}, {where}" if session.layer else where)
    return "  –  ".join(parts).replace("&", "&&")


HOME_FOLDER = "napari-sam2"
SUFFIX = ".zarr"
BROWSE_WIDTH = 32

WHAT_IT_IS = (
    "A new folder, or an OME-Zarr image to which the masklets are added as labels.\n"
    "Every mask is on disk as soon as it is shown."
)


class OutputPanel(Panel):
    """Asks for the OME-Zarr folder of the masklets."""

    folder_changed = Signal()
    """The person chose another folder."""
    open_requested = Signal(object)
    """Go on with the session in this folder, a `Path`."""
    tracks_requested = Signal()
    """Show the masklets as a Tracks layer."""
    export_requested = Signal()
    """Write the masklets in another format."""

    def __init__(self) -> None:
        super().__init__("Masklets (OME-Zarr)")
        self.edit = QLineEdit()
        self.browse_button = QPushButton("…")
        self.browse_button.setToolTip("Choose another folder")
        self.browse_button.setFixedWidth(BROWSE_WIDTH)
        row = QHBoxLayout()
        row.addWidget(self.edit)
        row.addWidget(self.browse_button)
        self.add_row("Folder", row)
        self.recent = RecentList()
        self.recent.open_requested.connect(self.open_requested)
        self.tracks_button = QPushButton(icon("tracks"), "Tracks layer")
        self.tracks_button.setToolTip("Show where all objects went as napari tracks")
        self.tracks_button.clicked.connect(self.tracks_requested)
        self.export_button = QPushButton("Export…")
        self.export_button.setToolTip(
            "Write the masklets as label images, tracks, outlines or tables"
        )
        self.export_button.clicked.connect(self.export_requested)
        below = QHBoxLayout()
        for button in (self.recent, self.tracks_button, self.export_button):
            policy = QSizePolicy.Policy
            button.setSizePolicy(policy.Ignored, policy.Fixed)
            below.addWidget(button)
        self.form.addRow(below)
        self.edit.editingFinished.connect(self._on_edited)
        self.browse_button.clicked.connect(self._browse)
        self._shown = ""

    @property
    def folder(self) -> Path:
        """Where masklets go."""
        return Path(self.edit.text()).expanduser()

    def show_folder(self, folder: Path) -> None:
        """Show a folder without telling anybody."""
        self._shown = short_path(folder)
        self.edit.setText(self._shown)
        self.edit.setToolTip(f"{WHAT_IT_IS}\n\n{folder}")

    def set_frozen(self, frozen: bool) -> None:
        """Let nothing be changed while something is tracked."""
        self.edit.setDisabled(frozen)
        self.browse_button.setDisabled(frozen)
        self.recent.setDisabled(frozen)

    def _browse(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(
            self, "Folder of the masklets", str(self.folder), f"OME-Zarr (*{SUFFIX})"
        )
        if chosen:
            self.edit.setText(chosen)
            self._on_edited()

    def _on_edited(self) -> None:
        if self.edit.text() != self._shown:
            self._shown = self.edit.text()
            self.folder_changed.emit()


def free_folder(layer_name: str, below: Path | None = None) -> Path:
    """Return a folder that does not exist yet.

    Parameters
    ----------
    layer_name
        Name of the image layer; letters that no system forbids are kept.
    below
        Where it is to lie; else in a folder of ours in the home folder.
    """
    kept = "".join(
        letter if letter.isalnum() or letter in "-_" else "-" for letter in layer_name
    )
    name = "-".join(part for part in kept.split("-") if part) or "movie"
    below = Path.home() / HOME_FOLDER if below is None else below
    number = 1
    while (below / f"{name}-{number}{SUFFIX}").exists():
        number += 1
    return below / f"{name}-{number}{SUFFIX}"
