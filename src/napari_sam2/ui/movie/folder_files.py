"""A folder whose files are not one movie: says so, and opens the movie among them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from napari_sam2.errors import InputError
from napari_sam2.io.movies.files.file_series import movies_among
from napari_sam2.io.movies.files.folder_stacks import image_names
from napari_sam2.io.movies.files.zarr_stacks import is_zarr
from napari_sam2.ui.widgets.panel import Note, narrow

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

CHOOSE = "Open only …"


class FolderFiles(QWidget):
    """Hidden, unless a layer was made of all files of a folder that are no movie.

    napari stacks whatever images a folder holds. Here their names are asked.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._movies: dict[str, list[Path]] = {}
        self.note = Note()
        self.combo = QComboBox()
        narrow(self.combo)
        self.combo.setAccessibleName("Files of one movie")
        self.combo.setToolTip("Open the files of one movie as a layer of their own")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.note)
        column.addWidget(self.combo)
        self.combo.activated.connect(self._open)
        self.setVisible(False)

    def show_layer(self, layer: Image | None) -> None:
        """Look at the folder that a layer was opened from, if it was."""
        folder = _folder_of(layer)
        problem, found = "", dict[str, list[str]]()
        if folder is not None:
            try:
                problem, found = movies_among(image_names(folder), folder.name)
            except InputError as error:
                problem = str(error)
        self._movies = {
            called: [Path(folder or ".", name) for name in names]
            for called, names in found.items()
        }
        self.note.show_text(f"⚠ {problem}." if problem else "")
        self.combo.clear()
        self.combo.addItem(CHOOSE)
        for called, files in self._movies.items():
            self.combo.addItem(f"{called} ({len(files)})", called)
        self.combo.setVisible(bool(self._movies))
        self.setVisible(bool(problem))

    def _open(self, index: int) -> None:
        called = self.combo.itemData(index)
        if called is None:
            return
        files = self._movies[called]
        name = f"{files[0].parent.name} {called}"
        self._viewer.open(
            [str(file) for file in files], stack=len(files) > 1, name=name
        )


def _folder_of(layer: Image | None) -> Path | None:
    """Return the folder that all files of a layer came from; None if it is none."""
    path = None if layer is None else layer.source.path
    folder = None if path is None else Path(path)
    if folder is None or not folder.is_dir() or is_zarr(folder):
        return None
    return folder
