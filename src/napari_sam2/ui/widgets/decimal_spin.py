"""A field for a number with decimals, as people of all languages type it."""

from __future__ import annotations

from qtpy.QtCore import QLocale
from qtpy.QtGui import QValidator
from qtpy.QtWidgets import QDoubleSpinBox


class DecimalSpin(QDoubleSpinBox):
    """Shows a point, as the rest of the window and all files; takes a comma for it.

    Qt would show the mark of the language, and take the other one for thousands: 2.5
    would be 25 in German.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setLocale(QLocale.c())

    def validate(
        self, text: str | None, position: int
    ) -> tuple[QValidator.State, str, int]:
        """Say whether a text is a number, and write it with a point."""
        return super().validate(_with_point(text), position)

    def valueFromText(self, text: str | None) -> float:
        """Return the number of a text."""
        return super().valueFromText(_with_point(text))


def _with_point(text: str | None) -> str:
    return (text or "").replace(",", ".")
