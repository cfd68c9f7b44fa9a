"""Panel: which image layer is the movie, and along which axis frames run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QSpinBox

from napari_sam2.errors import InputError
from napari_sam2.ui.connections import Connections
from napari_sam2.ui.image_input import ImageInput, image_input, layer_shape
from napari_sam2.ui.layer_axes import (
    LayerAxes,
    candidate_frame_axes,
    guess_frame_axis,
    lay_out_layer,
)
from napari_sam2.ui.layer_combo import LayerCombo
from napari_sam2.ui.panel import Note, Panel

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer


class InputPanel(Panel):
    """Asks for the movie and says what it is.

    Parameters
    ----------
    viewer
        Whose image layers.
    connections
        Holds what the panel is connected to.
    """

    input_changed = Signal()
    """Another movie was chosen."""

    def __init__(self, viewer: Viewer, connections: Connections) -> None:
        super().__init__("Movie")
        self._viewer = viewer
        # --- Widgets
        self.layer_combo = LayerCombo(viewer, _is_image, connections)
        self.layer_combo.setToolTip("The image layer to track in")
        self.frame_axis_combo = QComboBox()
        self.frame_axis_combo.setToolTip("The axis along which objects are tracked")
        self.summary = Note()
        self._planes: dict[int, QSpinBox] = {}
        # --- Layout
        self.add_row("Image", self.layer_combo)
        self.add_row("Frames along", self.frame_axis_combo)
        self.form.addRow(self.summary)
        # --- Connections
        self.layer_combo.layer_changed.connect(self._show_layer)
        self.frame_axis_combo.currentIndexChanged.connect(self._show_planes)
        self._show_layer()

    @property
    def layer(self) -> Image | None:
        """The chosen image layer."""
        chosen: Image | None = self.layer_combo.layer
        return chosen

    @property
    def frame_axis(self) -> int | None:
        """Dimension along which frames run; None for a single image."""
        chosen: int | None = self.frame_axis_combo.currentData()
        return chosen

    def axes(self) -> LayerAxes:
        """Return where frames lie in the layer.

        Raises
        ------
        InputError
            If there is no layer, or it has too many dimensions.
        """
        layer = self.layer
        if layer is None:
            raise InputError("There is no image layer: open a movie first")
        stay_at = {axis: spin.value() for axis, spin in self._planes.items()}
        return lay_out_layer(
            layer_shape(layer), layer.axis_labels, self.frame_axis, stay_at
        )

    def image_input(self) -> ImageInput:
        """Return the movie as it is chosen and shown now.

        Raises
        ------
        InputError
            See `axes`.
        """
        axes = self.axes()
        return image_input(self.layer_combo.layer, axes)

    def set_frozen(self, frozen: bool) -> None:
        """Let nothing be changed while something is tracked."""
        for widget in (self.layer_combo, self.frame_axis_combo, *self._planes.values()):
            widget.setDisabled(frozen)

    def _show_layer(self) -> None:
        """Offer the frame axes of the layer."""
        layer, combo = self.layer, self.frame_axis_combo
        combo.blockSignals(True)
        combo.clear()
        if layer is not None:
            shape, names = layer_shape(layer), layer.axis_labels
            for axis in candidate_frame_axes(shape):
                combo.addItem(_axis_text(names[axis], axis, shape[axis]), axis)
            guess = guess_frame_axis(shape, names)
            combo.setCurrentIndex(combo.findData(guess))
        for widget in (self.form.labelForField(combo), combo):
            if widget is not None:
                widget.setVisible(combo.count() > 0)
        combo.blockSignals(False)
        self._show_planes()

    def _show_planes(self) -> None:
        """Offer a place to stay on each other axis: the one that is shown now."""
        for spin in self._planes.values():
            self.form.removeRow(spin)
        self._planes.clear()
        layer = self.layer
        if layer is not None:
            here = layer.world_to_data(self._viewer.dims.point)
            shape = layer_shape(layer)
            for axis in candidate_frame_axes(shape):
                if axis != self.frame_axis:
                    self._add_plane(axis, shape[axis], round(here[axis]))
        self._renew()

    def _add_plane(self, axis: int, length: int, index: int) -> None:
        spin = QSpinBox()
        spin.setRange(0, length - 1)
        spin.setValue(index)
        spin.setToolTip(f"Stay here, 0 to {length - 1}; masks lie on this plane only")
        spin.valueChanged.connect(self._renew)
        self._planes[axis] = spin
        row = self.form.rowCount() - 1
        name = self.layer_combo.layer.axis_labels[axis]
        self.insert_row(row, f"Stay at {_axis_name(name, axis)}", spin)

    def _renew(self) -> None:
        try:
            axes = self.axes()
        except InputError as error:
            self.summary.show_text(f"{error}.")
        else:
            height, width = axes.frame_shape
            self.summary.show_text(
                f"{axes.frame_count} frames of {height} × {width} pixels, seen as the "
                "layer shows them (contrast, gamma)."
            )
        self.input_changed.emit()


def _is_image(layer: object) -> bool:
    from napari.layers import Image

    return isinstance(layer, Image)


def _axis_name(name: str, axis: int) -> str:
    """Return what to call an axis; napari numbers those without a name from the end."""
    return f"axis {axis}" if name.lstrip("-").isdigit() else name


def _axis_text(name: str, axis: int, length: int) -> str:
    return f"{_axis_name(name, axis)} ({length})"
