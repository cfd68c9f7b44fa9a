"""A row that offers the next step in a button, or in two."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_sam2.ui.widgets.panel import Note

CLOSE = "✕"
CLOSE_WIDTH = 24


class Offer(QWidget):
    """Says what could be done, and does it; takes no room while there is nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.note = Note()
        self.buttons: list[QPushButton] = []
        self._row = QHBoxLayout()
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 0, 12, 0)
        column.setSpacing(4)
        column.addWidget(self.note)
        column.addLayout(self._row)
        self.hide()

    @property
    def is_open(self) -> bool:
        """Whether something is offered."""
        return not self.isHidden()

    def make(self, text: str, steps: Mapping[str, Callable[[], object]]) -> None:
        """Offer something instead of what was offered before.

        Parameters
        ----------
        text
            What it is about.
        steps
            What is done, by the text of its button.
        """
        self.withdraw()
        self.note.show_text(text)
        for title, step in steps.items():
            self._add(title, step)
        self._add(CLOSE, lambda: None).setFixedWidth(CLOSE_WIDTH)
        self.buttons[-1].setToolTip("No, thanks")
        self.show()

    def withdraw(self) -> None:
        """Offer nothing."""
        for button in self.buttons:
            self._row.removeWidget(button)
            button.deleteLater()
        self.buttons = []
        self.hide()

    def _add(self, title: str, step: Callable[[], object]) -> QPushButton:
        button = QPushButton(title)
        button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

        def take() -> None:
            self.withdraw()  # what follows may offer something else
            step()

        button.clicked.connect(take)
        self._row.addWidget(button)
        self.buttons.append(button)
        return button
