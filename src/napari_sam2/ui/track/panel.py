"""Panel: what *Track* does: where to, on which frames, and what gives way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from napari_sam2.session.planning.plan import Direction, FrameRange, MergePolicy
from napari_sam2.texts import counted
from napari_sam2.ui.widgets.layout import WheelGuard
from napari_sam2.ui.widgets.panel import More, Note, Panel, narrow
from napari_sam2.ui.widgets.preferences import Preferences

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


class ComparisonRow(QWidget):
    """Shows the result of a comparison, and asks what to do with it."""

    frame_requested = Signal(int)
    """Show the frame on which the ways disagree most."""
    keep_requested = Signal(object)
    """Write the masks of this `Direction`."""
    dismissed = Signal()
    """Leave the masks as they are; while comparing: stop."""

    def __init__(self) -> None:
        super().__init__()
        # --- Widgets
        self.note = Note()
        self.go_button = QPushButton("Go there")
        self.go_button.setToolTip("Show the frame on which they disagree most")
        self.forward_button = QPushButton("Keep forward")
        self.forward_button.setToolTip("Write the masks tracked from the anchor before")
        self.backward_button = QPushButton("Keep backward")
        self.backward_button.setToolTip("Write the masks tracked from the anchor after")
        self.stay_button = QPushButton("Keep as it is")
        # --- Layout
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.note, 0, 0, 1, 2)
        grid.addWidget(self.go_button, 1, 0)
        grid.addWidget(self.stay_button, 1, 1)
        grid.addWidget(self.forward_button, 2, 0)
        grid.addWidget(self.backward_button, 2, 1)
        # --- State
        self._worst = 0
        # --- Connections
        self.go_button.clicked.connect(self._go)
        self.forward_button.clicked.connect(self._keep_forward)
        self.backward_button.clicked.connect(self._keep_backward)
        self.stay_button.clicked.connect(self.dismissed)
        self.clear()

    def show_progress(self, position: int, total: int) -> None:
        """Show how far the comparison is."""
        self.note.show_text(f"Comparing: {position} of {total} steps")
        self._show_buttons(is_done=False)

    def show_result(self, agreement: Mapping[int, float]) -> None:
        """Show where two ways disagree.

        Parameters
        ----------
        agreement
            J of the two masks, by frame; one frame at least.
        """
        self._worst = min(agreement, key=lambda frame: (agreement[frame], frame))
        self.note.show_text(verdict(agreement))
        self._show_buttons(is_done=True)

    def clear(self) -> None:
        """Show nothing."""
        self.hide()

    def _show_buttons(self, *, is_done: bool) -> None:
        for button in (self.go_button, self.forward_button, self.backward_button):
            button.setVisible(is_done)
        self.stay_button.setText("Keep as it is" if is_done else "Stop")
        self.stay_button.setToolTip(
            "Leave the masks as they are" if is_done else "Stop comparing"
        )
        self.show()

    def _go(self) -> None:
        self.frame_requested.emit(self._worst)

    def _keep_forward(self) -> None:
        self.keep_requested.emit(Direction.FORWARD)

    def _keep_backward(self) -> None:
        self.keep_requested.emit(Direction.BACKWARD)


def verdict(agreement: Mapping[int, float]) -> str:
    """Say in words where two ways through a gap disagree; see `ComparisonRow`."""
    worst = min(agreement, key=lambda frame: (agreement[frame], frame))
    if agreement[worst] == 1:
        whole = "all " if len(agreement) > 1 else ""
        frames = counted(len(agreement), "frame")
        return f"Both directions agree on {whole}{frames}."
    return f"They disagree most on frame {worst} (J {agreement[worst]:.2f})."


DIRECTIONS = {
    "both": ("both ways", "From the anchors of each object to both ends"),
    "forward": ("forward", "From the first anchor of each object to the end"),
    "backward": ("backward", "From the last anchor of each object to the beginning"),
    "next_anchor": ("to the next anchor", "The gap that the frame shown lies in"),
    "one_frame": ("this frame only", "Nothing but the frame shown is written"),
}
"""By value of `Direction`: what it is called, what it does."""

MERGES = {
    MergePolicy.KEEP: (
        "stay",
        "Labels that others made stay; masks lose those pixels.",
    ),
    MergePolicy.REPLACE: (
        "give way",
        "Masks take the pixels that they cover; the rest of other labels stays.",
    ),
    MergePolicy.FILL: (
        "skip their frames",
        "Frames that hold labels of others are left as they are.",
    ),
}
"""What becomes of labels that the tracker did not make: in short, and explained."""


class TrackPanel(Panel):
    """Asks how something is to be tracked; see also `RunBar`."""

    compare_requested = Signal()
    """Track the gap at the cursor both ways and show where they differ."""
    live_repair_changed = Signal(bool)
    range_changed = Signal(int, int)
    """First and last frame that may be tracked, both included."""

    def __init__(self, preferences: Preferences | None = None) -> None:
        super().__init__("Track")
        preferred = preferences or Preferences()
        self._create()
        self.repair_box.setChecked(preferred.live_repair)
        self._lay_out()
        self._connect()
        self._show_direction()
        self._show_merge()
        WheelGuard(self)

    def _create(self) -> None:
        directions = {one: DIRECTIONS[str(one)] for one in Direction}
        self.direction_combo = _combo(directions, "Direction")
        self.range_row = RangeRow()
        self.more = More()
        self.merge_combo = _combo(MERGES, "Labels that others made")
        self.merge_note = Note()
        self.repair_box = QCheckBox("Live &repair")
        self.repair_box.setToolTip(
            "Track again at once what a correction makes out of date: the two gaps "
            "around its anchor, and nothing else"
        )
        self.compare_button = QPushButton("Compare directions")
        self.compare_button.setToolTip(
            "Track the gap at the frame shown forward and backward, show where the two "
            "disagree, and choose one; nothing is written before"
        )
        self.comparison_row = ComparisonRow()

    def _lay_out(self) -> None:
        self.add_row("&Direction", self.direction_combo)
        self.add_row("Frames", self.range_row)
        self.form.addRow(self.repair_box)
        self.form.addRow(self.comparison_row)
        self.more.add_row("Other &labels", self.merge_combo)
        self.more.form.addRow(self.merge_note)
        self.more.form.addRow(self.compare_button)
        self.form.addRow(self.more)

    def _connect(self) -> None:
        self.direction_combo.currentIndexChanged.connect(self._show_direction)
        self.merge_combo.currentIndexChanged.connect(self._show_merge)
        self.range_row.range_changed.connect(self.range_changed)
        self.repair_box.toggled.connect(self.live_repair_changed)
        self.compare_button.clicked.connect(self.compare_requested)

    # --- What is chosen

    @property
    def direction(self) -> Direction:
        """Where to go from the clicked frames."""
        return Direction(self.direction_combo.currentData())

    @property
    def merge(self) -> MergePolicy:
        """What happens to labels that the tracker does not own."""
        return MergePolicy(self.merge_combo.currentData())

    @property
    def live_repair(self) -> bool:
        """Whether what a correction makes out of date is tracked again at once."""
        return bool(self.repair_box.isChecked())

    # --- What is shown

    def set_frozen(self, frozen: bool) -> None:
        """Let nothing be changed while something is tracked."""
        for widget in (
            self.direction_combo,
            self.range_row,
            self.merge_combo,
            self.compare_button,
        ):
            widget.setDisabled(frozen)

    # --- Steps

    def _show_direction(self) -> None:
        text = DIRECTIONS[str(self.direction)][1]
        self.direction_combo.setToolTip(text)

    def _show_merge(self) -> None:
        text = MERGES[self.merge][1]
        self.merge_combo.setToolTip(text)
        self.merge_note.show_text(text)


def _combo(choices: Mapping[Any, tuple[str, str]], name: str) -> QComboBox:
    combo = QComboBox()
    narrow(combo)
    for value, (title, _) in choices.items():
        combo.addItem(title, value)
    combo.setAccessibleName(name)
    return combo
