"""The dialog *Export*: which format, where to, how far it is."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QWidget,
)

from napari_sam2.io.exports.formats import FORMATS
from napari_sam2.ui.widgets.panel import Note, short_path

BROWSE_WIDTH = 32


class ExportDialog(QDialog):
    """Asks how masklets shall be written; stays open while they are."""

    export_requested = Signal(str, object, bool)
    """Name of the format, a `Path`, and whether intensities are measured."""
    stop_requested = Signal()
    """End what is being written."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export masklets")
        self.formats = QComboBox()
        for name, described in FORMATS.items():
            self.formats.addItem(described.title, name)
        self.edit = QLineEdit()
        self.edit.setMinimumWidth(320)
        self.browse_button = QPushButton("…")
        self.browse_button.setToolTip("Choose where to write")
        self.browse_button.setFixedWidth(BROWSE_WIDTH)
        self.intensities = QCheckBox("Mean intensities of the movie")
        self.progress = QProgressBar()
        self.progress.setFormat("frame %v of %m")
        self.note = Note()
        self.buttons = QDialogButtonBox()
        self.export_button = self._button("Export", "AcceptRole")
        self.stop_button = self._button("Stop", "DestructiveRole")
        self.close_button = self._button("Close", "RejectRole")
        self._lay_out()
        self.formats.currentIndexChanged.connect(self._on_format)
        self.browse_button.clicked.connect(self._browse)
        self.export_button.clicked.connect(self._ask)
        self.stop_button.clicked.connect(self.stop_requested)
        self.close_button.clicked.connect(self.hide)
        self._on_format()
        self.set_running(running=False)

    @property
    def format_name(self) -> str:
        """Key of the format that is chosen."""
        return str(self.formats.currentData())

    def offer(self, folder: Path) -> None:
        """Offer a path beside the masklets, and come to the front."""
        self.edit.setText(short_path(folder.with_suffix("")))
        self._on_format()
        self.show()
        self.raise_()

    def set_running(self, running: bool) -> None:
        """Show whether something is being written."""
        for asked in (self.formats, self.edit, self.browse_button, self.export_button):
            asked.setDisabled(running)
        self.intensities.setEnabled(not running and self._measures)
        self.stop_button.setEnabled(running)
        self.progress.setVisible(running)

    def show_progress(self, done: int, total: int) -> None:
        """Show how many frames of how many are written."""
        self.progress.setMaximum(total)
        self.progress.setValue(done)

    def tell(self, text: str) -> None:
        """Say what came of it."""
        self.note.show_text(text)

    @property
    def _measures(self) -> bool:
        return FORMATS[self.format_name].measures

    def _button(self, text: str, role: str) -> QPushButton:
        button = QPushButton(text)
        button.setAutoDefault(False)
        self.buttons.addButton(button, getattr(QDialogButtonBox.ButtonRole, role))
        return button

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        row = QHBoxLayout()
        row.addWidget(self.edit)
        row.addWidget(self.browse_button)
        form.addRow("Format", self.formats)
        form.addRow("Write to", row)
        form.addRow("", self.intensities)
        form.addRow(QLabel(""), self.progress)
        form.addRow(self.note)
        form.addRow(self.buttons)
        self.tell("")

    def _on_format(self) -> None:
        """Give the path the ending of the format."""
        self.intensities.setEnabled(self._measures)
        path = Path(self.edit.text())
        if not path.name:
            return
        endings = {described.suffix for described in FORMATS.values()}
        if path.suffix in endings:
            path = path.with_suffix("")
        self.edit.setText(str(path) + FORMATS[self.format_name].suffix)

    def _browse(self) -> None:
        suffix = FORMATS[self.format_name].suffix
        kinds = f"*{suffix}" if suffix else "*"
        chosen, _ = QFileDialog.getSaveFileName(
            self,
            "Write to",
            self.edit.text(),
            f"{self.formats.currentText()} ({kinds})",
        )
        if chosen:
            self.edit.setText(chosen)

    def _ask(self) -> None:
        measures = self._measures and self.intensities.isChecked()
        path = Path(self.edit.text()).expanduser()
        self.export_requested.emit(self.format_name, path, measures)
