"""Panel: area, intensity, displacement and trust of the chosen objects over time."""

from __future__ import annotations

import html
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QEvent, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QPushButton, QSizePolicy

from napari_sam2.interfaces import Calibration
from napari_sam2.session.book.state import BookState
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.ui.layers.colors import color_in
from napari_sam2.ui.plots.curves import (
    UNCALIBRATED,
    CurveTable,
    Quantity,
    WorldUnits,
    curves,
    legible,
)
from napari_sam2.ui.widgets.icons import icon
from napari_sam2.ui.widgets.panel import Panel
from napari_sam2.ui.widgets.timers import single_shot

if TYPE_CHECKING:
    from napari_sam2.ui.plots.curves import PlotGrid

PAUSE = 250
"""Milliseconds between two drawings while scores stream in."""

MOST_OBJECTS = 20
"""Objects in the plots; more could not be told apart."""

AT_FIRST = (Quantity.AREA, Quantity.TRUST)
"""Plotted at first: more would leave little of the window to the picture."""

NAME_WIDTH = 88
"""Pixels of a name such as *object 12*, with its colour."""

NOTHING = "Choose objects in the table, the timeline or the viewer to plot them."


class PlotsPanel(Panel):
    """Shows how the chosen objects change; asks to go to a frame, and for an export.

    Nothing is computed, and pyqtgraph is not loaded, before the panel is seen.
    """

    frame_requested = Signal(int)
    export_requested = Signal(object, object)
    """A `CurveTable`, whose ``write`` the worker calls, and a `Path`."""

    def __init__(self) -> None:
        super().__init__("Plots")
        # --- Widgets
        self.buttons = {one: _toggle(one) for one in Quantity}
        self.fit_button = QPushButton("Fit")
        self.fit_button.setToolTip("Show all frames")
        self.export_button = QPushButton(icon("download"), "CSV …")
        self.export_button.setToolTip("Save the plotted numbers as a table")
        # What has no room is cut: in several lines it would take the plots' height.
        self.legend = QLabel()
        self.legend.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.legend.setMinimumWidth(NAME_WIDTH)
        self.grid: PlotGrid | None = None
        # --- Layout
        row = QHBoxLayout()
        row.setSpacing(3)
        for button in self.buttons.values():
            row.addWidget(button)
        row.addWidget(self.legend, 1)
        row.addWidget(self.fit_button)
        row.addWidget(self.export_button)
        self.form.addRow(row)
        # --- State
        self._state = BookState()
        self._tables: ScoreTables | None = None
        self._selected: tuple[int, ...] = ()
        self._units = WorldUnits()
        self._frame, self._frame_count = 0, 1
        self._timer = single_shot(self, self._draw, PAUSE)
        # --- Connections
        for button in self.buttons.values():
            button.toggled.connect(self._show_quantities)
        self.fit_button.clicked.connect(self._fit)
        self.export_button.clicked.connect(self._ask_for_export)
        self._show_legend()

    # --- What is shown

    def show_movie(
        self, frame_count: int, calibration: Calibration = UNCALIBRATED
    ) -> None:
        """Show a movie of this length and calibration."""
        self._frame_count = frame_count
        self._units = WorldUnits.of(calibration)
        self._draw_soon()

    def show_state(self, state: BookState) -> None:
        """Show the names of a book."""
        self._state = state
        self._draw_soon()

    def show_scores(self, tables: ScoreTables | None) -> None:
        """Show other scores, at most every `PAUSE` milliseconds."""
        self._tables = tables
        self._draw_soon()

    def show_selected(self, object_ids: Iterable[int]) -> None:
        """Plot these objects."""
        self._selected = tuple(object_ids)
        self._draw_soon()

    def show_frame(self, frame_index: int) -> None:
        """Show where the viewer is."""
        self._frame = frame_index
        if self.grid is not None:
            self.grid.show_place(self._units.place_of(frame_index))

    @property
    def plotted(self) -> tuple[int, ...]:
        """The objects that can be plotted, by id."""
        if self._tables is None:
            return ()
        known = (one for one in self._selected if one in self._tables.columns)
        return tuple(sorted(known)[:MOST_OBJECTS])

    def showEvent(self, event: QShowEvent | None) -> None:
        """Make the plots when they are seen for the first time."""
        super().showEvent(event)
        if self.grid is None:
            from napari_sam2.ui.plots.curves import PlotGrid

            self.grid = PlotGrid()
            self.grid.place_requested.connect(self._on_place_requested)
            self.form.insertRow(1, self.grid)
        self._show_quantities()

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.StyleChange:
            self._draw_soon()

    # --- What is asked

    def _on_place_requested(self, place: float) -> None:
        frame = self._units.frame_at(place, self._frame_count)
        if frame != self._frame:
            self.frame_requested.emit(frame)
        self.show_frame(frame)

    def _ask_for_export(self) -> None:
        ids = self.plotted
        if not ids or self._tables is None:
            return
        title = "Save the plotted numbers"
        answer, _ = QFileDialog.getSaveFileName(self, title, "", "Table (*.csv)")
        if answer:
            path = Path(answer)
            path = path.with_suffix(path.suffix or ".csv")
            values = curves(self._tables, ids, self._units)
            names = tuple(self._name(one) for one in ids)
            self.export_requested.emit(
                CurveTable(ids, names, values, self._units), path
            )

    # --- Steps

    def _draw_soon(self) -> None:
        # Children are styled before there is a timer.
        if hasattr(self, "_timer") and self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def _draw(self) -> None:
        self._timer.stop()
        self._show_legend()
        if self.grid is None:
            return
        from napari_sam2.ui.plots.curves import Curves

        ids, units = self.plotted, self._units
        self.grid.setVisible(bool(ids))
        if self._tables is None or not ids:
            return
        shown = Curves(
            places=units.place_of(1) * np.arange(self._tables.frame_count),
            values=curves(self._tables, ids, units),
            colors=[legible(color_in(self._state, one), self.palette()) for one in ids],
            labels={one: units.label(one) for one in Quantity},
            time_label=units.time_label,
        )
        self.grid.show_curves(shown, self.palette())
        self.grid.show_place(units.place_of(self._frame))

    def _show_quantities(self, _changed: object = None) -> None:
        if self.grid is not None:
            chosen = [one for one, button in self.buttons.items() if button.isChecked()]
            self.grid.show_quantities(chosen)
            self._draw()

    def _fit(self) -> None:
        if self.grid is not None:
            self.grid.fit()

    def _show_legend(self) -> None:
        ids = self.plotted
        self.export_button.setEnabled(bool(ids))
        entries = []
        for one in ids:
            color = legible(color_in(self._state, one), self.palette()).name()
            name = html.escape(self._name(one))
            entries.append(f'<span style="color:{color}">■</span>&nbsp;{name}')
        more = len(self._selected) - len(ids)
        if more > 0 and ids:
            entries.append(f"and {more} more that are not plotted")
        self.legend.setText(" &nbsp; ".join(entries) or NOTHING)
        self.legend.setToolTip(self.legend.text())

    def _name(self, object_id: int) -> str:
        name = self._state[object_id].name if object_id in self._state else ""
        return name or f"object {object_id}"


def _toggle(quantity: Quantity) -> QPushButton:
    button = QPushButton(quantity.capitalize())
    button.setCheckable(True)
    button.setChecked(quantity in AT_FIRST)
    button.setToolTip(f"Plot the {quantity}")
    return button
