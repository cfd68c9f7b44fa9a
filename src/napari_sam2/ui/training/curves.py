"""Curves of a training: loss, and the score on frames that it never saw."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph
from qtpy.QtCore import Qt
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import QVBoxLayout, QWidget

AXIS_WIDTH = 58
PLOT_HEIGHT = 104
TIME_HEIGHT = 30
LABEL_SIZE = "8pt"
LEAST_SCORES, LEAST_LOSSES = 0.02, 0.1
"""What the axes show at least, so that two ticks with numbers fit in."""

SMOOTH = 0.9
"""Part of the old value in the running mean of the loss, which jumps."""


class TrainCurves(QWidget):
    """Two plots over the steps: held-out J with that of the base, and the loss."""

    def __init__(self) -> None:
        super().__init__()
        self._canvas = pyqtgraph.GraphicsLayoutWidget()
        self._canvas.ci.setContentsMargins(0, 4, 6, 0)
        self._canvas.ci.setSpacing(2)
        self._canvas.setFixedHeight(2 * PLOT_HEIGHT + TIME_HEIGHT)
        self.score_plot = self._add_plot(0, "Held-out J")
        self.loss_plot = self._add_plot(1, "Loss")
        self.loss_plot.setXLink(self.score_plot)
        self._base = pyqtgraph.InfiniteLine(angle=0)
        self.score_curve = self.score_plot.plot(symbol="o", symbolSize=5)
        self.loss_curve = self.loss_plot.plot(symbolSize=5)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._canvas)
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.scores: list[tuple[int, float]] = []
        self.losses: list[tuple[int, float]] = []
        if self._base.scene() is not None:
            self.score_plot.removeItem(self._base)
        self._draw()

    def add(self, step: int, loss: float | None, held_out: float | None) -> None:
        """Add what is known of a step; the first score is that of the base."""
        if loss is not None:
            last = self.losses[-1][1] if self.losses else loss
            self.losses.append((step, SMOOTH * last + (1 - SMOOTH) * loss))
        if held_out is not None:
            if not self.scores:
                self._base.setValue(held_out)
                self.score_plot.addItem(self._base)
            self.scores.append((step, held_out))
        self._draw()

    def show_palette(self, palette: QPalette) -> None:
        """Draw in the colours of a window with this palette."""
        text = palette.color(QPalette.ColorRole.Text)
        curve = palette.color(QPalette.ColorRole.Highlight)
        if (
            abs(
                curve.lightnessF() - palette.color(QPalette.ColorRole.Base).lightnessF()
            )
            < 0.25
        ):
            curve = text
        self._canvas.setBackground(palette.color(QPalette.ColorRole.Base))
        for plot in (self.score_plot, self.loss_plot):
            for side in ("left", "bottom"):
                axis = plot.getAxis(side)
                axis.setPen(pyqtgraph.mkPen(text, width=1))
                axis.setTextPen(text)
                axis.setLabel(
                    axis.labelText, **{"color": text.name(), "font-size": LABEL_SIZE}
                )
        self.score_curve.setPen(pyqtgraph.mkPen(curve, width=2))
        self.score_curve.setSymbolBrush(curve)
        self.score_curve.setSymbolPen(curve)
        self.loss_curve.setSymbolBrush(curve)
        self.loss_curve.setSymbolPen(curve)
        self.loss_curve.setPen(pyqtgraph.mkPen(curve, width=1))
        faint = text
        faint.setAlphaF(0.6)
        self._base.setPen(pyqtgraph.mkPen(faint, width=1, style=Qt.PenStyle.DashLine))

    def _add_plot(self, row: int, label: str) -> Any:
        plot = self._canvas.addPlot(row=row, col=0, enableMenu=False)
        plot.hideButtons()
        plot.setMouseEnabled(x=False, y=False)
        plot.showGrid(x=True, y=True, alpha=0.15)
        plot.getAxis("left").setWidth(AXIS_WIDTH)
        plot.getAxis("left").enableAutoSIPrefix(False)
        plot.getAxis("bottom").enableAutoSIPrefix(False)
        plot.setLabel("left", label)
        if row:
            plot.setLabel("bottom", "Step")
        return plot

    def _draw(self) -> None:
        last = max((step for step, _ in (*self.scores, *self.losses)), default=0)
        self.score_plot.setXRange(0, max(1, last))
        for plot, item, values, least in (
            (self.score_plot, self.score_curve, self.scores, LEAST_SCORES),
            (self.loss_plot, self.loss_curve, self.losses, LEAST_LOSSES),
        ):
            pairs = np.array(values, dtype=float).reshape(-1, 2)
            item.setData(pairs[:, 0], pairs[:, 1])
            if len(pairs):
                low, high = pairs[:, 1].min(), pairs[:, 1].max()
                margin = max(0.0, least - (high - low)) / 2
                plot.setYRange(low - margin, high + margin)
        # A line needs two points.
        self.loss_curve.setSymbol("o" if len(self.losses) == 1 else None)
