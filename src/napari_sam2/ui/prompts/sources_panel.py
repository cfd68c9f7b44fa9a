"""Panel: prompts from shapes, labels and files, and into files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QPushButton, QSizePolicy, QSpinBox

from napari_sam2.ui.widgets.layer_combo import LayerCombo
from napari_sam2.ui.widgets.panel import Panel

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_sam2.ui.widgets.connections import Connections

OURS = "napari-sam2"
"""How keys begin that all our layers have in their metadata."""

FILES = "Prompts (*.json *.csv *.tif *.tiff *.png);;All files (*)"
LONGEST_STEP = 10_000


class PromptSources(Panel):
    """Asks for objects to be made of shapes, labels, or a file, or to be saved."""

    shapes_requested = Signal()
    """Take the shapes of `shapes` in."""
    labels_requested = Signal()
    """Track the labels of `labels`, with more anchors by `every_nth`."""
    file_requested = Signal(str)
    """Read a file; its path."""
    save_requested = Signal()
    """Save the prompts to a file."""
    plan_requested = Signal()
    """Save the session as a plan for many movies."""

    def __init__(self, viewer: Viewer, connections: Connections) -> None:
        super().__init__("Prompts from …")
        self.shapes_combo = LayerCombo(
            viewer, _has_shapes, connections, "no shapes", prefers_layers=True
        )
        self.shapes_button = QPushButton("Take these shapes")
        self.shapes_button.setToolTip(
            "Rectangles become boxes, ellipses, polygons and lassos become masks; each "
            "is an object of its own unless its feature “label” says which"
        )
        self.labels_combo = LayerCombo(
            viewer, _is_foreign, connections, "no labels", prefers_layers=True
        )
        self.step_spin = QSpinBox()
        self.step_spin.setRange(0, LONGEST_STEP)
        self.step_spin.setSpecialValueText("this frame only")
        self.step_spin.setPrefix("every ")
        self.step_spin.valueChanged.connect(self._show_step)
        self.step_spin.setToolTip("Which frames of the labels are anchors")
        # Long texts give way to the width of the dock.
        self.step_spin.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed
        )
        self.labels_button = QPushButton("Track these labels")
        self.labels_button.setToolTip(
            "Every label of the current frame becomes an object, and is tracked; ids "
            "and colours are kept. Labels of Cellpose, StarDist, or drawn by hand"
        )
        self.file_button = QPushButton("Read a file …")
        self.file_button.setToolTip(
            "A prompts file (.json), points of napari (.csv), or a label image"
        )
        self.save_button = QPushButton("Save prompts …")
        self.save_button.setToolTip(
            "Write clicks, boxes and masks of all objects to a prompts file (.json), "
            "for another movie, or for napari-sam2 track --prompts"
        )
        self.plan_button = QPushButton("Save plan …")
        self.plan_button.setToolTip(
            "Write model, contrast and prompts to a plan (.json) for many movies: add "
            "them to it, and napari-sam2 run tracks them like this one"
        )
        self._lay_out()
        self.shapes_button.clicked.connect(self.shapes_requested)
        self.labels_button.clicked.connect(self.labels_requested)
        self.file_button.clicked.connect(self._ask_for_file)
        self.save_button.clicked.connect(self.save_requested)
        self.plan_button.clicked.connect(self.plan_requested)
        for combo in (self.shapes_combo, self.labels_combo):
            combo.layer_changed.connect(self._show_layers)
        self._show_layers()

    def _lay_out(self) -> None:
        self.add_row("Shapes", self.shapes_combo)
        self.add_row("", self.shapes_button)
        self.add_row("Labels", self.labels_combo)
        self.add_row("Anchors", self.step_spin)
        self.add_row("", self.labels_button)
        self.add_row("File", self.file_button)
        self.add_row("", self.save_button)
        self.add_row("", self.plan_button)

    @property
    def shapes(self) -> Any:
        """The chosen shapes layer, or None."""
        return self.shapes_combo.layer

    @property
    def labels(self) -> Any:
        """The chosen labels layer, or None."""
        return self.labels_combo.layer

    @property
    def every_nth(self) -> int | None:
        """How many frames anchors are apart; None for the current frame only."""
        return int(self.step_spin.value()) or None

    def _show_step(self, step: int) -> None:
        self.step_spin.setSuffix(f"{' frame' if step == 1 else ' frames'} from here")

    def _show_layers(self) -> None:
        self.shapes_button.setEnabled(self.shapes is not None)
        self.labels_button.setEnabled(self.labels is not None)
        self.step_spin.setEnabled(self.labels is not None)

    def _ask_for_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Prompts", "", FILES)
        if path:
            self.file_requested.emit(path)


def _has_shapes(layer: object) -> bool:
    from napari.layers import Shapes

    return isinstance(layer, Shapes) and not is_ours(layer)


def _is_foreign(layer: object) -> bool:
    """Whether a layer holds labels that are not ours."""
    from napari.layers import Labels

    return isinstance(layer, Labels) and not is_ours(layer)


def is_ours(layer: Any) -> bool:
    """Whether we made a layer."""
    return any(str(key).startswith(OURS) for key in layer.metadata)
