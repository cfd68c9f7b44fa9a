"""A field for a number with decimals, as people of all languages type it."""

from __future__ import annotations

from qtpy.QtGui import QValidator
from qtpy.QtWidgets import QDoubleSpinBox


class DecimalSpin(QDoubleSpinBox):
    """Takes a point and a comma for the same mark.

    In Qt the one that is not of the language separates thousands: 2.5 would be 25 in
    German, and 2,5 in English.
    """

    def validate(
        self, text: str | None, position: int
    ) -> tuple[QValidator.State, str, int]:
        """Say whether a text is a number, and write it with the language's mark."""
        return super().validate(self._in_language(text), position)

    def valueFromText(self, text: str | None) -> float:
        """Return the number of a text."""
        return super().valueFromText(self._in_language(text))

    def _in_language(self, text: str | None) -> str:
        mark = self.locale().decimalPoint()
        return (text or "").replace(".", mark).replace(",", mark)
