"""Panel: track, cancel, and how far it is."""

from __future__ import annotations

import time

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
)

from napari_sam2.session.plan import Direction
from napari_sam2.ui.panel import Note, Panel

DIRECTIONS = {
    Direction.BOTH: "both ways",
    Direction.FORWARD: "forward",
    Direction.BACKWARD: "backward",
}


class TrackPanel(Panel):
    """Asks for tracking and shows its progress."""

    track_requested = Signal(str)
    """A `Direction`."""
    cancel_requested = Signal()

    def __init__(self) -> None:
        super().__init__("Track")
        # --- Widgets
        self.direction_combo = QComboBox()
        for direction, text in DIRECTIONS.items():
            self.direction_combo.addItem(text, direction)
        self.direction_combo.setToolTip("Where to go from the clicked frames")
        self.follow_box = QCheckBox("Go along with the tracker")
        self.track_button = QPushButton("Track")
        self.track_button.setToolTip("Track all clicked objects through the movie")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop after this frame; what is written stays")
        self.bar = QProgressBar()
        self.pace = Note()
        # --- Layout
        buttons = QHBoxLayout()
        buttons.addWidget(self.track_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        self.add_row("Direction", self.direction_combo)
        self.add_row("", self.follow_box)
        self.form.addRow(buttons)
        self.form.addRow(self.bar)
        self.form.addRow(self.pace)
        # --- Connections
        self.track_button.clicked.connect(self._ask_to_track)
        self.cancel_button.clicked.connect(self.cancel_requested)
        self._begin: tuple[float, int] | None = None
        self.cancel_button.setEnabled(False)
        self.bar.hide()
        self.pace.show_text("")

    @property
    def direction(self) -> Direction:
        """Where to go from the clicked frames."""
        return Direction(self.direction_combo.currentData())

    @property
    def follows(self) -> bool:
        """Whether the viewer goes along with the tracker."""
        return bool(self.follow_box.isChecked())

    def set_tracking(self, tracking: bool) -> None:
        """Show whether something is being tracked."""
        self.track_button.setDisabled(tracking)
        self.direction_combo.setDisabled(tracking)
        self.cancel_button.setEnabled(tracking)
        if tracking:
            self._begin = None
            self.bar.setRange(0, 0)
            self.bar.show()
            self.pace.show_text("Starting …")
            return
        self.bar.setMaximum(max(1, self.bar.maximum()))
        if self._begin is not None:
            since, first = self._begin
            seconds = time.monotonic() - since
            steps = self.bar.value() - first + 1
            self.pace.show_text(f"{steps} steps in {clock_text(seconds)}")

    def show_progress(self, position: int, total: int) -> None:
        """Show that ``position`` of ``total`` steps are done, and at what rate."""
        now = time.monotonic()
        if self._begin is None:
            self._begin = (now, position)
            self.bar.setRange(0, total)
        self.bar.setValue(position)
        since, first = self._begin
        if position > first and now > since:
            rate = (position - first) / (now - since)
            self.pace.show_text(pace_text(rate, total - position))

    def _ask_to_track(self) -> None:
        self.track_requested.emit(str(self.direction))


def pace_text(rate: float, remaining: int) -> str:
    """Say how fast it goes and how long it takes.

    >>> pace_text(4.0, 100)
    '4.0 frames/s, 0:25 left'
    """
    return f"{rate:.1f} frames/s, {clock_text(remaining / rate)} left"


def clock_text(seconds: float) -> str:
    """Say how long something takes.

    >>> clock_text(3725)
    '1:02:05'
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{seconds:02}"
    return f"{minutes}:{seconds:02}"
