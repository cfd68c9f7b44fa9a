"""A combo box that lists the layers of one kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QSizePolicy

from napari_sam2.ui.widgets.connections import Connections

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

SHORTEST_NAME = 12
"""Characters that the combo box always has room for."""


class LayerCombo(QComboBox):
    """Lists those layers that pass a test, and follows the layer list.

    Parameters
    ----------
    nothing
        What the first entry is called that stands for no layer; if None, there is no
        such entry, and the uppermost layer is chosen by default.
    prefers_layers
        Choose the uppermost layer as long as nobody chose another entry.
    """

    layer_changed = Signal()
    """Another layer was chosen, or the chosen one is gone."""

    def __init__(
        self,
        viewer: Viewer,
        is_listed: Callable[[Layer], bool],
        connections: Connections,
        nothing: str | None = None,
        *,
        prefers_layers: bool = False,
    ) -> None:
        super().__init__()
        self._viewer = viewer
        self._nothing = nothing
        self._prefers_layers = nothing is None or prefers_layers
        self._is_listed = is_listed
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumContentsLength(SHORTEST_NAME)
        self.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        events = viewer.layers.events
        for emitter in (events.inserted, events.removed, events.reordered):
            connections.add(emitter, self._list_layers)
        connections.add(events.renamed, self._list_layers)
        self._list_layers()
        self.currentIndexChanged.connect(lambda _index: self.layer_changed.emit())

    @property
    def layer(self) -> Any:
        """The chosen layer; None if there is none."""
        chosen = self.currentData()
        for layer in self._viewer.layers:
            if layer.unique_id == chosen:
                return layer
        return None

    def choose(self, layer: Layer) -> None:
        """Choose a layer of the list."""
        self.setCurrentIndex(self._index_of(layer.unique_id))

    def _index_of(self, unique_id: object) -> int:
        listed = [self.itemData(index) for index in range(self.count())]
        return listed.index(unique_id) if unique_id in listed else -1

    def _list_layers(self, _event: object = None) -> None:
        """List the layers anew, keeping the choice."""
        before = self.currentData()
        self.blockSignals(True)
        self.clear()
        if self._nothing is not None:
            self.addItem(self._nothing, None)
        for layer in self._viewer.layers:
            if self._is_listed(layer):
                self.addItem(str(layer.name), layer.unique_id)
        kept = self._index_of(before)
        default = self.count() - 1 if self._prefers_layers else 0
        is_kept = kept >= 0 and not (before is None and self._prefers_layers)
        self.setCurrentIndex(kept if is_kept else default)
        self.blockSignals(False)
        if self.currentData() != before:
            self.layer_changed.emit()
