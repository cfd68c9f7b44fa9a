"""Rows of the model panel: where the network runs, in which numbers, in what memory."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QObject, Signal
from qtpy.QtGui import QFocusEvent
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QSizePolicy

from napari_sam2.ui.model.devices import USUAL_DEVICES, Device
from napari_sam2.ui.model.view import precision_titles
from napari_sam2.ui.widgets.panel import narrow

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
        self.memory_spin = QDoubleSpinBox()
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
