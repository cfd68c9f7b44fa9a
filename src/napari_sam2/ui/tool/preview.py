"""A layer for what is not said yet: the box being drawn, the mask of a hovering click.

It lies on the image in the same dimensions, shows outlines, and is there only while
there is something to show.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2.engine.movie.axes import LayerAxes
from napari_sam2.prompts import BoxPrompt
from napari_sam2.session.book.state import Color
from napari_sam2.ui.layers.colors import colormap_with
from napari_sam2.ui.layers.labels_in_layer import LabelsInLayer
from napari_sam2.ui.layers.placement import SHARED

if TYPE_CHECKING:
    from napari.layers import Labels, Layer
    from napari.viewer import Viewer

NAME = "SAM 2 preview"
SCREEN_LINES = 350
"""An outline is a pixel wide for each so many rows of the picture: always seen."""


OUTLINED, WHITE = 65535, (1.0, 1.0, 1.0, 1.0)
"""What is pointed at has this label here, and no colour that an object has."""


def _colormap(own: Mapping[int, Color]) -> Any:
    return colormap_with({**own, OUTLINED: WHITE})


class OneFrame:
    """Label images of which a single one is kept; all others are empty."""

    dtype: np.dtype = np.dtype(np.uint16)

    def __init__(self) -> None:
        self._frame_index = 0
        self._labels = np.zeros((1, 1), self.dtype)

    def put(self, frame_index: int, labels: np.ndarray) -> None:
        """Keep a frame, ``(Y, X)`` uint16, and forget the one before."""
        self._frame_index, self._labels = frame_index, labels

    def read(self, frames: Iterable[int]) -> Iterator[np.ndarray]:
        """Give the labels of frames."""
        for one in frames:
            is_kept = one == self._frame_index
            yield self._labels if is_kept else np.zeros_like(self._labels)

    look = read

    def paint(self, frame_index: int, rows: Any, columns: Any, labels: Any) -> None:
        """Nobody paints here."""


class ToolPreview:
    """Shows outlines on one frame.

    Parameters
    ----------
    viewer
        Where.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._layer_id: Any = None
        self._frame: OneFrame | None = None
        self._colors: Mapping[int, Color] = {}

    @property
    def layer(self) -> Labels | None:
        """The layer, while it is there."""
        if self._layer_id is None:
            return None
        for layer in self._viewer.layers:
            if layer.unique_id == self._layer_id:
                return layer
        return None

    def show_mask(
        self, on: Layer, axes: LayerAxes, frame_index: int, labels: np.ndarray
    ) -> None:
        """Show the outlines of labels on a frame.

        Parameters
        ----------
        on
            Layer with the same dimensions, on which it is put.
        labels
            ``(Y, X)`` object ids, 0 where there is nothing.
        """
        layer = self.layer
        if layer is None or self._frame is None:
            layer = self._add(on, axes)
        if self._frame is not None:
            self._frame.put(frame_index, labels.astype(np.uint16))
        layer.visible = True
        layer.refresh(extent=False)

    def outline(
        self, on: Layer, axes: LayerAxes, frame_index: int, mask: np.ndarray
    ) -> None:
        """Outline a mask, ``(Y, X)`` bool, so that it stands out from all masks."""
        self.show_mask(on, axes, frame_index, np.where(mask, OUTLINED, 0))

    def show_box(
        self, on: Layer, axes: LayerAxes, frame_index: int, drawn: tuple[int, BoxPrompt]
    ) -> None:
        """Show a box that is being drawn, ``(object_id, box)``."""
        object_id, box = drawn
        labels = np.zeros(axes.frame_shape, np.uint16)
        rows = slice(round(box.y0), round(box.y1) + 1)
        labels[rows, round(box.x0) : round(box.x1) + 1] = object_id
        self.show_mask(on, axes, frame_index, labels)

    def show_line(
        self,
        on: Layer,
        axes: LayerAxes,
        frame_index: int,
        drawn: tuple[int, np.ndarray],
    ) -> None:
        """Show a line that is being drawn, ``(object_id, (vertices, 2) places)``."""
        object_id, line = drawn
        labels = np.zeros(axes.frame_shape, np.uint16)
        steps = np.abs(np.diff(line, axis=0)).max(axis=1)
        at = np.concatenate(([0.0], np.cumsum(steps)))
        along = np.linspace(0, at[-1], int(np.ceil(at[-1])) + 1)
        places = [np.rint(np.interp(along, at, column)) for column in line.T]
        pixels = np.stack(places, axis=1).astype(int)
        inside = ((pixels >= 0) & (pixels < labels.shape)).all(axis=1)
        labels[tuple(pixels[inside].T)] = object_id
        self.show_mask(on, axes, frame_index, labels)

    def show_colors(self, own: Mapping[int, Color]) -> None:
        """Know the objects that have colours of their own."""
        self._colors = own
        layer = self.layer
        if layer is not None:
            layer.colormap = _colormap(own)

    def clear(self) -> None:
        """Show nothing."""
        layer = self.layer
        if layer is not None:
            layer.visible = False

    def close(self) -> None:
        """Take the layer away."""
        layer = self.layer
        if layer is not None:
            self._viewer.layers.remove(layer.name)
        self._layer_id = self._frame = None

    def _add(self, on: Layer, axes: LayerAxes) -> Labels:
        active = self._viewer.layers.selection.active
        self._frame = OneFrame()
        self._frame.put(0, np.zeros(axes.frame_shape, np.uint16))
        layer = self._viewer.add_labels(
            LabelsInLayer(self._frame, axes),
            name=NAME,
            colormap=_colormap(self._colors),
            opacity=1.0,
            metadata={"napari-sam2 view": "preview"},
            **{name: getattr(on, name) for name in SHARED},
        )
        layer.contour = max(1, round(min(axes.frame_shape) / SCREEN_LINES))
        layer.editable = False
        self._layer_id = layer.unique_id
        self._viewer.layers.selection.active = active
        return layer
