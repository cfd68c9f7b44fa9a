"""The head of the dock: track, stop, pause, follow, and how far it is."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_sam2.texts import clock_text, counted
from napari_sam2.ui.widgets.icons import icon
from napari_sam2.ui.widgets.pace import Pace, pace_text
from napari_sam2.ui.widgets.panel import Note
from napari_sam2.ui.widgets.preferences import Preferences

TRACK_KEY = "G"
"""Free on all of napari's layers; the dock binds it to `RunBar.toggle`."""

LONG_RUN_SECONDS = 60.0
"""After runs of so long, somebody has probably turned to other things."""


class RunBar(QWidget):
    """Asks for tracking and shows its progress; in sight at every window size."""

    track_requested = Signal()
    cancel_requested = Signal()
    pause_requested = Signal()
    resume_requested = Signal()
    long_run_ended = Signal(str)
    """A run of more than a minute has ended: what to notify somebody of."""

    def __init__(self, preferences: Preferences | None = None) -> None:
        super().__init__()
        preferred = preferences or Preferences()
        self._is_tracking = self._is_paused = False
        self._begins_following = self._follows = preferred.follow
        self._pace = Pace()
        self._chimes = preferred.chime
        # --- Widgets
        self.track_button = QPushButton()
        self.pause_button = QPushButton()
        self.follow_button = QPushButton(icon("follow"), "Follow")
        self.follow_button.setToolTip("Show the frame that was just tracked again")
        self.bar = QProgressBar()
        self.pace = Note()
        # --- Layout
        buttons = QHBoxLayout()
        buttons.addWidget(self.track_button, 2)
        buttons.addWidget(self.pause_button, 1)
        buttons.addWidget(self.follow_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 0, 12, 0)
        column.setSpacing(4)
        column.addLayout(buttons)
        column.addWidget(self.bar)
        column.addWidget(self.pace)
        # --- Connections
        self.track_button.clicked.connect(self.toggle)
        self.pause_button.clicked.connect(self.toggle_pause)
        self.follow_button.clicked.connect(self.follow)
        # --- State
        self.bar.hide()
        self.pace.show_text("")
        self._show_buttons()

    @property
    def is_tracking(self) -> bool:
        """Whether something is being tracked, or paused."""
        return self._is_tracking

    @property
    def follows(self) -> bool:
        """Whether the viewer goes along with the tracker."""
        return self._is_tracking and self._follows

    def toggle(self) -> None:
        """Track, or stop tracking: what the button and its key do."""
        if not self._is_tracking:
            self.track_requested.emit()
        elif self.track_button.isEnabled():
            self.track_button.setEnabled(False)  # until it has ended
            self.cancel_requested.emit()

    def toggle_pause(self) -> None:
        """Pause, or go on."""
        if self._is_tracking:
            asked = self.resume_requested if self._is_paused else self.pause_requested
            asked.emit()

    def follow(self) -> None:
        """Go along with the tracker from now on."""
        self._follows = True
        self._show_buttons()

    def let_go(self) -> None:
        """Go along no longer: somebody looks at something else."""
        self._follows = False
        self._show_buttons()

    # --- What is shown

    def set_tracking(self, tracking: bool, *, is_by_itself: bool = False) -> None:
        """Show whether something is being tracked.

        Parameters
        ----------
        is_by_itself
            Nobody asked for it: the picture stays where it is.
        """
        self._is_tracking, self._is_paused = tracking, False
        self._follows = self._begins_following and not is_by_itself
        self._show_buttons()
        if tracking:
            self._pace = Pace()
            self.bar.setRange(0, 0)
            self.bar.show()
            self.pace.show_text("Starting …")
            return
        self.bar.setMaximum(max(1, self.bar.maximum()))
        self.bar.hide()  # what is below has its room
        self._show_end()

    def show_paused(self, paused: bool) -> None:
        """Show whether tracking waits for somebody."""
        if not self._is_tracking or paused == self._is_paused:
            return
        self._is_paused = paused
        self._show_buttons()
        if paused:
            self._pace.pause()
            self.pace.show_text("Paused; clicks and corrections are possible.")
        else:
            self._pace.resume()

    def show_progress(self, position: int, total: int) -> None:
        """Show that ``position`` of ``total`` steps are done, and at what rate."""
        rate = self._pace.note(position)
        self.bar.setRange(0, total)
        self.bar.setValue(position)
        if rate is not None and not self._is_paused:
            self.pace.show_text(pace_text(rate, total - position))

    def forget_run(self) -> None:
        """Say nothing more of the last run: other masklets are shown."""
        self._pace = Pace()
        self.pace.show_text("")

    # --- Steps

    def _show_end(self) -> None:
        seconds = self._pace.seconds()
        if seconds is None:
            self.pace.show_text("")
            return
        steps = self._pace.steps(self.bar.value())
        text = f"{counted(steps, 'step')} in {clock_text(seconds)}"
        self.pace.show_text(text)
        if self._chimes and seconds > LONG_RUN_SECONDS:
            QApplication.beep()
            QApplication.alert(self.window())
            self.long_run_ended.emit(f"Tracking has ended: {text}")

    def _show_buttons(self) -> None:
        tracking = self._is_tracking
        self.track_button.setEnabled(True)
        self.track_button.setText(f"{'Stop' if tracking else 'Track'} ({TRACK_KEY})")
        self.track_button.setIcon(icon("stop" if tracking else "play"))
        self.track_button.setToolTip(
            "Stop after this frame; what is written stays"
            if tracking
            else "Track all objects"
        )
        self.pause_button.setText("&Go on" if self._is_paused else "&Pause")
        self.pause_button.setToolTip(
            "Wait after this frame; the memory of the objects stays"
        )
        self.pause_button.setEnabled(tracking)
        self.follow_button.setVisible(tracking and not self._follows)
