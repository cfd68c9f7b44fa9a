"""What the plots show, in units of the world, and the table that is exported."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import Calibration
from napari_sam2.session.scores.tables import ScoreTables

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
            return "Slice" if self.is_stack else "Frame"
        return f"{'Depth' if self.is_stack else 'Time'} ({self.time_unit})"

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
    tables
        Scores and measurements.
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
    object_ids, names
        Whose numbers.
    values
        ``(T, objects)`` by quantity.
    units
        Of the numbers.
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
        thing = (self.object_ids[column], self.names[column])
        return [
            [*thing, frame, *self._time(frame), *map(_number, numbers[frame])]
            for frame in known.tolist()
        ]

    def _time(self, frame: int) -> list[str]:
        if not self.units.time_unit:
            return []
        return [_number(self.units.place_of(frame))]


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"
