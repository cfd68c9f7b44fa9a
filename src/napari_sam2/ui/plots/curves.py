"""What the plots show, in units of the world, and the table that is exported."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import Calibration
from napari_sam2.session.scores.tables import ScoreTables

FAINT = 0.25
"""Contrast to the background under which a colour is mixed with that of the text."""

LARGEST_SHARE = 0.6
LUMINANCE = np.array([0.299, 0.587, 0.114])


def legible(color: Sequence[float] | np.ndarray, palette: QPalette) -> QColor:
    """Return a colour, mixed with that of the text if it would hardly be seen.

    Parameters
    ----------
    color
        ``(r, g, b, a)`` in 0…1.
    """
    ground = np.array(palette.color(QPalette.ColorRole.Base).getRgbF()[:3])
    text = np.array(palette.color(QPalette.ColorRole.Text).getRgbF()[:3])
    wanted = np.array(color[:3])
    contrast = abs(float((wanted - ground) @ LUMINANCE))
    share = LARGEST_SHARE * max(0.0, 1 - contrast / FAINT)
    return QColor.fromRgbF(*map(float, wanted + share * (text - wanted)))


UNCALIBRATED = Calibration()
SHORT_UNITS = {
    "micrometer": "µm",
    "nanometer": "nm",
    "millimeter": "mm",
    "second": "s",
    "millisecond": "ms",
    "minute": "min",
    "hour": "h",
    "day": "d",
    "pixel": "px",
}
PIXEL = "px"


class Quantity(StrEnum):
    """What is plotted, each in a plot of its own."""

    AREA = "area"
    INTENSITY = "intensity"
    DISPLACEMENT = "displacement"
    TRUST = "trust"


@dataclass(frozen=True, slots=True)
class WorldUnits:
    """What a frame and a pixel are, as far as the movie's calibration says.

    Attributes
    ----------
    interval, time_unit
        From frame to frame; 1 and an empty unit if unknown: then frames are counted.
    is_stack
        Whether frames are slices of a stack, not times.
    pixel, length_unit
        Height and width of a pixel; 1, 1 and ``px`` if unknown.
    """

    interval: float = 1.0
    time_unit: str = ""
    is_stack: bool = False
    pixel: tuple[float, float] = (1.0, 1.0)
    length_unit: str = PIXEL

    @classmethod
    def of(cls, calibration: Calibration) -> WorldUnits:
        """Return the units of a calibration; pixels unless y and x have the same."""
        along, down, across = calibration.units
        interval, height, width = calibration.scale
        is_known = down is not None and down == across and down != "pixel"
        return cls(
            interval=interval if along else 1.0,
            time_unit=short_unit(along) if along else "",
            is_stack=calibration.frame_axis == "z",
            pixel=(height, width) if is_known else (1.0, 1.0),
            length_unit=short_unit(down) if is_known and down else PIXEL,
        )

    @property
    def time_label(self) -> str:
        """What the axis along the frames is called."""
        if not self.time_unit:
            return "slice" if self.is_stack else "frame"
        return f"{'depth' if self.is_stack else 'time'} ({self.time_unit})"

    def label(self, quantity: Quantity) -> str:
        """Return what the axis of a quantity is called."""
        unit = self.unit(quantity)
        return quantity.capitalize() + (f" ({unit})" if unit else "")

    def unit(self, quantity: Quantity) -> str:
        """Return the unit of a quantity; empty where it has none."""
        match quantity:
            case Quantity.AREA:
                return f"{self.length_unit}²"
            case Quantity.DISPLACEMENT:
                return self.length_unit
        return ""

    def place_of(self, frame_index: float) -> float:
        """Return where a frame lies on the axis along the frames."""
        return frame_index * self.interval

    def frame_at(self, place: float, frame_count: int) -> int:
        """Return the frame nearest to a place on that axis."""
        return min(max(round(place / self.interval), 0), frame_count - 1)


def short_unit(name: str) -> str:
    """Return the sign of a unit, or its name.

    >>> short_unit("micrometer")
    'µm'
    """
    return SHORT_UNITS.get(name, name)


def curves(
    tables: ScoreTables, object_ids: Sequence[int], units: WorldUnits
) -> dict[Quantity, np.ndarray]:
    """Return ``(T, objects)`` of each quantity, NaN where there is none.

    Parameters
    ----------
    object_ids
        Which objects, all of them in the tables.
    units
        Of areas and lengths in the result.
    """
    columns = [tables.columns[one] for one in object_ids]
    there = tables.presence()[:, columns]

    def present(values: np.ndarray) -> np.ndarray:
        result: np.ndarray = np.where(there, values, np.nan)
        return result

    height, width = units.pixel
    moved = tables.displacement(units.pixel, object_ids)
    return {
        Quantity.AREA: present(tables.area[:, columns] * (height * width)),
        Quantity.INTENSITY: present(tables.intensity[:, columns]),
        Quantity.DISPLACEMENT: present(moved),
        Quantity.TRUST: present(tables.trust()[:, columns]),
    }


@dataclass(frozen=True, slots=True, eq=False)
class CurveTable:
    """The plotted numbers as a table, taken at one moment; written in the worker.

    Attributes
    ----------
    values
        ``(T, objects)`` by quantity.
    """

    object_ids: tuple[int, ...]
    names: tuple[str, ...]
    values: dict[Quantity, np.ndarray]
    units: WorldUnits

    def write(self, path: Path) -> None:
        """Write a CSV file: a line for each object and frame with a known number.

        Raises
        ------
        OutputError
            If the disk refuses.
        """
        try:
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(self._head())
                for column in range(len(self.object_ids)):
                    writer.writerows(self._lines(column))
        except OSError as error:
            raise OutputError(
                f"{path}: the table cannot be written ({error.strerror}); choose "
                "another place"
            ) from error

    def _head(self) -> list[str]:
        named = [
            f"{one} [{unit}]" if (unit := self.units.unit(one)) else str(one)
            for one in Quantity
        ]
        time = [f"time [{self.units.time_unit}]"] if self.units.time_unit else []
        return ["object", "name", "frame", *time, *named]

    def _lines(self, column: int) -> list[list[object]]:
        numbers = np.stack([self.values[one][:, column] for one in Quantity], axis=1)
        known = np.flatnonzero(~np.isnan(numbers).all(axis=1))
        whose = (self.object_ids[column], self.names[column])
        return [
            [*whose, frame, *self._time(frame), *map(_number, numbers[frame])]
            for frame in known.tolist()
        ]

    def _time(self, frame: int) -> list[str]:
        if not self.units.time_unit:
            return []
        return [_number(self.units.place_of(frame))]


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"


AXIS_WIDTH = 42
NUMBER_HEIGHT = 14
"""Pixels that a number beside a plot has for itself."""

TITLE_HEIGHT = 15
LEAST_HEIGHT = 66
"""Of plots, beside each other, which the window of a small screen has room for."""

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
        What each plot is called.
    time_label
        Of the axis along the frames.
    """

    places: np.ndarray
    values: Mapping[Quantity, np.ndarray]
    colors: Sequence[QColor]
    labels: Mapping[Quantity, str]
    time_label: str


def ticks_between(low: float, high: float, most: float) -> tuple[float, list[float]]:
    """Return a step, and its round multiples: as many as there is room for, or one.

    >>> ticks_between(79.7, 80.3, 1.9)
    (0.5, [80.0])
    """
    least = (high - low) / most
    power = 10.0 ** math.floor(math.log10(least))
    step = power * next(one for one in (1, 2, 5, 10) if one * power >= least)
    places = range(math.ceil(low / step), math.floor(high / step) + 1)
    if places:
        return step, [place * step for place in places]
    finer, found = ticks_between(low, high, 2 * most)
    return finer, [min(found, key=lambda one: abs(2 * one - low - high))]


class ValueAxis(pyqtgraph.AxisItem):  # type: ignore[misc]
    """An axis beside a plot, also beside one that is only as high as two numbers."""

    def tickValues(
        self, minVal: float, maxVal: float, size: float
    ) -> list[tuple[float, list[float]]]:
        """Return the ticks with their step: pyqtgraph would write over its numbers."""
        room = size / NUMBER_HEIGHT
        margin = (maxVal - minVal) / max(room, 2.0) / 2  # numbers are written whole
        if not margin > 0:
            return []
        low, high = minVal + margin, maxVal - margin
        return [ticks_between(low, high, max(room - 1, 1.0))]


class PlotGrid(QWidget):
    """A plot for each quantity, and a line at the current place in all of them."""

    place_requested = Signal(float)
    """A place along the frames that was clicked, or to which the line was dragged."""

    def __init__(self) -> None:
        super().__init__()
        self.canvas = pyqtgraph.GraphicsLayoutWidget()
        self.canvas.ci.setContentsMargins(0, 4, 6, 0)
        self.canvas.ci.setSpacing(2)
        self.plots: dict[Quantity, Any] = {}
        self.lines: dict[Quantity, Any] = {}
        self.shown: tuple[Quantity, ...] = tuple(Quantity)
        for quantity in Quantity:
            self._add_plot(quantity)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.canvas.setMinimumHeight(LEAST_HEIGHT)
        column.addWidget(self.canvas)
        self.canvas.scene().sigMouseClicked.connect(self._on_clicked)
        self.show_quantities(self.shown)

    def show_quantities(self, quantities: Sequence[Quantity]) -> None:
        """Show only some of the plots."""
        self.shown = tuple(one for one in Quantity if one in quantities)
        for plot in self.plots.values():
            if plot.scene() is not None and plot in self.canvas.ci.items:
                self.canvas.ci.removeItem(plot)
        for place, quantity in enumerate(self.shown):
            self.canvas.ci.addItem(self.plots[quantity], 0, place)

    def show_curves(self, curves: Curves, palette: QPalette) -> None:
        """Draw other curves, in the colours of a window with this palette."""
        text = palette.color(QPalette.ColorRole.Text)
        background = palette.color(QPalette.ColorRole.Base)
        self.canvas.setBackground(background)
        # Qt draws thin lines many times as fast as others.
        width = 1 if len(curves.places) * len(curves.colors) > MANY_POINTS else 2
        pens = [pyqtgraph.mkPen(color, width=width) for color in curves.colors]
        for quantity, plot in self.plots.items():
            self._color(plot, text)
            self._name(plot, f"{curves.labels[quantity]} by {curves.time_label}", text)
            items = self._items(plot, len(curves.colors))
            for column, item in enumerate(items):
                values = np.ascontiguousarray(curves.values[quantity][:, column])
                item.setData(curves.places, values)
                item.setPen(pens[column])
            self.lines[quantity].setPen(pyqtgraph.mkPen(text, width=1))
        if len(curves.places):
            first, last = float(curves.places[0]), float(curves.places[-1])
            self.plots[Quantity.AREA].setLimits(xMin=first, xMax=max(last, first + 1))

    def show_place(self, place: float) -> None:
        """Move the line."""
        for line in self.lines.values():
            line.setValue(place)

    def fit(self) -> None:
        """Show all of all curves."""
        for quantity, plot in self.plots.items():
            plot.enableAutoRange(x=True, y=quantity is not Quantity.TRUST)

    def _add_plot(self, quantity: Quantity) -> None:
        axis = ValueAxis("left")
        plot = pyqtgraph.PlotItem(enableMenu=False, axisItems={"left": axis})
        plot.hideButtons()
        plot.setMouseEnabled(x=True, y=False)
        plot.setDownsampling(auto=True, mode="peak")
        plot.setClipToView(True)
        plot.showGrid(x=True, y=True, alpha=0.15)
        axis.setWidth(AXIS_WIDTH)
        axis.enableAutoSIPrefix(False)
        plot.getAxis("bottom").enableAutoSIPrefix(False)
        if quantity is Quantity.TRUST:
            plot.setYRange(0, 1, padding=0.08)
            axis.setTicks([[(one, f"{one}") for one in (0, 0.5, 1)]])
        else:
            plot.getViewBox().setAutoVisible(y=True)
        if self.plots:
            plot.setXLink(self.plots[Quantity.AREA])
        line = pyqtgraph.InfiniteLine(movable=True)
        line.setCursor(Qt.CursorShape.SplitHCursor)
        line.sigDragged.connect(self._on_dragged)
        plot.addItem(line, ignoreBounds=True)
        self.plots[quantity], self.lines[quantity] = plot, line

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
        for quantity in self.shown:
            box = self.plots[quantity].getViewBox()
            if box.sceneBoundingRect().contains(event.scenePos()):
                place = box.mapSceneToView(event.scenePos()).x()
                self.place_requested.emit(float(place))

    def _name(self, plot: Any, name: str, color: QColor) -> None:
        """Write above a plot what it shows: along its sides, names take its room."""
        plot.setTitle(name, color=color.name(), size=LABEL_SIZE, justify="left")
        plot.layout.setRowFixedHeight(0, TITLE_HEIGHT)
        plot.titleLabel.setMaximumHeight(TITLE_HEIGHT)

    def _color(self, plot: Any, text: QColor) -> None:
        for side in ("left", "bottom"):
            axis = plot.getAxis(side)
            axis.setPen(pyqtgraph.mkPen(text, width=1))
            axis.setTextPen(text)
