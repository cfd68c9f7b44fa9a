"""Rows that ask which channels the model sees, and how each is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_sam2.engine.movie.image_input import (
    COLORS,
    GREY,
    ChannelChoice,
    ChannelSource,
    Look,
)
from napari_sam2.ui.widgets.decimal_spin import DecimalSpin
from napari_sam2.ui.widgets.panel import narrow

NOTHING = "nothing"
DARKEST = {"red": "#b01818", "green": "#127a28", "blue": "#2448c8", GREY: "#707070"}
"""Background of a row's letter: white on it can be read in both themes."""

DIGITS, DECIMALS = 7, 4
"""Of a contrast limit at most: more were cut off in a narrow dock."""

SHORTEST_SPIN = 40
"""Pixels that a number always has; napari's style wants more."""

FARTHEST = 1e12
SMALLEST_GAMMA, LARGEST_GAMMA = 0.1, 5.0

LookOf = Callable[[ChannelSource], Look | None]
"""From a channel to the look of its layer; None if the layer is gone."""


class ChannelRow(QWidget):
    """One colour: where it comes from, and its look.

    Parameters
    ----------
    color
        ``"grey"``, ``"red"``, ``"green"`` or ``"blue"``.
    """

    changed = Signal()

    def __init__(self, color: str, look_of: LookOf) -> None:
        super().__init__()
        self.color = color
        self._look_of = look_of
        self._sources: dict[int, ChannelSource] = {}
        self._has_own_look = False
        self._create()
        self._lay_out()
        self.combo.currentIndexChanged.connect(self._on_source_changed)
        self.low_spin.valueChanged.connect(self._on_low_edited)
        self.high_spin.valueChanged.connect(self._on_high_edited)
        self.gamma_spin.valueChanged.connect(self._on_look_edited)
        self.invert_box.toggled.connect(self._on_look_edited)
        self.as_layer_button.clicked.connect(self.follow_layer)
        self.look_button.toggled.connect(self._editor.setVisible)
        self._editor.hide()

    def _create(self) -> None:
        self.letter = QLabel("Grey" if self.color == GREY else self.color[0].upper())
        self.letter.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.letter.setMinimumWidth(self.letter.fontMetrics().horizontalAdvance("RGB"))
        self.letter.setToolTip(f"What the model sees as {self.color}")
        self.letter.setStyleSheet(
            f"QLabel {{ background: {DARKEST[self.color]}; color: white; "
            "padding: 2px 6px; border-radius: 2px; }"
        )
        self.combo = QComboBox()
        narrow(self.combo)
        self.combo.setToolTip(f"The channel that the model sees as {self.color}")
        self.combo.setAccessibleName(f"Channel for {self.color}")
        self.look_button = QPushButton("Contrast")
        self.look_button.setCheckable(True)
        self.look_button.setToolTip(
            "Contrast limits, gamma and inversion; those of the layer unless changed"
        )
        self.low_spin = _spin(-FARTHEST, FARTHEST, "What is black")
        self.high_spin = _spin(-FARTHEST, FARTHEST, "What is white")
        self.gamma_spin = _spin(
            SMALLEST_GAMMA, LARGEST_GAMMA, "Gamma: below 1 brightens dark parts"
        )
        self.gamma_spin.setSingleStep(0.1)
        self.invert_box = QCheckBox("Invert")
        self.invert_box.setToolTip("Show dark as bright")
        self.as_layer_button = QPushButton("As the layer")
        self.as_layer_button.setToolTip(
            "Follow the layer's contrast, gamma and colours"
        )

    def _lay_out(self) -> None:
        self._editor = QWidget()
        grid = QGridLayout(self._editor)
        grid.setContentsMargins(22, 0, 0, 4)
        grid.addWidget(QLabel("Limits"), 0, 0)
        grid.addWidget(self.low_spin, 0, 1)
        grid.addWidget(self.high_spin, 0, 2)
        grid.addWidget(QLabel("Gamma"), 1, 0)
        grid.addWidget(self.gamma_spin, 1, 1)
        grid.addWidget(self.invert_box, 1, 2)
        grid.addWidget(self.as_layer_button, 2, 1, 1, 2)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        head = QGridLayout()
        head.addWidget(self.letter, 0, 0)
        head.addWidget(self.combo, 0, 1)
        head.addWidget(self.look_button, 0, 2)
        head.setColumnStretch(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(head)
        column.addWidget(self._editor)

    @property
    def source(self) -> ChannelSource | None:
        """The chosen channel; None for nothing."""
        return self._sources.get(self.combo.currentIndex())

    @property
    def choice(self) -> ChannelChoice | None:
        """The chosen channel and its look; None for nothing."""
        source = self.source
        if source is None:
            return None
        return ChannelChoice(self.color, source, self._own_look())

    def show_sources(
        self,
        sources: Sequence[ChannelSource],
        default: ChannelSource | None,
        *,
        keep: bool,
    ) -> None:
        """List channels; keep the choice if it is to be kept and still there."""
        before = self.source if keep else None
        titled: list[ChannelSource | None] = [*sources]
        if self.color != GREY:
            titled.insert(0, None)
        self.combo.blockSignals(True)
        self.combo.clear()
        self._sources.clear()
        for index, source in enumerate(titled):
            self.combo.addItem(NOTHING if source is None else source.title)
            if source is not None:
                self._sources[index] = source
        kept = before is not None and before in sources
        wanted = before if kept else default
        self.combo.setCurrentIndex(titled.index(wanted) if wanted in titled else 0)
        self.combo.blockSignals(False)
        self._has_own_look = self._has_own_look and kept
        self.renew_look()

    def show_choice(self, choice: ChannelChoice | None) -> None:
        """Show a choice without telling anybody; one that is not listed is ignored."""
        wanted = None if choice is None else choice.source
        listed = [self._sources.get(index) for index in range(self.combo.count())]
        if wanted not in listed:
            return
        self.combo.blockSignals(True)
        self.combo.setCurrentIndex(listed.index(wanted))
        self.combo.blockSignals(False)
        look = None if choice is None else choice.look
        self._has_own_look = look is not None
        if look is not None:
            self._show_look(look)
        self.renew_look()

    def renew_look(self) -> None:
        """Show the look of the layer, unless the row has its own."""
        source = self.source
        look = None if source is None else self._look_of(source)
        self.look_button.setEnabled(source is not None)
        self._editor.setEnabled(source is not None)
        self.as_layer_button.setEnabled(self._has_own_look)
        if look is not None and not self._has_own_look:
            self._show_look(look)

    def follow_layer(self) -> None:
        """Take the look of the layer, now and when it changes."""
        self._has_own_look = False
        self.renew_look()
        self.changed.emit()

    def _own_look(self) -> Look | None:
        if not self._has_own_look:
            return None
        return Look(
            (self.low_spin.value(), self.high_spin.value()),
            self.gamma_spin.value(),
            self.invert_box.isChecked(),
        )

    def _show_look(self, look: Look) -> None:
        editors = (self.low_spin, self.high_spin, self.gamma_spin, self.invert_box)
        for editor in editors:
            editor.blockSignals(True)
        low, high = look.limits
        step = (high - low) / 50
        is_whole = step > 1 and low == round(low) and high == round(high)
        before_point = len(f"{max(abs(low), abs(high)):.0f}")
        decimals = min(max(DIGITS - before_point, 0), DECIMALS)
        for spin, value in ((self.low_spin, low), (self.high_spin, high)):
            spin.setDecimals(0 if is_whole else decimals)
            spin.setSingleStep(step)
            spin.setValue(value)
        self.gamma_spin.setValue(look.gamma)
        self.invert_box.setChecked(look.invert)
        for editor in editors:
            editor.blockSignals(False)

    def _on_source_changed(self) -> None:
        self._has_own_look = False
        self.renew_look()
        self.changed.emit()

    def _on_low_edited(self, low: float) -> None:
        self._push(self.high_spin, max(self.high_spin.value(), low + self._least))
        self._on_look_edited()

    def _on_high_edited(self, high: float) -> None:
        self._push(self.low_spin, min(self.low_spin.value(), high - self._least))
        self._on_look_edited()

    @property
    def _least(self) -> float:
        """The smallest distance of the limits."""
        return float(10.0 ** -self.low_spin.decimals())

    def _push(self, spin: DecimalSpin, value: float) -> None:
        """Let the other limit give way."""
        spin.blockSignals(True)
        spin.setValue(value)
        spin.blockSignals(False)

    def _on_look_edited(self) -> None:
        self._has_own_look = True
        self.as_layer_button.setEnabled(True)
        self.changed.emit()


class ChannelRows(QWidget):
    """Grey, or red, green and blue."""

    changed = Signal()

    def __init__(self, look_of: LookOf) -> None:
        super().__init__()
        self.color_box = QCheckBox("Several as red, &green, blue")
        self.color_box.setToolTip(
            "Let the model see up to three channels at once: of this layer, or of "
            "other layers of the same shape"
        )
        self.rows = {color: ChannelRow(color, look_of) for color in (GREY, *COLORS)}
        self._sources: list[ChannelSource] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.color_box)
        for row in self.rows.values():
            column.addWidget(row)
            row.changed.connect(self.changed)
        self.color_box.toggled.connect(self._on_toggled)
        self._show_rows()

    @property
    def choices(self) -> tuple[ChannelChoice, ...]:
        """What the model sees; one channel alone is grey, whatever its row."""
        colors = COLORS if self.color_box.isChecked() else (GREY,)
        found = [self.rows[color].choice for color in colors]
        chosen = tuple(choice for choice in found if choice is not None)
        if len(chosen) == 1:
            return (ChannelChoice(GREY, chosen[0].source, chosen[0].look),)
        return chosen

    def show_sources(
        self, sources: Sequence[ChannelSource], *, keep: bool = True
    ) -> None:
        """List channels; red, green and blue are the first three by default.

        Parameters
        ----------
        keep
            Whether choices among them are kept: False for another movie.
        """
        self._sources = list(sources)
        defaults = dict(
            zip((GREY, *COLORS), [*sources[:1], *sources[:3]], strict=False)
        )
        for color, row in self.rows.items():
            row.show_sources(sources, defaults.get(color), keep=keep)
        self.color_box.setVisible(len(sources) > 1)
        if len(sources) < 2 or not keep:
            self.color_box.blockSignals(True)
            self.color_box.setChecked(False)
            self.color_box.blockSignals(False)
        self._show_rows()

    def show_choices(self, choices: Sequence[ChannelChoice]) -> None:
        """Show choices without telling anybody."""
        by_color = {choice.color: choice for choice in choices}
        self.color_box.blockSignals(True)
        self.color_box.setChecked(bool(choices) and GREY not in by_color)
        self.color_box.blockSignals(False)
        for color, row in self.rows.items():
            if GREY in by_color and color != GREY:
                continue
            row.show_choice(by_color.get(color))
        self._show_rows()

    def renew_looks(self) -> None:
        """Show the looks of the layers as they are now."""
        for row in self.rows.values():
            row.renew_look()

    def _on_toggled(self) -> None:
        self._show_rows()
        self.changed.emit()

    def _show_rows(self) -> None:
        in_color = self.color_box.isChecked()
        for color, row in self.rows.items():
            row.setVisible((color != GREY) == in_color)


def _spin(low: float, high: float, text: str) -> DecimalSpin:
    spin = DecimalSpin()
    spin.setRange(low, high)
    spin.setToolTip(text)
    spin.setAccessibleName(text)
    spin.setKeyboardTracking(False)  # not at every digit
    spin.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    spin.setStyleSheet(f"QDoubleSpinBox {{ min-width: {SHORTEST_SPIN}px; }}")
    return spin
