"""Plots one below the other, over the same frames; loads pyqtgraph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_sam2.ui.plots.curves import Quantity

AXIS_WIDTH = 58
PLOT_HEIGHT = 92
TIME_HEIGHT = 38
LEAST_HEIGHT = 72
"""On a small screen plots scroll rather than make the window higher than it."""

LABEL_SIZE = "8pt"
MANY_POINTS = 20_000
"""From here on curves are drawn thin."""


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """What is in the plots.

    Attributes
    ----------
    places
        ``(T,)`` on the axis along the frames.
    values
        ``(T, objects)`` by quantity.
    colors
        Of each object.
    labels
        Of the axis of each quantity.
    time_label
        Of the axis along the frames.
    """

    places: np.ndarray
    values: Mapping[Quantity, np.ndarray]
    colors: Sequence[QColor]
    labels: Mapping[Quantity, str]
    time_label: str


class PlotGrid(QWidget):
    """A plot for each quantity, and a line at the current place in all of them."""

    place_requested = Signal(float)
    """A place along the frames that was clicked, or to which the line was dragged."""

    def __init__(self) -> None:
        super().__init__()
        self._canvas = pyqtgraph.GraphicsLayoutWidget()
        self._canvas.ci.setContentsMargins(0, 4, 6, 0)
        self._canvas.ci.setSpacing(2)
        self._plots: dict[Quantity, Any] = {}
        self._lines: dict[Quantity, Any] = {}
        self._shown: tuple[Quantity, ...] = tuple(Quantity)
        for quantity in Quantity:
            self._add_plot(quantity)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setMinimumHeight(LEAST_HEIGHT)
        area.setWidget(self._canvas)
        column.addWidget(area)
        self._canvas.scene().sigMouseClicked.connect(self._on_clicked)
        self.show_quantities(self._shown)

    def show_quantities(self, quantities: Sequence[Quantity]) -> None:
        """Show only some of the plots."""
        self._shown = tuple(one for one in Quantity if one in quantities)
        for plot in self._plots.values():
            if plot.scene() is not None and plot in self._canvas.ci.items:
                self._canvas.ci.removeItem(plot)
        for row, quantity in enumerate(self._shown):
            plot, is_last = self._plots[quantity], quantity is self._shown[-1]
            self._canvas.ci.addItem(plot, row, 0)
            plot.getAxis("bottom").setStyle(showValues=is_last)
            plot.getAxis("bottom").showLabel(is_last)
        self._canvas.setMinimumHeight(PLOT_HEIGHT * len(self._shown) + TIME_HEIGHT)

    def show_curves(self, curves: Curves, palette: QPalette) -> None:
        """Draw other curves, in the colours of a window with this palette."""
        text = palette.color(QPalette.ColorRole.Text)
        background = palette.color(QPalette.ColorRole.Base)
        self._canvas.setBackground(background)
        # Qt draws thin lines many times as fast as others.
        width = 1 if len(curves.places) * len(curves.colors) > MANY_POINTS else 2
        pens = [pyqtgraph.mkPen(color, width=width) for color in curves.colors]
        for quantity, plot in self._plots.items():
            self._color(plot, text)
            style = {"color": text.name(), "font-size": LABEL_SIZE}
            plot.setLabel("left", curves.labels[quantity], **style)
            if self._shown[-1:] == (quantity,):
                plot.setLabel("bottom", curves.time_label, **style)
            items = self._items(plot, len(curves.colors))
            for column, item in enumerate(items):
                values = np.ascontiguousarray(curves.values[quantity][:, column])
                item.setData(curves.places, values)
                item.setPen(pens[column])
            self._lines[quantity].setPen(pyqtgraph.mkPen(text, width=1))
        if len(curves.places):
            first, last = float(curves.places[0]), float(curves.places[-1])
            self._plots[Quantity.AREA].setLimits(xMin=first, xMax=max(last, first + 1))

    def show_place(self, place: float) -> None:
        """Move the line."""
        for line in self._lines.values():
            line.setValue(place)

    def fit(self) -> None:
        """Show all of all curves."""
        for quantity, plot in self._plots.items():
            plot.enableAutoRange(x=True, y=quantity is not Quantity.TRUST)

    def curve_count(self, quantity: Quantity) -> int:
        """Return how many curves a plot has."""
        return len(self._plots[quantity].listDataItems())

    def _add_plot(self, quantity: Quantity) -> None:
        plot = pyqtgraph.PlotItem(enableMenu=False)
        plot.hideButtons()
        plot.setMouseEnabled(x=True, y=False)
        plot.setDownsampling(auto=True, mode="peak")
        plot.setClipToView(True)
        plot.showGrid(x=True, y=True, alpha=0.15)
        plot.getAxis("left").setWidth(AXIS_WIDTH)
        plot.getAxis("left").enableAutoSIPrefix(False)
        plot.getAxis("bottom").enableAutoSIPrefix(False)
        if quantity is Quantity.TRUST:
            plot.setYRange(0, 1, padding=0.08)
            plot.getAxis("left").setTicks([[(one, f"{one}") for one in (0, 0.5, 1)]])
        else:
            plot.getViewBox().setAutoVisible(y=True)
        if self._plots:
            plot.setXLink(self._plots[Quantity.AREA])
        line = pyqtgraph.InfiniteLine(movable=True)
        line.setCursor(Qt.CursorShape.SplitHCursor)
        line.sigDragged.connect(self._on_dragged)
        plot.addItem(line, ignoreBounds=True)
        self._plots[quantity], self._lines[quantity] = plot, line

    def _items(self, plot: Any, number: int) -> list[Any]:
        """Return the curves of a plot, made or removed until there are so many."""
        items: list[Any] = plot.listDataItems()
        for item in items[number:]:
            plot.removeItem(item)
        for _ in range(len(items), number):
            plot.plot(connect="finite", skipFiniteCheck=False)
        return list(plot.listDataItems())

    def _on_dragged(self, line: Any) -> None:
        self.place_requested.emit(float(line.value()))

    def _on_clicked(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        for quantity in self._shown:
            box = self._plots[quantity].getViewBox()
            if box.sceneBoundingRect().contains(event.scenePos()):
                place = box.mapSceneToView(event.scenePos()).x()
                self.place_requested.emit(float(place))

    def _color(self, plot: Any, text: QColor) -> None:
        for side in ("left", "bottom"):
            axis = plot.getAxis(side)
            axis.setPen(pyqtgraph.mkPen(text, width=1))
            axis.setTextPen(text)
