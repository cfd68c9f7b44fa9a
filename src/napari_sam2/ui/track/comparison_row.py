"""A row below *Compare directions*: where the two ways disagree, and which to keep."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QPushButton, QWidget

from napari_sam2.session.planning.plan import Direction
from napari_sam2.ui.widgets.panel import Note


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
        return f"Both directions agree on all {len(agreement)} frames."
    return f"They disagree most on frame {worst} (J {agreement[worst]:.2f})."
