"""CSV tables as napari saves them: rows by column, each with the line that it is on."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from napari_sam2.errors import InputError
from napari_sam2.io.movies.files.image_stacks import one_line
from napari_sam2.paths import read_text

DELIMITERS = ",;\t"
"""Of spreadsheets, which take what the system's language writes lists with."""
MAX_AXES = 10
UNITS = (
    "; napari saves positions in the layer's own units: give the layer the scale of "
    "its image before clicking"
)
"""Why positions may lie outside: a layer without a scale counts in micrometres."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Attributes
    ----------
    where
        What errors call it.
    cells
        Text by column.
    """

    where: str
    cells: dict[str, str]

    def number(self, column: str) -> float:
        """Return what a column holds.

        Raises
        ------
        InputError
            If it is no number.
        """
        text = self.cells.get(column)
        try:
            return float(text or "")
        except ValueError:
            said = f"{text or '':.60}"
        raise InputError(f"{self.where}, {column}: {said!r} is no number")

    def whole(self, column: str) -> int:
        """Return what a column holds.

        Raises
        ------
        InputError
            If it is no whole number.
        """
        value = self.number(column)
        if not value.is_integer():
            raise InputError(f"{self.where}, {column}: {value:g} is no whole number")
        return int(value)


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file.

    Attributes
    ----------
    columns
        Their names, in lower case.
    rows
        All others than the first, which names the columns.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def axes(self, before: str = "frame") -> Sequence[str]:
        """Return the columns of a position: ``axis-0`` and those that follow.

        Parameters
        ----------
        before
            What may stand before row and column.

        Raises
        ------
        InputError
            If they are not row and column, or these with what may stand before them.
        """
        names = [f"axis-{number}" for number in range(MAX_AXES)]
        axes = [name for name in names if name in self.columns]
        most = 3 + before.count(",")
        if len(axes) not in (2, most) or axes != names[: len(axes)]:
            found = ", ".join(self.columns) or "none"
            raise InputError(
                f"{self.path}: needs the columns axis-0, axis-1 (row, column) or "
                f"{', '.join(names[:most])} ({before}, row, column); found {found:.200}"
            )
        return axes


def read_table(path: Path) -> Table:
    """Read a CSV file.

    Raises
    ------
    InputError
        If it cannot be read as one, a column comes twice, or a line has more cells
        than there are columns.
    """
    text = read_text(path, "CSV")
    head = text.split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=head.count)
    try:
        reader = csv.reader(io.StringIO(text, newline=None), delimiter=delimiter)
        lines = [(reader.line_num, cells) for cells in reader if cells]
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as CSV: {one_line(error)}") from error
    columns = tuple(name.strip().lower() for name in lines[0][1]) if lines else ()
    named = [name for name in columns if name]
    if twice := next((name for name in named if named.count(name) > 1), None):
        raise InputError(f"{path}: there are two columns {twice}; take one away")
    rows = tuple(_row(path, number, columns, cells) for number, cells in lines[1:])
    return Table(path, columns, rows)


def _row(path: Path, number: int, columns: Sequence[str], cells: Sequence[str]) -> Row:
    where = f"{path}, line {number}"
    if any(cell.strip() for cell in cells[len(columns) :]):
        raise InputError(
            f"{where}: {len(cells)} cells for {len(columns)} columns; write decimals "
            "with a point, and text that holds the separator in quotes"
        )
    # What is missing at its end is empty, not absent as where there is no such column.
    return Row(where, dict(zip_longest(columns, cells[: len(columns)], fillvalue="")))
