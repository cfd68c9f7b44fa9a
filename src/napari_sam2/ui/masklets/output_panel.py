"""Panel: where masklets go."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton

from napari_sam2.ui.masklets.recent_list import RecentList
from napari_sam2.ui.widgets.folders import short_path
from napari_sam2.ui.widgets.icons import icon
from napari_sam2.ui.widgets.panel import Panel

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
        below = QHBoxLayout()
        below.addWidget(self.recent)
        below.addWidget(self.tracks_button)
        self.add_row("", below)
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
    kept = "".join(one if one.isalnum() or one in "-_" else "-" for one in layer_name)
    name = "-".join(part for part in kept.split("-") if part) or "movie"
    below = Path.home() / HOME_FOLDER if below is None else below
    number = 1
    while (below / f"{name}-{number}{SUFFIX}").exists():
        number += 1
    return below / f"{name}-{number}{SUFFIX}"
