"""A plot in which branches are dragged; all other drags move along the frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyqtgraph
from qtpy.QtCore import Qt, Signal


class BranchBox(pyqtgraph.ViewBox):  # type: ignore[misc]
    """Shows a line from the branch that is dragged to the pointer.

    Parameters
    ----------
    is_branch
        Whether a branch lies at a row.
    """

    dropped = Signal(float, float)
    """A branch was dragged from one row to another."""

    def __init__(self, is_branch: Callable[[float], bool]) -> None:
        super().__init__()
        self._is_branch = is_branch
        self._way = pyqtgraph.PlotCurveItem(
            pen=pyqtgraph.mkPen("gray", style=Qt.PenStyle.DashLine)
        )

    def mouseDragEvent(self, ev: Any, axis: int | None = None) -> None:
        """Drag a branch, if one lies where the left button went down."""
        first = self.mapSceneToView(ev.buttonDownScenePos(Qt.MouseButton.LeftButton))
        is_left = ev.button() == Qt.MouseButton.LeftButton
        if not (is_left and self._is_branch(first.y())):
            super().mouseDragEvent(ev, axis)
            return
        ev.accept()
        last = self.mapSceneToView(ev.scenePos())
        if ev.isStart():
            self.addItem(self._way, ignoreBounds=True)
        self._way.setData([first.x(), last.x()], [first.y(), last.y()])
        if ev.isFinish():
            self.removeItem(self._way)
            self.dropped.emit(first.y(), last.y())
