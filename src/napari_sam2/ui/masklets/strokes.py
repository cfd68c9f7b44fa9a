"""What people paint, erase and fill on the masklets with napari's own tools.

Each stroke is told once, when it is finished, and becomes a step of our history.
napari's history of the layer is emptied after each: it would bring back labels that
the tracker has replaced since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_sam2.ui.layers.labels_in_layer import LabelsInLayer
from napari_sam2.ui.masklets.live_labels import LiveLabels
from napari_sam2.ui.widgets.connections import Connections

if TYPE_CHECKING:
    from napari.layers import Labels

STILL_LOADING = "Frame {} was still being loaded: paint there again"
OFF_PLANE = "Masklets lie on the plane that is tracked: go there to paint"


class StrokeWatch(QObject):
    """Tells the strokes on one labels layer.

    Parameters
    ----------
    parent
        Who shows the layer.
    """

    stroke_finished = Signal(int, object, object)
    """Frame, and its ``(Y, X)`` labels before and after; a stroke through several
    frames is one for each."""
    refused = Signal(str)
    """Something could not be painted on, and why."""
    replaced = Signal()
    """The layer was given other data."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._connections = Connections()
        self._layer: Labels | None = None
        self._live: LiveLabels | None = None
        # Not at once: napari is still at work on the stroke when it tells of it.
        self._emptying = QTimer(self)
        self._emptying.setSingleShot(True)
        self._emptying.setInterval(0)
        self._emptying.timeout.connect(self._empty_history)

    def attach(self, layer: Labels, labels: LabelsInLayer, live: LiveLabels) -> None:
        """Watch a layer from now on, and no other.

        Parameters
        ----------
        layer
            Whose data is ``labels``.
        labels, live
            What is painted on: as the layer sees it, and frame by frame.
        """
        self.close()
        self._layer, self._labels, self._live = layer, labels, live
        self._connections.add(layer.events.paint, self._on_paint)
        self._connections.add(layer.events.data, self._on_data)

    def close(self) -> None:
        """Watch nothing any more."""
        self._connections.close()
        self._emptying.stop()
        self._layer = self._live = None

    def _on_paint(self, _event: Any) -> None:
        layer, live = self._layer, self._live
        if layer is None or live is None:
            return
        strokes, missed = live.take_strokes(), live.take_refused()
        self._emptying.start()
        is_off_plane = self._labels.take_off_plane()
        if missed or is_off_plane:
            # napari shows what it meant to paint.
            layer.refresh(extent=False)
            frames = ", ".join(map(str, sorted(missed)))
            self.refused.emit(STILL_LOADING.format(frames) if missed else OFF_PLANE)
        for stroke in strokes:
            self.stroke_finished.emit(stroke.frame_index, stroke.before, stroke.after)

    def _on_data(self, _event: Any) -> None:
        if self._layer is not None and self._layer.data is not self._labels:
            self.replaced.emit()

    def _empty_history(self) -> None:
        """Empty napari's history of the layer; keep the tool that is in hand."""
        layer, live = self._layer, self._live
        if layer is None or live is None or not layer.editable:
            return  # it was emptied when editing was switched off
        if live.is_painted:
            return  # the next stroke has begun; its end comes here again
        empty_history(layer)


def empty_history(layer: Labels) -> None:
    """Empty napari's history of a layer, by the only public means.

    Switching editing off does it, and puts the tool down, which is taken up again.
    """
    mode, help_text = layer.mode, layer.help
    layer.editable = False
    layer.editable = True
    layer.mode, layer.help = mode, help_text
