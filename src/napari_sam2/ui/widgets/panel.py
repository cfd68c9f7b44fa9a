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
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
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


BARE = "QGroupBox { border: 0; margin: 0; padding: 0; }"
"""Where a heading, or a tab, says what the frame and title of the box would."""


class Panel(QGroupBox):
    """A titled box of rows, whose labels are as wide as those of other panels."""

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
        self.form.insertRow(row, _label(text, field), field)


def _label(text: str, field: QWidget | QLayout) -> QLabel:
    label = QLabel(text)
    label.setMinimumWidth(
        label.fontMetrics().horizontalAdvance(WIDEST_LABEL) + STYLE_PADDING
    )
    label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    if isinstance(field, QWidget):
        label.setBuddy(field)  # its underlined letter leads there
    return label


class More(QWidget):
    """Rows that are rarely wanted, behind a button."""

    def __init__(self) -> None:
        super().__init__()
        self.button = QPushButton("More …")
        self.button.setCheckable(True)
        self.button.setFlat(True)
        self.body = QWidget()
        self.form = QFormLayout(self.body)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setVerticalSpacing(6)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.button)
        column.addWidget(self.body)
        self.button.toggled.connect(self.body.setVisible)
        self.body.hide()

    def add_row(self, text: str, field: QWidget | QLayout) -> None:
        """Add a row at the end."""
        self.form.addRow(_label(text, field), field)


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
