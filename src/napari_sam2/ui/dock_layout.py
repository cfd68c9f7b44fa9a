"""How the dock lies: a column of sections, and a strip below the viewer."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QScrollArea, QSplitter, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_sam2.ui.panel import Panel

SCROLL_BAR_WIDTH = 16


def section(panel: Panel, *, is_open: bool) -> QCollapsible:
    """Return a panel in a section that can be folded up under its title."""
    folded = QCollapsible(panel.title())
    panel.setTitle("")
    folded.setDuration(0)
    folded.addWidget(panel)
    if is_open:
        folded.expand(animate=False)
    else:
        folded.collapse(animate=False)
    return folded


def lay_out_column(owner: QWidget, top: QWidget, sections: Sequence[QWidget]) -> None:
    """Lay sections below each other, in an area that scrolls, under what stays."""
    content = QWidget()
    column = QVBoxLayout(content)
    column.setContentsMargins(4, 0, 4, 0)
    for one in sections:
        column.addWidget(one)
    column.addStretch(1)
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(content)
    area.setMinimumWidth(content.minimumSizeHint().width() + SCROLL_BAR_WIDTH)
    outer = QVBoxLayout(owner)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.addWidget(top)
    outer.addWidget(area)
    top.setContentsMargins(12, 6, 8, 0)


class TimeStrip(QSplitter):
    """Timeline and plots side by side, below the viewer.

    Parameters
    ----------
    timeline, plots
        The two panels.
    """

    def __init__(self, timeline: QWidget, plots: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.addWidget(timeline)
        self.addWidget(plots)
        self.setStretchFactor(0, 3)
        self.setStretchFactor(1, 2)
        self.setObjectName("napari-sam2-time-strip")
