"""The labels layer that shows masklets as they lie on the disk."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from napari.layers import Points
from qtpy.QtCore import QObject, QTimer, Signal

from napari_sam2.ui.connections import Connections
from napari_sam2.ui.engine import StoreReady
from napari_sam2.ui.labels_in_layer import LabelsInLayer
from napari_sam2.ui.points_layer import object_colors, placed_like

if TYPE_CHECKING:
    from napari.layers import Image, Labels
    from napari.viewer import Viewer

REFRESH_MS = 100
"""At most ten refreshes a second."""

OPACITY = 0.5
"""Masks and what lies under them are seen alike."""


class MaskletLayer(QObject):
    """Shows masklets in a labels layer, and renews what is seen of it.

    Parameters
    ----------
    viewer
        Where.
    parent
        The dock.
    """

    painted = Signal()
    """Somebody drew on the masklets."""

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._shown: StoreReady | None = None
        self._layer_ids: dict[Hashable, Hashable] = {}
        self._connections = Connections()
        self._is_stale = False
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(REFRESH_MS)
        self._pause.timeout.connect(self._after_pause)

    @property
    def layer(self) -> Labels | None:
        """The labels layer; None before the first mask, and after it was deleted."""
        if self._shown is None:
            return None
        wanted = self._layer_ids.get(self._shown.request.masklets_key)
        for layer in self._viewer.layers:
            if layer.unique_id == wanted:
                return layer
        return None

    def show(self, ready: StoreReady) -> None:
        """Show masklets on their image layer."""
        self._shown = ready
        self._bring_back()

    def _add(self, ready: StoreReady, image: Image) -> None:
        """Add the labels layer; points that are being set stay on top and chosen."""
        axes = ready.request.image.axes
        data = ready.array if axes.is_plain else LabelsInLayer(ready.array, axes)
        active = self._viewer.layers.selection.active
        layer = self._viewer.add_labels(
            data,
            name=f"{image.name} masklets",
            colormap=object_colors(),
            opacity=OPACITY,
            metadata={"napari-sam2": str(ready.request.folder)},
            **placed_like(image),
        )
        layer.editable = axes.is_plain
        self._layer_ids[ready.request.masklets_key] = layer.unique_id
        self._connections.add(layer.events.paint, self._on_paint)
        layers = self._viewer.layers
        if isinstance(active, Points):
            layers.move(layers.index(layer), layers.index(active))
        layers.selection.active = active

    def displayed_frame(self) -> int | None:
        """Return the frame that the viewer shows."""
        layer, shown = self.layer, self._shown
        if layer is None or shown is None:
            return None
        return shown.request.image.axes.frame_at(
            layer.world_to_data(self._viewer.dims.point)
        )

    def show_change(self, frame_index: int) -> None:
        """Renew the picture if this frame is seen, at most ten times a second."""
        self._bring_back()
        if frame_index != self.displayed_frame():
            return
        if self._pause.isActive():
            self._is_stale = True
            return
        self._refresh()

    def go_to(self, frame_index: int) -> None:
        """Let the viewer show a frame, at most ten times a second."""
        layer, shown = self.layer, self._shown
        if layer is None or shown is None or self._pause.isActive():
            return
        axis = shown.request.image.axes.frame_axis
        if axis is None:
            return
        position = [0.0] * layer.ndim
        position[axis] = frame_index
        dims = self._viewer.dims
        dims.set_point(
            dims.ndim - layer.ndim + axis, layer.data_to_world(position)[axis]
        )
        self._pause.start()

    def set_tracking(self, tracking: bool) -> None:
        """Keep brushes away from frames that the tracker writes.

        Switching editing off and on again also empties napari's undo history, which
        would bring back labels from before the run.
        """
        layer, shown = self.layer, self._shown
        if (
            layer is not None
            and shown is not None
            and shown.request.image.axes.is_plain
        ):
            layer.editable = not tracking

    def close(self) -> None:
        """Let go of the layers."""
        self._connections.close()

    def _bring_back(self) -> None:
        """Show masklets that have no layer yet, or whose layer somebody deleted."""
        if self._shown is None or self.layer is not None:
            return
        for layer in self._viewer.layers:
            if layer.unique_id == self._shown.request.image.layer_id:
                self._add(self._shown, layer)
                return

    def _refresh(self) -> None:
        layer = self.layer
        if layer is not None:
            layer.refresh(extent=False)
            self._pause.start()

    def _after_pause(self) -> None:
        if self._is_stale:
            self._is_stale = False
            self._refresh()

    def _on_paint(self, _event: Any) -> None:
        self.painted.emit()
