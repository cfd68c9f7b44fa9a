"""What all panels of the dock have in common: a title, and one column of labels."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QLayout,
    QSizePolicy,
    QWidget,
)


def short_path(path: Path) -> str:
    """Return a path as text, with ``~`` for the home folder."""
    home = Path.home()
    if not path.is_relative_to(home):
        return str(path)
    return str(Path("~") / path.relative_to(home))


WIDEST_LABEL = "Frames along"
STYLE_PADDING = 16
"""Pixels that napari's style adds to a label."""

SHORTEST_TEXT = 8
"""Letters that a list of names asks room for."""


class Panel(QGroupBox):
    """A titled box of rows, whose labels are as wide as those of other panels.

    Parameters
    ----------
    title
        Shown above the rows.
    """

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.form = QFormLayout(self)
        self.form.setContentsMargins(8, 4, 8, 8)
        self.form.setVerticalSpacing(6)
        self.form.setFieldGrowthPolicy(
            QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow
        )

    def add_row(self, text: str, field: QWidget | QLayout) -> None:
        """Add a row at the end."""
        self.insert_row(self.form.rowCount(), text, field)

    def insert_row(self, row: int, text: str, field: QWidget | QLayout) -> None:
        """Add a row at a place of its own."""
        label = QLabel(text)
        label.setMinimumWidth(
            label.fontMetrics().horizontalAdvance(WIDEST_LABEL) + STYLE_PADDING
        )
        label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        if isinstance(field, QWidget):
            label.setBuddy(field)  # its underlined letter leads there
        self.form.insertRow(row, label, field)


class Note(QLabel):
    """A text of several lines that gives way to the width of the dock.

    It asks for the height that it needs at the width it has: a form in which heights
    depend on widths is laid out by Qt as for another width when a row comes or goes,
    and then takes the missing pixels from buttons.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)

    def show_text(self, text: str) -> None:
        """Show a text; without one, take no room."""
        self.setText(text)
        self.setVisible(bool(text))

    def hasHeightForWidth(self) -> bool:
        """Say no; see above."""
        return False

    def sizeHint(self) -> QSize:
        """Ask for all lines of the text."""
        return self.minimumSizeHint()

    def minimumSizeHint(self) -> QSize:
        """Ask for all lines of the text."""
        return QSize(1, self.heightForWidth(self.width()))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Ask for another height at another width."""
        super().resizeEvent(event)
        self.updateGeometry()


def narrow(combo: QComboBox) -> None:
    """Let a list of long names not make the dock wider."""
    combo.setMinimumContentsLength(SHORTEST_TEXT)
    combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    combo.setSizeAdjustPolicy(
        QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    )
