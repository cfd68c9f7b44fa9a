"""Panel: stacks over time, tracked on all planes from points or labels on some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QProgressBar, QPushButton

from napari_sam2.ui.prompts.sources_panel import is_ours
from napari_sam2.ui.widgets.icons import icon
from napari_sam2.ui.widgets.layer_combo import LayerCombo
from napari_sam2.ui.widgets.panel import Note, Panel

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_sam2.ui.widgets.connections import Connections

WHAT_IT_DOES = (
    "Draw cells as labels, or click on them with points, on one or several planes of "
    "one time point: they are followed along z, then in time on each plane."
)


class VolumePanel(Panel):
    """Asks for a movie of stacks to be tracked beside the window, and shows how far."""

    track_requested = Signal()
    """Track all planes from `layer`."""
    stop_requested = Signal()
    """End what runs, in order."""

    def __init__(self, viewer: Viewer, connections: Connections) -> None:
        super().__init__("Track volume")
        self.layer_combo = LayerCombo(
            viewer, _is_prompts, connections, "no points or labels", prefers_layers=True
        )
        self.layer_combo.setToolTip(
            "Points (with the feature “label”, if a cell has several) or labels of the "
            "time point that is shown"
        )
        self.layer_combo.setAccessibleName("Prompts of the volume")
        self.whole_box = QCheckBox("They show whole stacks")
        self.whole_box.setToolTip(
            "The labels show each cell on all of its planes, as those of Cellpose or "
            "StarDist in 3D do: nothing is sought along z"
        )
        self.track_button = QPushButton(icon("play"), "Track volume")
        self.track_button.setToolTip("Track all planes in a program beside the window")
        self.stop_button = QPushButton(icon("stop"), "Stop")
        self.stop_button.setToolTip(
            "Commit the plane in hand and end; Track volume goes on from there"
        )
        self.bar = QProgressBar()
        note = Note()
        note.show_text(WHAT_IT_DOES)
        row = QHBoxLayout()
        row.addWidget(self.track_button)
        row.addWidget(self.stop_button)
        self.form.addRow(note)
        self.add_row("Prompts", self.layer_combo)
        self.add_row("", self.whole_box)
        self.form.addRow(row)
        self.form.addRow(self.bar)
        self.track_button.clicked.connect(self.track_requested)
        self.stop_button.clicked.connect(self._stop)
        self.layer_combo.layer_changed.connect(self._show)
        self._is_running = False
        self._show()

    @property
    def layer(self) -> Any:
        """The chosen layer of points or labels, or None."""
        return self.layer_combo.layer

    @property
    def is_whole(self) -> bool:
        """Whether labels show all planes of their objects."""
        return self.whole_box.isChecked() and _is_labels(self.layer)

    def set_running(self, running: bool) -> None:
        """Show whether something is being tracked."""
        self._is_running = running
        self.bar.setRange(0, 0)
        self._show()

    def show_progress(self, position: int, total: int) -> None:
        """Show how many steps of how many are done."""
        self.bar.setRange(0, total)
        self.bar.setValue(position)

    def _stop(self) -> None:
        self.stop_button.setEnabled(False)  # until it has ended
        self.stop_requested.emit()

    def _show(self) -> None:
        is_free = not self._is_running
        self.layer_combo.setEnabled(is_free)
        self.whole_box.setEnabled(is_free and _is_labels(self.layer))
        self.track_button.setEnabled(is_free and self.layer is not None)
        self.stop_button.setEnabled(self._is_running)
        self.bar.setVisible(self._is_running)


def _is_labels(layer: object) -> bool:
    from napari.layers import Labels

    return isinstance(layer, Labels)


def _is_prompts(layer: object) -> bool:
    """Whether a layer holds points or labels that are not ours."""
    from napari.layers import Labels, Points

    return isinstance(layer, Labels | Points) and not is_ours(layer)
