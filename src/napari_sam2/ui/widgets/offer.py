"""A remark that offers the next step in a button, or in several."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_sam2.ui.widgets.panel import Note

CLOSE = "✕"
CLOSE_WIDTH = 24
MARGIN, GAP = 12, 6


class Offer(QWidget):
    """Says what could be done, and does it; takes no room while there is nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.note = Note()
        self.buttons: list[QPushButton] = []
        self._rows: list[QHBoxLayout] = []
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, 0, MARGIN, 0)
        column.setSpacing(4)
        self._head = QHBoxLayout()
        self._head.addWidget(self.note, 1)
        column.addLayout(self._head)
        self.hide()

    @property
    def is_open(self) -> bool:
        """Whether something is offered."""
        return not self.isHidden()

    @property
    def stops(self) -> list[QPushButton]:
        """The buttons as the Tab key comes to them: the cross is above the steps."""
        return self.buttons[-1:] + self.buttons[:-1]

    def make(self, text: str, steps: Mapping[str, Callable[[], object]]) -> None:
        """Offer something instead of what was offered before.

        Parameters
        ----------
        steps
            What is done, by the text of its button.
        """
        self.withdraw()
        self.note.show_text(text)
        for title, step in steps.items():
            self._add(title, step)
        close = self._add(CLOSE, lambda: None)
        close.setFixedWidth(CLOSE_WIDTH)
        close.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        close.setToolTip("No, thanks")
        self._head.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        for before, after in pairwise(self.stops):
            QWidget.setTabOrder(before, after)
        self._lay_out()
        self.show()

    def withdraw(self) -> None:
        """Offer nothing."""
        for button in self.buttons:
            button.deleteLater()
        self.buttons = []
        self._lay_out()
        self.hide()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Put the buttons where their texts are read."""
        super().resizeEvent(event)
        if event is not None and event.oldSize().width() != self.width():
            self._lay_out()

    def _lay_out(self) -> None:
        """Share the steps out among as many rows as their texts need."""
        for row in self._rows:
            while row.count():
                row.takeAt(0)
            self._column.removeItem(row)
            row.deleteLater()
        self._rows, room = [], 0
        for button in self.buttons[:-1]:
            width = button.sizeHint().width()
            if width > room:
                row = QHBoxLayout()
                row.setSpacing(GAP)
                self._column.addLayout(row)
                self._rows.append(row)
                room = self.width() - 2 * MARGIN
            self._rows[-1].addWidget(button, width)
            room -= width + GAP

    def _add(self, title: str, step: Callable[[], object]) -> QPushButton:
        button = QPushButton(title, self)
        button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

        def take() -> None:
            self.withdraw()  # what follows may offer something else
            step()

        button.clicked.connect(take)
        self.buttons.append(button)
        return button
