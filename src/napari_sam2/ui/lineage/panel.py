"""Panel: the family of the chosen object; tracks are cut off and joined."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QPushButton

from napari_sam2.session.book.state import BookState
from napari_sam2.ui.keys.bindings import with_key
from napari_sam2.ui.layers.colors import color_in
from napari_sam2.ui.lineage.tree import Branch, branch_at, family_tree
from napari_sam2.ui.widgets.panel import Panel

BRANCH_WIDTH, CHOSEN_WIDTH = 3, 6
LEAST_HEIGHT = 54
NAME_HEIGHT, LINE_HEIGHT = 20, 6
"""Pixels that are left below the lowest branch, for its name, and above the highest."""

BESIDE = 0.6
"""Rows below all branches, onto which a daughter is dragged to take her mother away."""

BYTE = 255


class LineagePanel(Panel):
    """Shows a tree along the frames while the chosen object has a family.

    pyqtgraph is not loaded before there is one.
    """

    object_requested = Signal(int)
    """A branch was clicked: choose the object."""
    frame_requested = Signal(int)
    """Go to the frame that was clicked."""
    cut_requested = Signal(int)
    """The object has no mother any more."""
    join_requested = Signal(int, int)
    """The first object goes on as the second, its daughter."""
    parent_requested = Signal(int, int)
    """The first object was dragged onto the second: that is its mother."""
    cut_here_requested = Signal()
    """From the frame shown on, the chosen object is another one."""
    colors_requested = Signal()
    """Families have the colour of their founder, or no more."""

    def __init__(self) -> None:
        super().__init__("Family")
        self.cut_button = QPushButton("Cut off")
        self.cut_button.setToolTip("The chosen object has no mother any more")
        self.join_button = QPushButton("Join to mother")
        self.join_button.setToolTip(
            "The chosen object is its mother going on: both become one"
        )
        self.split_button = QPushButton("Cut here")
        self.split_button.setToolTip(
            with_key("From this frame on, the chosen object is another one", "cut")
        )
        self.color_button = QPushButton("Colour")
        self.color_button.setToolTip(
            "Families have the colour of their founder; again: each its own"
        )
        buttons = QGridLayout()
        buttons.addWidget(self.cut_button, 0, 0)
        buttons.addWidget(self.join_button, 0, 1)
        buttons.addWidget(self.split_button, 1, 0)
        buttons.addWidget(self.color_button, 1, 1)
        # Beside the tree: below it they would take half of its height.
        self._row = QHBoxLayout()
        self._row.addLayout(buttons)
        self.form.addRow(self._row)
        self.plot: Any = None
        self.branches: tuple[Branch, ...] = ()
        self._book, self._current, self._frame_count = BookState(), 0, 1
        self.cut_button.clicked.connect(self._cut)
        self.join_button.clicked.connect(self._join)
        self.split_button.clicked.connect(self.cut_here_requested)
        self.color_button.clicked.connect(self.colors_requested)
        self.setVisible(False)

    def show_movie(self, frame_count: int) -> None:
        """Show families of a movie of this length."""
        self._frame_count = frame_count
        self._draw()

    def show_state(self, book: BookState) -> None:
        """Show who descends from whom."""
        self._book = book
        self._draw()

    def show_selected(self, object_ids: Iterable[int]) -> None:
        """Show the family of the object that was chosen last."""
        self._current = next(reversed(tuple(object_ids)), 0)
        self._draw()

    def show_frame(self, frame_index: int) -> None:
        """Show where the viewer is."""
        if self.plot is not None:
            self._line.setValue(frame_index)

    def _draw(self) -> None:
        known = self._book.get(self._current)
        branches = family_tree(self._book, self._current, self._frame_count)
        has_mother = known is not None and known.parent is not None
        self.cut_button.setEnabled(has_mother)
        self.join_button.setEnabled(has_mother)
        self.setVisible(bool(branches))
        self.branches = branches
        if not branches:
            return
        if self.plot is None:
            self._make_plot()
        self.plot.clear()
        self.plot.addItem(self._line, ignoreBounds=True)
        rows = {one.object_id: one.row for one in branches}
        for branch in branches:
            self._add_branch(branch, rows)
        self._fit_rows()

    def _fit_rows(self, _box: object = None) -> None:
        """Show all branches with their names, which are as high at every scale."""
        rows = [one.row for one in self.branches]
        height = self.plot.getViewBox().height() - NAME_HEIGHT - LINE_HEIGHT
        if not rows or height <= 0:
            return
        low, high = min(rows) - BESIDE, max(rows)
        pixel = (high - low) / height
        low, high = low - NAME_HEIGHT * pixel, high + LINE_HEIGHT * pixel
        self.plot.setYRange(low, high, padding=0)

    def _make_plot(self) -> None:
        import pyqtgraph

        from napari_sam2.ui.lineage.branch_box import BranchBox

        box = BranchBox(lambda row: branch_at(self.branches, row) is not None)
        box.dropped.connect(self._on_dropped)
        self.plot = plot = pyqtgraph.PlotWidget(viewBox=box, enableMenu=False)
        plot.setToolTip(
            "Drag a branch onto her mother, or beside all to take her mother away"
        )
        plot.setMinimumHeight(LEAST_HEIGHT)
        plot.setBackground(self.palette().color(QPalette.ColorRole.Base))
        plot.hideButtons()
        plot.hideAxis("left")
        plot.setMouseEnabled(x=True, y=False)
        self._line = pyqtgraph.InfiniteLine()
        box.sigResized.connect(self._fit_rows)
        plot.scene().sigMouseClicked.connect(self._on_clicked)
        self._row.insertWidget(0, plot, 1)

    def _add_branch(self, branch: Branch, rows: dict[int, float]) -> None:
        import pyqtgraph

        color = (BYTE * np.asarray(color_in(self._book, branch.object_id))).astype(int)
        is_chosen = branch.object_id == self._current
        width = CHOSEN_WIDTH if is_chosen else BRANCH_WIDTH
        pen = pyqtgraph.mkPen(tuple(color.tolist()), width=width)
        places, heights = [branch.first, branch.last], [branch.row, branch.row]
        if branch.mother in rows:
            places.insert(0, branch.first)
            heights.insert(0, rows[branch.mother])
        self.plot.plot(places, heights, pen=pen)
        name = self._book[branch.object_id].name or str(branch.object_id)
        text = pyqtgraph.TextItem(name, self.palette().color(QPalette.ColorRole.Text))
        text.setPos(branch.first, branch.row)
        self.plot.addItem(text)

    def _on_clicked(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        place = self.plot.getViewBox().mapSceneToView(event.scenePos())
        branch = branch_at(self.branches, place.y())
        if branch is not None:
            self.object_requested.emit(branch.object_id)
        last = self._frame_count - 1
        self.frame_requested.emit(min(max(round(place.x()), 0), last))

    def _on_dropped(self, first: float, last: float) -> None:
        """Say whose daughter a branch is, by where it was dropped."""
        moved, onto = branch_at(self.branches, first), branch_at(self.branches, last)
        if moved is None:
            return
        if onto is None and moved.mother is not None:
            self.cut_requested.emit(moved.object_id)
        elif onto is not None and onto.object_id not in (moved.object_id, moved.mother):
            self.parent_requested.emit(moved.object_id, onto.object_id)

    def _cut(self) -> None:
        self.cut_requested.emit(self._current)

    def _join(self) -> None:
        mother = self._book[self._current].parent
        if mother is not None:
            self.join_requested.emit(mother, self._current)
