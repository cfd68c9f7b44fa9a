"""A line that says what is missing, with the command that mends it to be copied."""

from __future__ import annotations

from qtpy.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
)

from napari_sam2.ui.model.view import Problem
from napari_sam2.ui.widgets.panel import Note


class ProblemBox(QFrame):
    """Shows one problem at a time, or nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("napari-sam2-problem")
        self.sentence = Note()
        self.command = QLineEdit()
        self.command.setReadOnly(True)
        self.command.setToolTip("Type this into a terminal")
        self.command.setAccessibleName("Command that mends it")
        self.copy_button = QPushButton("&Copy")
        self.copy_button.setToolTip("Copy the command")
        row = QHBoxLayout()
        row.addWidget(self.command, 1)
        row.addWidget(self.copy_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.sentence)
        column.addLayout(row)
        self.copy_button.clicked.connect(self._copy)
        self.show_problem(None)

    def show_problem(self, problem: Problem | None) -> None:
        """Show a problem; without one, take no room."""
        self.setVisible(problem is not None)
        if problem is None:
            return
        self.sentence.show_text(f"⚠ {problem.sentence}")
        self.command.setText(problem.command)
        self.command.setCursorPosition(0)
        for widget in (self.command, self.copy_button):
            widget.setVisible(bool(problem.command))
        self.copy_button.setText("&Copy")

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.command.text())
            self.copy_button.setText("Copied")
