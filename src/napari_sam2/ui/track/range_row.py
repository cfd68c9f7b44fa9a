"""A row for the frames that may be tracked: first and last, from here, to here."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QGridLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from napari_sam2.session.planning.plan import FrameRange

SHORTEST_SPIN = 40
"""Pixels that a frame number always has; napari's style wants more."""


class RangeRow(QWidget):
    """Asks for a range of frames; follows the movie's length until it is changed."""

    range_changed = Signal(int, int)
    """First and last frame, both included."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 1
        self._here = 0
        self.first_spin = _spin("First frame that may be tracked")
        self.last_spin = _spin("Last frame that may be tracked")
        self.from_here_button = _button("Fro&m here", "Begin at the frame shown now")
        self.to_here_button = _button("T&o here", "End at the frame shown now")
        self.all_button = _button("&All", "Track the whole movie")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(4)
        for column, widget in enumerate((self.first_spin, QLabel("–"), self.last_spin)):
            grid.addWidget(widget, 0, (0, 2, 3)[column], 1, (2, 1, 2)[column])
        grid.addWidget(self.from_here_button, 1, 0, 1, 2)
        grid.addWidget(self.to_here_button, 1, 2, 1, 2)
        grid.addWidget(self.all_button, 1, 4, 1, 1)
        for column in (0, 1, 3, 4):
            grid.setColumnStretch(column, 1)
        self.first_spin.valueChanged.connect(self._on_first_changed)
        self.last_spin.valueChanged.connect(self._on_last_changed)
        self.from_here_button.clicked.connect(self.begin_here)
        self.to_here_button.clicked.connect(self.end_here)
        self.all_button.clicked.connect(lambda: self.set_range(0, self._count - 1))

    @property
    def first(self) -> int:
        """First frame that may be tracked."""
        return int(self.first_spin.value())

    @property
    def last(self) -> int:
        """Last frame that may be tracked."""
        return int(self.last_spin.value())

    @property
    def frames(self) -> FrameRange:
        """The frames that may be tracked."""
        return FrameRange(self.first, self.last + 1)

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole movie."""
        return (self.first, self.last) == (0, self._count - 1)

    def show_frame_count(self, count: int) -> None:
        """Show how long the movie is; a range within it stays."""
        was_whole, before = self.is_whole, (self.first, self.last)
        self._count = max(1, count)
        end = self._count - 1
        for spin in (self.first_spin, self.last_spin):
            spin.blockSignals(True)
            spin.setRange(0, end)
            spin.blockSignals(False)
        self.set_range(*((0, end) if was_whole or before[0] > end else before))

    def show_frame(self, frame_index: int) -> None:
        """Say which frame is shown now."""
        self._here = frame_index

    def set_range(self, first: int, last: int) -> None:
        """Choose a range; numbers beyond the movie are cut off."""
        end = self._count - 1
        first = min(max(first, 0), end)
        last = min(max(last, first), end)
        before = (self.first, self.last)
        for spin, value in ((self.first_spin, first), (self.last_spin, last)):
            spin.blockSignals(True)
            spin.setValue(value)
            spin.blockSignals(False)
        self.all_button.setDisabled(self.is_whole)
        if (first, last) != before:
            self.range_changed.emit(first, last)

    def begin_here(self) -> None:
        """Begin at the frame that is shown."""
        self.set_range(self._here, max(self._here, self.last))

    def end_here(self) -> None:
        """End at the frame that is shown."""
        self.set_range(min(self._here, self.first), self._here)

    def _on_first_changed(self, first: int) -> None:
        self.all_button.setDisabled(self.is_whole)
        if self.last < first:
            self.last_spin.blockSignals(True)
            self.last_spin.setValue(first)
            self.last_spin.blockSignals(False)
        self.range_changed.emit(self.first, self.last)

    def _on_last_changed(self, last: int) -> None:
        self.all_button.setDisabled(self.is_whole)
        if self.first > last:
            self.first_spin.blockSignals(True)
            self.first_spin.setValue(last)
            self.first_spin.blockSignals(False)
        self.range_changed.emit(self.first, self.last)


def _spin(text: str) -> QSpinBox:
    spin = QSpinBox()
    spin.setRange(0, 0)
    spin.setToolTip(f"{text}; anchors outside still guide the tracker")
    spin.setAccessibleName(text)
    spin.setKeyboardTracking(False)  # not at every digit
    spin.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    spin.setStyleSheet(f"QSpinBox {{ min-width: {SHORTEST_SPIN}px; }}")
    return spin


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return button
