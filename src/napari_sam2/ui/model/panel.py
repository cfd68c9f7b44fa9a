"""Panel: which model tracks, where it runs, and whether it is all there."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtGui import QFocusEvent
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_sam2.model.checkpoints.download import DownloadStep
from napari_sam2.model.checkpoints.own_models import OwnModel
from napari_sam2.model.checkpoints.registry import DEFAULT_MODEL, REGISTRY
from napari_sam2.ui.model.devices import USUAL_DEVICES, Device
from napari_sam2.ui.model.hard_cases import HardCaseBoxes
from napari_sam2.ui.model.tile_combo import TileCombo
from napari_sam2.ui.model.view import (
    ModelChoice,
    ModelState,
    Problem,
    budget_text,
    download_text,
    model_title,
    precision_titles,
)
from napari_sam2.ui.widgets.decimal_spin import DecimalSpin
from napari_sam2.ui.widgets.layout import WheelGuard
from napari_sam2.ui.widgets.pace import Pace
from napari_sam2.ui.widgets.panel import Note, Panel, narrow
from napari_sam2.ui.widgets.preferences import Preferences


class ProblemBox(QFrame):
    """Shows one problem at a time, or nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("napari-sam2-problem")
        self.sentence = Note()
        self.command = QLineEdit()
        self.command.setReadOnly(True)
        self.command.setToolTip("Type this into a terminal")
        self.command.setAccessibleName("Command that mends it")
        self.copy_button = QPushButton("&Copy")
        self.copy_button.setToolTip("Copy the command")
        row = QHBoxLayout()
        row.addWidget(self.command, 1)
        row.addWidget(self.copy_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.sentence)
        column.addLayout(row)
        self.copy_button.clicked.connect(self._copy)
        self.show_problem(None)

    def show_problem(self, problem: Problem | None) -> None:
        """Show a problem; without one, take no room."""
        self.setVisible(problem is not None)
        if problem is None:
            return
        self.sentence.show_text(f"⚠ {problem.sentence}")
        self.command.setText(problem.command)
        self.command.setCursorPosition(0)
        for widget in (self.command, self.copy_button):
            widget.setVisible(bool(problem.command))
        self.copy_button.setText("&Copy")

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.command.text())
            self.copy_button.setText("Copied")


NARROWEST = 10
IS_OWN = int(Qt.ItemDataRole.UserRole) + 1


class ModelCombo(QComboBox):
    """Lists networks; an item's data is what stands for it wherever one is asked for.

    Own models come last, before items that were added after the published ones.
    """

    about_to_open = Signal()
    """The list is going to be seen: a good moment for `show_own_models`."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumContentsLength(NARROWEST)
        self.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        for entry in REGISTRY.values():
            if entry.is_bundled or entry.name.startswith("sam2.1"):
                self.addItem(model_title(entry), entry.name)
        self._published = self.count()

    def showPopup(self) -> None:
        """Ask for the latest own models, and open."""
        self.about_to_open.emit()
        super().showPopup()

    def show_own_models(self, models: Sequence[OwnModel]) -> None:
        """List these own models; what is chosen stays, even if it is gone."""
        before = self.blockSignals(True)
        for index in reversed(range(self.count())):
            if self.itemData(index, IS_OWN) and index != self.currentIndex():
                self.removeItem(index)
        for place, model in enumerate(models, start=self._published):
            index = self.findData(str(model.path))
            if index < 0:
                index = min(place, self.count())
                self.insertItem(index, model.name, str(model.path))
            self.setItemText(index, model.name)
            self.setItemData(index, True, IS_OWN)
            tip = card_tip(_card(model))
            self.setItemData(index, tip, Qt.ItemDataRole.ToolTipRole)
        self.blockSignals(before)


def card_tip(card: str) -> str:
    """Return a tooltip that shows a card as it is written.

    Qt wraps long lines in rich text only.

    >>> card_tip("J < 1")
    '<p style="white-space: pre-wrap">J &lt; 1</p>'
    """
    return f'<p style="white-space: pre-wrap">{html.escape(card)}</p>'


def _card(model: OwnModel) -> str:
    try:
        return model.card
    except UnicodeDecodeError:  # somebody wrote another file there
        return model.summary


GB, MB = 10**9, 10**6
MOST_GB = 1024.0


class DeviceCombo(QComboBox):
    """Lists devices; asks for those of this machine when somebody wants to choose."""

    devices_requested = Signal()
    """Somebody looks at the list for the first time."""

    def __init__(self) -> None:
        super().__init__()
        narrow(self)
        self.setToolTip(
            "Where the network runs. Automatic takes a graphics card if there is one"
        )
        self.setAccessibleName("Device")
        self._was_asked = False
        self.show_devices(USUAL_DEVICES)

    def show_devices(self, devices: Sequence[Device]) -> None:
        """List devices, keeping the choice even if it is not among them."""
        chosen = self.currentData()
        self.blockSignals(True)
        self.clear()
        for device in devices:
            self.addItem(device.title, device.name)
        self.blockSignals(False)
        if chosen is not None:
            self.choose(chosen)

    def choose(self, name: str) -> None:
        """Choose a device by its name."""
        if self.findData(name) < 0:
            self.addItem(name, name)
        self.setCurrentIndex(self.findData(name))

    def showPopup(self) -> None:
        """Show the list, and ask for what it may lack."""
        self._ask()
        super().showPopup()

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        """Ask for what the list may lack: arrow keys choose without opening it."""
        self._ask()
        super().focusInEvent(event)

    def _ask(self) -> None:
        if not self._was_asked:
            self._was_asked = True
            self.devices_requested.emit()


class DeviceRows(QObject):
    """Device, precision and memory budget: the fields, to be laid out by the panel."""

    devices_requested = Signal()
    changed = Signal()
    """One of them is another one now."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.device_combo = DeviceCombo()
        self.precision_combo = QComboBox()
        narrow(self.precision_combo)
        for name, title in precision_titles().items():
            self.precision_combo.addItem(title, name)
        self.precision_combo.setToolTip(
            "Numbers of the network's products. Automatic: bf16 on graphics cards that "
            "have it, else 32 bit; masks differ a little between them"
        )
        self.precision_combo.setAccessibleName("Precision")
        self.memory_spin = DecimalSpin()
        self.memory_spin.setRange(0.0, MOST_GB)
        self.memory_spin.setDecimals(1)
        self.memory_spin.setSingleStep(0.5)
        self.memory_spin.setSpecialValueText("what is free")
        self.memory_spin.setToolTip(
            "Memory that objects may take on the device; the lowest value takes what "
            "is free"
        )
        self.memory_spin.setAccessibleName("Memory budget")
        self.memory_spin.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed
        )
        self.unit_combo = QComboBox()
        for title, size in (("GB", GB), ("MB", MB)):
            self.unit_combo.addItem(title, size)
        self.unit_combo.setToolTip("Unit of the memory budget")
        self.unit_combo.setAccessibleName("Unit of the memory budget")
        self.memory_row = QHBoxLayout()
        self.memory_row.addWidget(self.memory_spin, 1)
        self.memory_row.addWidget(self.unit_combo)
        self.device_combo.devices_requested.connect(self.devices_requested)
        self.device_combo.currentIndexChanged.connect(self.changed)
        self.precision_combo.currentIndexChanged.connect(self.changed)
        self.memory_spin.valueChanged.connect(self.changed)
        self.unit_combo.currentIndexChanged.connect(self._on_unit_changed)

    @property
    def memory_bytes(self) -> int | None:
        """The memory budget in bytes; None for what is free."""
        return round(self.memory_spin.value() * self.unit_combo.currentData()) or None

    def set_memory_bytes(self, count: int | None) -> None:
        """Show a memory budget, in the unit that suits it."""
        unit = GB if not count or count >= GB else MB
        self.unit_combo.blockSignals(True)
        self.unit_combo.setCurrentIndex(self.unit_combo.findData(unit))
        self.unit_combo.blockSignals(False)
        self._fit_unit()
        self.memory_spin.setValue((count or 0) / unit)

    def set_frozen(self, frozen: bool) -> None:
        """Let nothing be changed while something is tracked."""
        for widget in (
            self.device_combo,
            self.precision_combo,
            self.memory_spin,
            self.unit_combo,
        ):
            widget.setDisabled(frozen)

    def _on_unit_changed(self) -> None:
        """Show the same number of bytes in the other unit."""
        before = MB if self.unit_combo.currentData() == GB else GB
        value = self.memory_spin.value() * before / self.unit_combo.currentData()
        self._fit_unit()
        self.memory_spin.setValue(value)

    def _fit_unit(self) -> None:
        unit = self.unit_combo.currentData()
        self.memory_spin.setRange(0.0, MOST_GB * GB / unit)
        self.memory_spin.setDecimals(1 if unit == GB else 0)
        self.memory_spin.setSingleStep(0.5 if unit == GB else 100)


OWN_FILE = "Own file …"
FILE_KINDS = "Checkpoints (*.pt *.pth *.safetensors)"
BAR_STEPS = 1000


class ModelPanel(Panel):
    """Asks for the model and says where it runs."""

    model_changed = Signal()
    """Another model was chosen."""
    tiles_changed = Signal()
    """Frames are to be looked at more closely, or less."""
    choice_changed = Signal()
    """Anything of `choice` is another one now, model and tiles included."""
    state_requested = Signal(str)
    """Is the file of this model here? Answer with `show_model_state`."""
    download_requested = Signal(str)
    """Fetch this model's file now; tell `show_download`, `end_download`."""
    check_requested = Signal(str)
    """Compare the hash of this model's file; answer with `show_model_state`."""
    cancel_requested = Signal()
    """Stop the download."""
    own_models_requested = Signal()
    """Which own models are there? Answer with `combo.show_own_models`."""
    devices_requested = Signal()
    """What can torch use? Answer with `device_combo.show_devices`."""

    def __init__(self, preferences: Preferences | None = None) -> None:
        super().__init__("Model")
        preferred = preferences or Preferences()
        self._chosen = DEFAULT_MODEL
        self._objects = 0
        self._is_frozen = False
        self._is_here = False
        self._pace = Pace()
        self._create()
        self._lay_out()
        self._connect()
        self.devices.device_combo.choose(preferred.device)
        precision = self.devices.precision_combo
        precision.setCurrentIndex(max(0, precision.findData(preferred.precision)))
        self.devices.set_memory_bytes(preferred.memory_bytes)
        self.choose(preferred.model)
        self.show_state("")
        self._show_budget()
        self.end_download()
        WheelGuard(self)

    def _create(self) -> None:
        self.combo = ModelCombo()
        self.combo.setToolTip(
            "nano comes with the plugin and is fast without a graphics card; the "
            "SAM 2.1 models are downloaded once, and want one"
        )
        self.combo.setAccessibleName("Network")
        self.combo.addItem(OWN_FILE, None)
        self.combo.setCurrentIndex(self.combo.findData(DEFAULT_MODEL))
        self.tile_combo = TileCombo()
        self.state = Note()
        self.file_button = QPushButton()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip(
            "Stop the download; what came is kept, and it goes on from there"
        )
        self.download_note = Note()
        self.devices = DeviceRows(self)
        self.budget = Note()
        self.problem = ProblemBox()
        self.hard_cases = HardCaseBoxes(self)

    def _lay_out(self) -> None:
        self._download = QWidget()
        row = QHBoxLayout(self._download)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel_button)
        devices = self.devices
        self.add_row("Networ&k", self.combo)
        self.form.addRow(self.state)
        self.form.addRow(self.file_button)
        self.form.addRow(self._download)
        self.form.addRow(self.download_note)
        self.form.addRow(self.problem)
        for widget in (self.hard_cases.note, *self.hard_cases.boxes):
            self.form.addRow(widget)
        self.add_row("Small cells", self.tile_combo)
        self.add_row("De&vice", devices.device_combo)
        self.add_row("Precision", devices.precision_combo)
        self.add_row("Memory", devices.memory_row)
        self.form.addRow(self.budget)

    def _connect(self) -> None:
        self.combo.activated.connect(self._on_activated)
        self.combo.about_to_open.connect(self.own_models_requested)
        self.tile_combo.changed.connect(self.choice_changed)
        self.tile_combo.changed.connect(self.tiles_changed)
        self.devices.changed.connect(self._on_devices_changed)
        self.hard_cases.changed.connect(self.choice_changed)
        for changed in (self.tile_combo.changed, self.hard_cases.changed):
            changed.connect(self._exclude)
        self.devices.devices_requested.connect(self.devices_requested)
        self.file_button.clicked.connect(self._on_file_button)
        self.cancel_button.clicked.connect(self._on_cancel)

    # --- What is chosen

    @property
    def model(self) -> str:
        """Name or path of the model."""
        return self._chosen

    @property
    def choice(self) -> ModelChoice:
        """Everything that is chosen here."""
        return ModelChoice(
            self._chosen,
            str(self.devices.device_combo.currentData()),
            str(self.devices.precision_combo.currentData()),
            self.devices.memory_bytes,
            self.tile_combo.tiles,
            self.hard_cases.chosen,
        )

    def choose(self, name_or_path: str) -> None:
        """Choose a model by its name, or a checkpoint file by its path."""
        if self.combo.findData(name_or_path) < 0:
            at = self.combo.count() - 1
            self.combo.insertItem(at, Path(name_or_path).name, name_or_path)
        self.combo.setCurrentIndex(self.combo.findData(name_or_path))
        if name_or_path == self._chosen:
            return
        self._chosen, self._is_here = name_or_path, False
        self.show_state("")
        self.problem.show_problem(None)
        self._show_file_button()
        self._show_budget()
        self.choice_changed.emit()
        self.model_changed.emit()
        self.state_requested.emit(name_or_path)

    def ask_for_state(self) -> None:
        """Ask whether the model's file is here: once somebody is connected."""
        self.state_requested.emit(self._chosen)

    def set_frozen(self, frozen: bool) -> None:
        """Let nothing be changed while something is tracked."""
        self._is_frozen = frozen
        self.combo.setDisabled(frozen)
        self.file_button.setDisabled(frozen)
        self.devices.set_frozen(frozen)
        self._exclude()

    def _exclude(self) -> None:
        """Let only one of tiles and hard cases be chosen: they do not go together."""
        frozen, chosen = self._is_frozen, self.hard_cases.chosen
        self.hard_cases.set_frozen(frozen, in_tiles=self.tile_combo.tiles is not None)
        self.tile_combo.set_frozen(frozen, has_case=bool(chosen.hard_cases))

    # --- What is shown

    def show_state(self, text: str) -> None:
        """Say where the model runs, or nothing."""
        self.state.show_text(text)

    def show_model_state(self, state: ModelState) -> None:
        """Say whether the model's file is here; of another model, nothing."""
        if state.name != self._chosen:
            return
        self._is_here = state.is_here
        self.hard_cases.show_usual(state.one_component)
        self.show_state(state.sentence)
        self._show_file_button()

    def show_objects(self, count: int) -> None:
        """Say how many objects there are: the memory is shared among them."""
        self._objects = count
        self._show_budget()

    def show_download(self, step: DownloadStep) -> None:
        """Show how far a download is."""
        if self._download.isHidden():
            self._pace = Pace()
            self._download.show()
            self.file_button.hide()
            self.cancel_button.setEnabled(True)
        rate = self._pace.note(step.here) if step.stage == "downloading" else None
        is_measurable = step.stage == "downloading" and bool(step.total)
        self.bar.setRange(0, BAR_STEPS if is_measurable else 0)
        if is_measurable and step.total:
            self.bar.setValue(BAR_STEPS * step.here // step.total)
        self.download_note.show_text(download_text(step, rate))

    def end_download(self, text: str = "") -> None:
        """Show that a download is over, and how it went."""
        self._download.hide()
        self.download_note.show_text(text)
        self._show_file_button()

    # --- Steps

    def _on_activated(self, index: int) -> None:
        name = self.combo.itemData(index)
        if name is None:
            name, _ = QFileDialog.getOpenFileName(
                self, "Choose a checkpoint", str(Path.home()), FILE_KINDS
            )
        self.choose(name or self._chosen)

    def _on_devices_changed(self) -> None:
        self._show_budget()
        self.choice_changed.emit()

    def _on_file_button(self) -> None:
        asked = self.check_requested if self._is_here else self.download_requested
        asked.emit(self._chosen)

    def _on_cancel(self) -> None:
        self.cancel_button.setEnabled(False)
        self.cancel_requested.emit()

    def _show_budget(self) -> None:
        self.budget.show_text(budget_text(self.choice, self._objects))

    def _show_file_button(self) -> None:
        """Offer to fetch a file that is absent, or to check one that is here."""
        entry = REGISTRY.get(self._chosen)
        is_official = entry is not None and not entry.is_bundled
        self.file_button.setVisible(is_official and self._download.isHidden())
        self.file_button.setText("&Check the file" if self._is_here else "Do&wnload")
        self.file_button.setToolTip(
            "Read the whole file and compare its SHA-256 with the published one"
            if self._is_here
            else "Fetch the file now; otherwise it comes with the first click"
        )
