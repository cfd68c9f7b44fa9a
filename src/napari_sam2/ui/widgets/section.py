"""Sections that fold up under their headings, and the memory of which were folded.

A folded panel is hidden, not squeezed to no height: its widgets are out of the way of
the tab key, and those of an open one always have the height that they ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_sam2.ui.widgets.panel import BARE, Panel
from napari_sam2.ui.widgets.remembered import Remembered

OPEN, FOLDED = "▾", "▸"
HEADING_PADDING = 6

STYLE = f"""
QPushButton {{ text-align: left; font-weight: bold; padding: 3px {HEADING_PADDING}px; }}
"""


class Section(QWidget):
    """A panel below a heading that folds it up.

    Parameters
    ----------
    panel
        What is folded; its title goes to the heading.
    is_open
        Whether it is shown at first.
    """

    toggled = Signal(bool)
    """A person opened or folded it."""

    def __init__(self, panel: Panel, *, is_open: bool) -> None:
        super().__init__()
        self.title = panel.title()
        self.panel = panel
        self._summary = ""
        self._is_open = is_open
        panel.setTitle("")
        panel.setStyleSheet(BARE)
        self.heading = QPushButton()
        self.heading.setStyleSheet(STYLE)
        # A long summary may not make the dock wider.
        self.heading.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.heading.clicked.connect(self._on_clicked)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.heading)
        column.addWidget(panel)
        self.set_open(is_open)

    @property
    def is_open(self) -> bool:
        """Whether the panel is shown."""
        return self._is_open

    def set_open(self, is_open: bool) -> None:
        """Show the panel, or only the heading; no person asked for it."""
        self._is_open = is_open
        self.panel.setVisible(is_open)
        self.heading.setToolTip(
            f"{'Fold up' if is_open else 'Open'} {self.title}; it is remembered"
        )
        state = "open" if is_open else "folded"
        self.heading.setAccessibleName(f"{self.title}, {state}")
        self._show_heading()

    def show_summary(self, text: str) -> None:
        """Say in the heading, while it is folded, what is chosen in the panel."""
        self._summary = text
        self._show_heading()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Shorten the summary to the new width."""
        super().resizeEvent(event)
        self._show_heading()

    def _on_clicked(self) -> None:
        self.set_open(not self._is_open)
        self.toggled.emit(self._is_open)

    def _show_heading(self) -> None:
        text = f"{OPEN if self._is_open else FOLDED}  {self.title}"
        if self._summary and not self._is_open:
            text = f"{text}:  {self._summary}"
        room = max(0, self.width() - 2 * HEADING_PADDING)
        metrics = self.heading.fontMetrics()
        short = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
        self.heading.setText(short.replace("&", "&&"))


class Folds:
    """Which sections a person opened or folded, also in an earlier shown.

    Parameters
    ----------
    sections
        By the name under which each is remembered.
    file
        Where; in the user's configuration folder unless given.
    """

    def __init__(
        self, sections: Mapping[str, Section], file: Path | None = None
    ) -> None:
        self._remembered = Remembered(file)
        self._sections = dict(sections)
        self._chosen: set[str] = set()
        for name, one in self._sections.items():
            is_open = self._remembered.get(_key(name))
            if is_open is not None:
                one.set_open(is_open)
                self._chosen.add(name)
            one.toggled.connect(lambda is_open, name=name: self._keep(name, is_open))

    def propose(self, name: str, *, is_open: bool) -> None:
        """Open or fold a section, unless a person has decided about it."""
        if name not in self._chosen:
            self._sections[name].set_open(is_open)

    def _keep(self, name: str, is_open: bool) -> None:
        self._chosen.add(name)
        self._remembered.put(_key(name), is_open)


def _key(name: str) -> str:
    return f"open/{name}"
