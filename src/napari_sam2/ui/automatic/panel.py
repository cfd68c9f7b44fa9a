"""Panel: everything on this frame, or in the movie; thresholds are tried out live."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QSpinBox,
)

from napari_sam2.texts import counted
from napari_sam2.tracking.automatic.mask_options import (
    LARGEST_GRID,
    LOOSEST,
    MaskOptions,
)
from napari_sam2.tracking.automatic.masklet_options import Divisions, MaskletOptions
from napari_sam2.ui.widgets.panel import Note, Panel

LARGEST_AREA = 100_000
LARGEST_STEP = 1000
TAKE_ONE = ": click on one to take it alone"
LIKE = 0.5
"""Of masks that are sought like an object, what is less alike is not shown at first."""
DEFAULTS = MaskletOptions()


class Threshold(QHBoxLayout):
    """A slider with its value, in hundredths.

    Parameters
    ----------
    least, value
        Where it begins, and where it stands.
    """

    def __init__(self, least: float, value: float) -> None:
        super().__init__()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(round(100 * least), 100)
        self.slider.setValue(round(100 * value))
        self._text = QLabel()
        self.addWidget(self.slider)
        self.addWidget(self._text)
        self.slider.valueChanged.connect(self._show)
        self._show()

    @property
    def value(self) -> float:
        """The threshold."""
        return self.slider.value() / 100

    def _show(self) -> None:
        self._text.setText(f"{self.value:.2f}")


class AutomaticPanel(Panel):
    """Asks for masks of everything, shows how many there are, and asks to take them."""

    look_requested = Signal()
    """Find masks on this frame, with `mask_options`; or show what others would be."""
    take_requested = Signal()
    """Make objects of the masks that are shown."""
    similar_requested = Signal()
    """Find masks on this frame that are like the chosen object."""
    likeness_changed = Signal()
    """Show those that are at least as much alike as `least_likeness`."""
    clear_requested = Signal()
    """Show no masks any more."""
    movie_requested = Signal()
    """Find and follow the objects of the movie, with `masklet_options`."""
    divisions_requested = Signal()
    """Say who of the tracked objects may divide."""
    stop_requested = Signal()
    """End the search through the movie."""

    def __init__(self) -> None:
        super().__init__("Everything")
        self.grid_spin = _spin(1, LARGEST_GRID, DEFAULTS.masks.points_per_side)
        self.grid_spin.setToolTip("The model is asked at so many points squared")
        self.iou = Threshold(LOOSEST["minimum_iou"], DEFAULTS.masks.minimum_iou)
        self.stability = Threshold(
            LOOSEST["minimum_stability"], DEFAULTS.masks.minimum_stability
        )
        self.area_spin = _spin(1, LARGEST_AREA, DEFAULTS.masks.minimum_area)
        self.area_spin.setSuffix(" px")
        self.every_spin = _spin(1, LARGEST_STEP, DEFAULTS.every)
        self.every_spin.setPrefix("look every ")
        self.every_spin.setSuffix(" frames")
        self.divisions_combo = QComboBox()
        for choice in Divisions:
            self.divisions_combo.addItem(str(choice).capitalize(), choice)
        self.look_button = _button("Find", "Show the masks of all on this frame")
        self.similar_button = _button(
            "More like this", "Show masks that are like the chosen object"
        )
        self.likeness = Threshold(0, LIKE)
        self.take_button = _button("Take", "Make objects of the masks that are shown")
        self.clear_button = _button("Clear", "Show no masks any more")
        self.movie_button = _button(
            "Find and track all", "Find the objects of the whole movie, and track them"
        )
        self.divisions_button = _button(
            "Find divisions", "Say who of the tracked objects may divide (then D)"
        )
        self.stop_button = _button("Stop", "End the search")
        self.note = Note()
        self._lay_out()
        self._connect()
        self.show_count(None)
        self.set_searching(searching=False)

    @property
    def mask_options(self) -> MaskOptions:
        """What counts as a mask."""
        return MaskOptions(
            points_per_side=self.grid_spin.value(),
            minimum_iou=self.iou.value,
            minimum_stability=self.stability.value,
            minimum_area=self.area_spin.value(),
        )

    @property
    def masklet_options(self) -> MaskletOptions:
        """What counts as an object of the movie."""
        return MaskletOptions(
            every=self.every_spin.value(),
            divisions=Divisions(self.divisions_combo.currentData()),
            masks=self.mask_options,
        )

    def show_count(self, count: int | None) -> None:
        """Show how many masks are shown; None if nobody looked."""
        self._is_live = count is not None
        self.take_button.setEnabled(bool(count))
        self.clear_button.setEnabled(self._is_live)
        text = (
            "" if count is None else f"{counted(count, 'mask')} that nobody follows yet"
        )
        text += TAKE_ONE if count else ""
        self.note.show_text(text)

    def set_searching(self, searching: bool) -> None:
        """Show whether the movie is being searched."""
        self.movie_button.setDisabled(searching)
        self.stop_button.setEnabled(searching)

    def _lay_out(self) -> None:
        self.add_row("Grid", self.grid_spin)
        self.add_row("IoU above", self.iou)
        self.add_row("Stability", self.stability)
        self.add_row("Area from", self.area_spin)
        self.add_row("Like it", self.likeness)
        self.form.addRow(_row(self.look_button, self.similar_button))
        self.form.addRow(_row(self.take_button, self.clear_button))
        self.form.addRow(self.note)
        self.add_row("The movie", self.every_spin)
        self.add_row("Divisions", self.divisions_combo)
        self.form.addRow(_row(self.movie_button, self.stop_button))
        self.form.addRow(_row(self.divisions_button))

    def _connect(self) -> None:
        self.look_button.clicked.connect(self.look_requested)
        self.similar_button.clicked.connect(self.similar_requested)
        self.likeness.slider.valueChanged.connect(self.likeness_changed)
        self.take_button.clicked.connect(self.take_requested)
        self.clear_button.clicked.connect(self.clear_requested)
        self.movie_button.clicked.connect(self.movie_requested)
        self.divisions_button.clicked.connect(self.divisions_requested)
        self.stop_button.clicked.connect(self.stop_requested)
        for threshold in (self.iou, self.stability):
            threshold.slider.valueChanged.connect(self._on_changed)
        for spin in (self.grid_spin, self.area_spin):
            spin.valueChanged.connect(self._on_changed)

    def _on_changed(self) -> None:
        """Look again, if masks are shown."""
        if self._is_live:
            self.look_requested.emit()


def _spin(least: int, most: int, value: int) -> QSpinBox:
    spin = QSpinBox()
    spin.setRange(least, most)
    spin.setValue(value)
    return spin


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button


def _row(*buttons: QPushButton) -> QHBoxLayout:
    row = QHBoxLayout()
    for button in buttons:
        row.addWidget(button)
    return row
