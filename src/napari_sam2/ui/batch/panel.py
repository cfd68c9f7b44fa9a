"""Panel: which movies, what to track in them, and where results go."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QPushButton,
    QSpinBox,
    QWidget,
)

from napari_sam2.io.label_store.store import DEFAULT_NAME
from napari_sam2.ui.batch.request import BatchRequest
from napari_sam2.ui.masklets.session_mark import session_of
from napari_sam2.ui.model.panel import ModelCombo
from napari_sam2.ui.widgets.connections import Connections
from napari_sam2.ui.widgets.icons import icon
from napari_sam2.ui.widgets.layer_combo import LayerCombo
from napari_sam2.ui.widgets.panel import Note, Panel, narrow, short_path

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

LIST_HEIGHT = 92
MOST_WORKERS = 64
NO_SESSION = "none, or a folder …"
POLICIES = (
    ("prompts of the session", ""),
    ("label images of Cellpose", "cellpose"),
    ("label images of StarDist", "stardist"),
    ("label images of ilastik", "ilastik"),
    ("objects that the model finds", "automatic"),
)
OTHER = "another file or pattern …"
PATTERN_TIP = (
    "A name beside each movie such as {stem}_labels.tif or {stem}.csv, a label group "
    "inside it such as labels/nuclei, or one file for all movies"
)
RESULTS_TIP = "The folder of all masklets and of the report; empty: beside each movie"


class BatchPanel(Panel):
    """Asks for all that a batch needs to know."""

    changed = Signal()
    """Something else is asked for."""

    def __init__(self, viewer: Viewer, connections: Connections) -> None:
        super().__init__("What to track")
        self._create(viewer, connections)
        self._lay_out()
        self._folder: Path | None = None
        self._show_other()
        for layer in viewer.layers:
            if _is_session(layer):
                self.session_combo.choose(layer)
        self.session_combo.layer_changed.connect(self._on_session)
        self.folder_button.clicked.connect(self._on_folder_button)
        self.policy_combo.currentIndexChanged.connect(self._show_other)
        self.other_edit.textChanged.connect(self.changed)
        self.results_edit.textChanged.connect(self.changed)
        self.files_button.clicked.connect(self._on_files_button)
        self.movies_button.clicked.connect(self._on_movies_button)
        self.remove_button.clicked.connect(self._remove)
        self.results_button.clicked.connect(self._on_results_button)

    def _create(self, viewer: Viewer, connections: Connections) -> None:
        self.movies = QListWidget()
        self.movies.setFixedHeight(LIST_HEIGHT)
        selects = QAbstractItemView.SelectionMode.ExtendedSelection
        self.movies.setSelectionMode(selects)
        self.movies.setAccessibleName("Movies and folders")
        self.files_button = QPushButton(icon("add"), "Files …")
        self.files_button.setToolTip("Add movies: TIFFs, videos, microscope files")
        self.movies_button = QPushButton(icon("folder"), "Folder …")
        self.movies_button.setToolTip(
            "Add an OME-Zarr, a plate, a folder of OME-Zarr images, or one of frames"
        )
        self.remove_button = QPushButton(icon("remove"), "")
        self.remove_button.setToolTip("Take the chosen ones off the list")
        self.session_combo = LayerCombo(
            viewer, _is_session, connections, nothing=NO_SESSION
        )
        self.session_combo.setToolTip("Its model, contrast and prompts are taken")
        self.folder_button = QPushButton(icon("folder"), "")
        self.folder_button.setToolTip("Choose the OME-Zarr folder of a session")
        self.policy_combo = QComboBox()
        narrow(self.policy_combo)
        for title, prompts in POLICIES:
            self.policy_combo.addItem(title, prompts)
        self.policy_combo.addItem(OTHER, None)
        self.other_edit = QLineEdit()
        self.other_edit.setPlaceholderText("{stem}_labels.tif")
        self.other_edit.setToolTip(PATTERN_TIP)
        self.model_combo = ModelCombo()
        self.results_edit = QLineEdit()
        self.results_edit.setPlaceholderText("beside each movie")
        self.results_edit.setToolTip(RESULTS_TIP)
        self.results_button = QPushButton("…")
        self.results_button.setToolTip("Choose a folder")
        self.workers_spin = QSpinBox()
        self.workers_spin.setRange(1, MOST_WORKERS)
        self.workers_spin.setToolTip(
            "Movies at a time; several need the extra napari-sam2[cluster]"
        )
        self.note = Note()

    def _lay_out(self) -> None:
        self.form.addRow(self.movies)
        self.form.addRow(
            _row(self.files_button, self.movies_button, self.remove_button)
        )
        self.add_row("Take after", _row(self.session_combo, self.folder_button))
        self.add_row("Prompts", self.policy_combo)
        self.add_row("", self.other_edit)
        self.add_row("Model", self.model_combo)
        self.add_row("Results", _row(self.results_edit, self.results_button))
        self.add_row("At a time", self.workers_spin)
        self.form.addRow(self.note)

    @property
    def request(self) -> BatchRequest:
        """What is asked for now."""
        prompts = self.policy_combo.currentData()
        results = self.results_edit.text().strip()
        return BatchRequest(
            movies=tuple(self._paths()),
            session=self._session(),
            prompts=self.other_edit.text().strip() if prompts is None else prompts,
            model=str(self.model_combo.currentData()),
            results=Path(results).expanduser().absolute() if results else None,
            workers=self.workers_spin.value(),
        )

    def add(self, paths: Iterable[str]) -> None:
        """Add files and folders that are not on the list yet."""
        known = set(self._paths())
        for path in paths:
            if path not in known:
                known.add(path)
                self.movies.addItem(path)
        self._tell()

    def use_folder(self, folder: Path) -> None:
        """Take after the session in a folder."""
        self._folder = folder
        self.session_combo.setCurrentIndex(0)
        self._tell()

    def set_frozen(self, frozen: bool) -> None:
        """Let nothing be changed while a batch runs."""
        for widget in (
            *(self.movies, self.files_button, self.movies_button, self.remove_button),
            *(self.session_combo, self.folder_button, self.policy_combo),
            *(self.other_edit, self.results_edit, self.results_button),
            self.workers_spin,
        ):
            widget.setDisabled(frozen)
        self.model_combo.setDisabled(frozen or self._session() is not None)

    def _paths(self) -> list[str]:
        items = (self.movies.item(row) for row in range(self.movies.count()))
        return [item.text() for item in items if item is not None]

    def _session(self) -> tuple[Path, str] | None:
        layer = self.session_combo.layer
        if layer is not None:
            return session_of(layer)
        return None if self._folder is None else (self._folder, DEFAULT_NAME)

    def _tell(self) -> None:
        session = self._session()
        self.model_combo.setDisabled(session is not None)  # it is the session's
        shown = "" if session is None else f"Like {short_path(session[0])}."
        self.note.show_text(self.request.missing or shown)
        self.changed.emit()

    def _show_other(self) -> None:
        is_other = self.policy_combo.currentData() is None
        self.form.setRowVisible(self.other_edit, is_other)
        self._tell()

    def _on_session(self) -> None:
        if self.session_combo.layer is not None:
            self._folder = None
        self._tell()

    def _on_folder_button(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder of a session")
        if chosen:
            self.use_folder(Path(chosen))

    def _on_files_button(self) -> None:
        chosen, _ = QFileDialog.getOpenFileNames(self, "Add movies")
        self.add(chosen)

    def _on_movies_button(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Add a folder")
        if chosen:
            self.add([chosen])

    def _remove(self) -> None:
        for item in self.movies.selectedItems():
            self.movies.takeItem(self.movies.row(item))
        self._tell()

    def _on_results_button(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder of the results")
        if chosen:
            self.results_edit.setText(chosen)


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(3)
    for at, widget in enumerate(widgets):
        row.addWidget(widget, int(at == 0))
    return row


def _is_session(layer: Layer) -> bool:
    return session_of(layer) is not None
