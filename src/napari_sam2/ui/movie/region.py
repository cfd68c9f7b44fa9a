"""Which part of the frames the model looks at: all, a rectangle, what is shown."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMenu, QPushButton, QSizePolicy

from napari_sam2.engine.movie.axes import box_between
from napari_sam2.errors import InputError
from napari_sam2.tiles import TileLayout, Window
from napari_sam2.ui.layers.placement import layer_shape, positions_in

if TYPE_CHECKING:
    from napari.layers import Image, Shapes
    from napari.viewer import Viewer

WHOLE = "Whole frame"
SHOWN = "What is shown now"
RECTANGLE = "Rectangle in {}"
RECTANGLES = "rectangle"
"""What napari calls them."""


class RegionButton(QPushButton):
    """Says which part of the frames is looked at, and offers others.

    The region is fixed: it does not follow the picture or the rectangle. It belongs to
    the layer, and comes back with it.
    """

    changed = Signal()
    """A person chose another region."""
    refused = Signal(object)
    """The `InputError` that a choice was refused with."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._layer: Image | None = None
        self._regions: dict[Hashable, Window] = {}
        self.setToolTip(
            "The part of the frames that the model looks at: in a small one, cells are "
            "larger for it. Masks lie on whole frames; each region has its own"
        )
        self.setAccessibleName("Region that the model looks at")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        menu = QMenu(self)
        menu.aboutToShow.connect(self._list_regions)
        self.setMenu(menu)
        self.show_layer(None)

    @property
    def region(self) -> Window | None:
        """``(y, x, height, width)`` in pixels of the frame; None for all of it."""
        layer = self._layer
        return None if layer is None else self._regions.get(layer.unique_id)

    def show_layer(self, layer: Image | None) -> None:
        """Be about another layer from now on."""
        self._layer = layer
        self._show()

    def show_region(self, region: Window | None) -> None:
        """Show the region of a session; tells nobody."""
        if self._layer is not None:
            self._regions.pop(self._layer.unique_id, None)
            if region is not None:
                self._regions[self._layer.unique_id] = region
        self._show()

    def forget_layer(self, layer_id: Hashable) -> None:
        """Let go of a layer that is gone."""
        self._regions.pop(layer_id, None)

    def look_at_what_is_shown(self) -> None:
        """Take the part of the frame that the canvas shows now."""
        if self._layer is not None:
            self._choose(partial(shown_part, self._layer))

    def _list_regions(self) -> None:
        from napari.layers import Shapes

        menu, layer = self.menu(), self._layer
        if menu is None or layer is None:
            return
        menu.clear()
        menu.addAction(WHOLE, partial(self._choose, lambda: None))
        menu.addAction(SHOWN, self.look_at_what_is_shown)
        here = self._viewer.dims.point
        for shapes in self._viewer.layers:
            if isinstance(shapes, Shapes) and RECTANGLES in shapes.shape_type:
                title = RECTANGLE.format(shapes.name).replace("&", "&&")
                find = partial(part_in_rectangle, layer, shapes, here)
                menu.addAction(title, partial(self._choose, find))

    def _choose(self, find: Callable[[], Window | None]) -> None:
        layer = self._layer
        if layer is None:
            return
        shape = layer_shape(layer)[-2:]
        try:
            found = find()
            if found is not None:
                found = TileLayout.of_region((shape[0], shape[1]), found).region
        except InputError as error:
            self.refused.emit(error)
            return
        if found != self.region:
            self.show_region(found)
            self.changed.emit()

    def _show(self) -> None:
        self.setEnabled(self._layer is not None)
        self.setText(region_text(self.region))


def region_text(region: Window | None) -> str:
    """Say which part of a frame is looked at."""
    if region is None:
        return WHOLE
    y, x, height, width = region
    return f"{height} × {width} from row {y}, column {x}"


def shown_part(layer: Image) -> Window | None:
    """Return the part of a layer's frames that the canvas shows; None for all of it."""
    corners = np.asarray(layer.corner_pixels, float)[:, -2:]
    if layer.multiscale:
        corners = corners * layer.downsample_factors[layer.data_level][-2:]
    return _window(corners, layer_shape(layer)[-2:])


def part_in_rectangle(
    layer: Image, shapes: Shapes, here: Sequence[float]
) -> Window | None:
    """Return the part of a layer's frames in a rectangle; None where that is all.

    Of several rectangles, it is the one that is selected, or else the last one.

    Parameters
    ----------
    here
        The point of the world that is shown.

    Raises
    ------
    InputError
        If it lies beside the frames.
    """
    kinds = [str(kind) for kind in shapes.shape_type]
    found = [at for at, kind in enumerate(kinds) if kind == RECTANGLES]
    selected = [at for at in found if at in shapes.selected_data]
    vertices = shapes.data[(selected or found)[-1]]
    corners = positions_in(layer, shapes, vertices, here)[:, -2:]
    ends = np.array((corners.min(axis=0), corners.max(axis=0)))
    return _window(ends, layer_shape(layer)[-2:])


def _window(corners: np.ndarray, shape: Sequence[int]) -> Window | None:
    """Return the pixels between two ``(y, x)`` corners; None if that is all."""
    height, width = shape
    box = box_between(corners[0], corners[1], (height, width))
    if box is None:
        raise InputError("The rectangle lies beside the frames: draw it on the movie")
    y, x = round(box.y0), round(box.x0)
    window = (y, x, round(box.y1) - y + 1, round(box.x1) - x + 1)
    return None if window == (0, 0, height, width) else window
