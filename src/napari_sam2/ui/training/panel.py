"""Panel: which masklets teach."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
)

from napari_sam2.io.label_store.store import DEFAULT_NAME
from napari_sam2.texts import counted
from napari_sam2.ui.masklets.session_mark import session_of
from napari_sam2.ui.training.jobs import SessionListed
from napari_sam2.ui.widgets.connections import Connections
from napari_sam2.ui.widgets.icons import icon
from napari_sam2.ui.widgets.layer_combo import LayerCombo
from napari_sam2.ui.widgets.panel import Note, Panel

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

COLUMNS = ("Masklet", "Tracked", "Locked", "Verified")
LIST_HEIGHT = 150
OTHER = "a folder …"

FIRST_STEPS = (
    "Track some cells with SAM 2 Tracker first, correct them, and lock or review the "
    "frames that are right."
)
UNVERIFIED = (
    "Of a masklet without locked or reviewed frames all tracked frames are taken as "
    "true, mistakes included."
)


class TaughtPanel(Panel):
    """Lists the masklets of a session; those with verified frames are chosen."""

    session_requested = Signal(object, str)
    """List the masklets in this folder, a `Path`, under this name."""
    choice_changed = Signal()
    """Other masklets were chosen."""

    def __init__(self, viewer: Viewer, connections: Connections) -> None:
        super().__init__("Masklets to learn from")
        self.combo = LayerCombo(viewer, _is_session, connections, nothing=OTHER)
        self.combo.setAccessibleName("Session")
        self.folder_button = QPushButton(icon("folder"), "")
        self.folder_button.setToolTip("Choose the OME-Zarr folder of a session")
        self.refresh_button = QPushButton(icon("redo"), "")
        self.refresh_button.setToolTip("Read again what is locked and reviewed")
        self.list = _made_list()
        self.note = Note()
        row = QHBoxLayout()
        row.setSpacing(3)
        row.addWidget(self.combo, 1)
        row.addWidget(self.folder_button)
        row.addWidget(self.refresh_button)
        self.add_row("Session", row)
        self.form.addRow(self.list)
        self.form.addRow(self.note)
        self.listed: SessionListed | None = None
        self._folder: Path | None = None
        self.combo.layer_changed.connect(self.ask)
        self.folder_button.clicked.connect(self._on_folder_button)
        self.refresh_button.clicked.connect(self.ask)
        self.list.itemChanged.connect(self._on_item_changed)
        self.show_session(None)
        for layer in viewer.layers:
            if _is_session(layer):
                self.combo.choose(layer)

    @property
    def session(self) -> tuple[Path, str] | None:
        """Folder and name of what is chosen; None if nothing is."""
        layer = self.combo.layer
        if layer is not None:
            return session_of(layer)
        return None if self._folder is None else (self._folder, DEFAULT_NAME)

    @property
    def objects(self) -> tuple[int, ...]:
        """Ids of the chosen masklets."""
        items = [
            self.list.topLevelItem(at) for at in range(self.list.topLevelItemCount())
        ]
        return tuple(
            int(item.data(0, Qt.ItemDataRole.UserRole))
            for item in items
            if item is not None and item.checkState(0) == Qt.CheckState.Checked
        )

    def ask(self) -> None:
        """Ask for the masklets of the chosen session."""
        chosen = self.session
        if chosen is None:
            self.show_session(None)
        else:
            self.session_requested.emit(*chosen)

    def show_session(self, listed: SessionListed | None) -> None:
        """List masklets; choices are kept where the session is the same."""
        is_same = (
            listed is not None
            and self.listed is not None
            and listed.session == self.listed.session
        )
        known = (
            {row.object_id: row for row in self.listed.rows}
            if is_same and self.listed
            else {}
        )
        chosen = set(self.objects)
        self.listed = listed
        self.list.blockSignals(True)
        self.list.clear()
        for row in listed.rows if listed else ():
            name = row.name or f"object {row.object_id}"
            numbers = (row.tracked, row.locked, row.reviewed)
            item = QTreeWidgetItem([name, *map(str, numbers)])
            item.setData(0, Qt.ItemDataRole.UserRole, row.object_id)
            was = known.get(row.object_id)
            keeps = was is not None and was.is_verified == row.is_verified
            is_chosen = row.object_id in chosen if keeps else row.is_verified
            state = Qt.CheckState.Checked if is_chosen else Qt.CheckState.Unchecked
            item.setCheckState(0, state)
            for column in range(1, len(COLUMNS)):
                item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight)
            self.list.addTopLevelItem(item)
        self.list.blockSignals(False)
        self._on_item_changed()

    def set_frozen(self, frozen: bool) -> None:
        """Let nothing be changed while something is trained."""
        for widget in (self.combo, self.folder_button, self.refresh_button, self.list):
            widget.setDisabled(frozen)

    def _on_item_changed(self, *_what: object) -> None:
        self.note.show_text(self._advice())
        self.choice_changed.emit()

    def _advice(self) -> str:
        if self.listed is None:
            return FIRST_STEPS
        chosen = set(self.objects)
        rows = [row for row in self.listed.rows if row.object_id in chosen]
        where = f"{self.listed.folder.name}: " if self.combo.layer is None else ""
        if not rows:
            return (
                f"{where}Nothing is locked or reviewed: choose masklets that are right."
            )
        masks = sum(row.reviewed or row.tracked for row in rows)
        text = (
            f"{where}{counted(len(rows), 'masklet')} with {counted(masks, 'mask')}; "
            "the last quarter of the frames is kept to measure the result."
        )
        if all(row.is_verified for row in rows):
            return text
        return f"{text} {UNVERIFIED}"

    def _on_folder_button(self) -> None:
        answer = QFileDialog.getExistingDirectory(
            self, "Choose the folder of a session", str(Path.home())
        )
        if answer:
            self._folder = Path(answer)
            self.combo.blockSignals(True)
            self.combo.setCurrentIndex(0)
            self.combo.blockSignals(False)
            self.ask()


def _made_list() -> QTreeWidget:
    made = QTreeWidget()
    made.setHeaderLabels(list(COLUMNS))
    made.setRootIsDecorated(False)
    made.setFixedHeight(LIST_HEIGHT)
    made.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    made.setAccessibleName("Masklets that teach")
    header = made.header()
    if header is not None:
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    return made


def _is_session(layer: Layer) -> bool:
    return session_of(layer) is not None
