"""Watching a points layer: when its clicks have changed, and two keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_sam2.ui.connections import Connections

if TYPE_CHECKING:
    from napari.layers import Points

SETTLING_MS = 40
"""A click, or a drag, has come to rest after so many milliseconds."""

KEYS = {"N": "new_object_requested", "T": "flip_requested"}
"""Bound on the watched layer alone; free on points layers."""

MOVED_OR_COUNTED = ("added", "removed", "changed")
"""Actions of a points layer after which its points differ; not those in between."""


class ClickWatch(QObject):
    """Tells when the points of a layer have changed and come to rest."""

    clicks_changed = Signal()
    new_object_requested = Signal()
    flip_requested = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._points: Any = None
        self._connections = Connections()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLING_MS)
        self._timer.timeout.connect(self.clicks_changed)

    def watch(self, points: Points | None) -> None:
        """Watch another layer, or none."""
        self.close()
        self._points = points
        if points is None:
            return
        self._connections.add(points.events.data, self._on_data)
        self._connections.add(points.events.features, self._on_features)
        for key, request in KEYS.items():
            points.bind_key(key, self._emitter(request), overwrite=True)

    def close(self) -> None:
        """Watch nothing, and give the keys back."""
        self._connections.close()
        if self._points is not None:
            for key in KEYS:
                self._points.bind_key(key, None)
        self._points = None

    def _on_data(self, event: Any) -> None:
        if event.action in MOVED_OR_COUNTED:
            self._timer.start()

    def _on_features(self, _event: Any) -> None:
        self._timer.start()

    def _emitter(self, name: str) -> Callable[[object], None]:
        signal = getattr(self, name)

        def emit(_layer: object) -> None:
            signal.emit()

        return emit
