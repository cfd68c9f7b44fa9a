"""A list of a layer's axes to choose one from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox

from napari_sam2.engine.movie.axes import is_nameless
from napari_sam2.ui.layers.placement import layer_shape
from napari_sam2.ui.widgets.panel import narrow

if TYPE_CHECKING:
    from napari.layers import Image

NO_AXIS = "none"


class AxisCombo(QComboBox):
    """Lists axes with their lengths.

    Parameters
    ----------
    name, tip
        What it is called for screen readers, and what it is for.
    """

    def __init__(self, name: str, tip: str) -> None:
        super().__init__()
        narrow(self)
        self.setAccessibleName(name)
        self.setToolTip(tip)

    @property
    def axis(self) -> int | None:
        """The chosen dimension; None for none."""
        chosen: int | None = self.currentData()
        return chosen

    def show_axes(
        self,
        axes: Sequence[int],
        shape: Sequence[int],
        names: Sequence[str],
        chosen: int | None,
        *,
        none: bool = False,
    ) -> None:
        """List axes without telling anybody.

        Parameters
        ----------
        shape, names
            Of all dimensions.
        none
            Whether there is an entry for none of them.
        """
        self.blockSignals(True)
        self.clear()
        if none:
            self.addItem(NO_AXIS, None)
        for axis in axes:
            self.addItem(f"{axis_name(names[axis], axis)} ({shape[axis]})", axis)
        if self.count():
            self.setCurrentIndex(max(0, self.findData(chosen)))
        self.blockSignals(False)

    def choose(self, axis: int | None) -> None:
        """Choose a dimension, if it is listed."""
        index = self.findData(axis)
        if index >= 0:
            self.setCurrentIndex(index)


def axis_name(name: str, axis: int) -> str:
    """Return what to call an axis; napari numbers those without a name from the end."""
    return f"axis {axis}" if is_nameless(name) else name


def shape_and_names(layer: Image | None) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return length and name of each dimension; without a layer, nothing."""
    return ((), ()) if layer is None else (layer_shape(layer), layer.axis_labels)
