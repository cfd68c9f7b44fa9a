"""Panel: which model tracks."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFileDialog

from napari_sam2.model.registry import DEFAULT_MODEL, REGISTRY, ModelFile
from napari_sam2.ui.panel import Note, Panel

OWN_FILE = "Own file …"
FILE_KINDS = "Checkpoints (*.pt *.pth *.safetensors)"


class ModelPanel(Panel):
    """Asks for the model and says where it runs."""

    model_changed = Signal()
    """Another model was chosen."""

    def __init__(self) -> None:
        super().__init__("Model")
        self.combo = QComboBox()
        self.combo.setMinimumContentsLength(12)
        self.combo.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.combo.setToolTip(
            "nano comes with the plugin and is fast without a graphics card; the "
            "SAM 2.1 models are downloaded once, and want one"
        )
        for entry in REGISTRY.values():
            if entry.is_bundled or entry.name.startswith("sam2.1"):
                self.combo.addItem(_title(entry), entry.name)
        self.combo.addItem(OWN_FILE, None)
        self._chosen = DEFAULT_MODEL
        self.combo.setCurrentIndex(self.combo.findData(DEFAULT_MODEL))
        self.state = Note()
        self.add_row("Network", self.combo)
        self.form.addRow(self.state)
        self.combo.activated.connect(self._on_activated)
        self.show_state("")

    @property
    def model(self) -> str:
        """Name or path of the model."""
        return self._chosen

    def choose(self, name_or_path: str) -> None:
        """Choose a model by its name, or a checkpoint file by its path."""
        if self.combo.findData(name_or_path) < 0:
            at = self.combo.count() - 1
            self.combo.insertItem(at, Path(name_or_path).name, name_or_path)
        self.combo.setCurrentIndex(self.combo.findData(name_or_path))
        if name_or_path != self._chosen:
            self._chosen = name_or_path
            self.show_state("")
            self.model_changed.emit()

    def show_state(self, text: str) -> None:
        """Say where the model runs, or nothing."""
        self.state.show_text(text)

    def set_frozen(self, frozen: bool) -> None:
        """Let nothing be changed while something is tracked."""
        self.combo.setDisabled(frozen)

    def _on_activated(self, index: int) -> None:
        name = self.combo.itemData(index)
        if name is None:
            name, _ = QFileDialog.getOpenFileName(
                self, "Choose a checkpoint", str(Path.home()), FILE_KINDS
            )
        self.choose(name or self._chosen)


def _title(entry: ModelFile) -> str:
    if entry.is_bundled:
        return f"{entry.name} (bundled)"
    size = entry.name.removeprefix("sam2.1_").replace("base_plus", "base+")
    length = f" ({entry.bytes / 1e6:.0f} MB)" if entry.bytes else ""
    return f"SAM 2.1 {size}{length}"
