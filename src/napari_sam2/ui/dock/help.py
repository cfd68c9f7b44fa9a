"""How somebody begins: help behind a question mark, and buttons where no movie is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QMenu, QPushButton, QVBoxLayout, QWidget

from napari_sam2.ui.contributions.sample_data import SAMPLES
from napari_sam2.ui.keys.bindings import with_key
from napari_sam2.ui.widgets.icons import icon

if TYPE_CHECKING:
    from napari.viewer import Viewer

PLUGIN = "napari-sam2"
OPEN_FILES = "napari.window.file.open_files_dialog"
"""napari's own command: it remembers folders, and asks where two readers could."""

PAGE = "https://github.com/napari-sam2/napari-sam2/blob/main/docs/{}.md"
PAGES = {"tutorial": "Tutorial: five minutes with a sample", "user-guide": "User guide"}
"""Files of the documentation, and what the menu calls them."""


SIDE = 26
STYLE = "QPushButton { padding: 0; } QPushButton::menu-indicator { width: 0; }"
"""A question mark says what is behind it; napari's arrow would lie on it."""


class HelpButton(QPushButton):
    """A question mark: tutorial, user guide, samples, keys."""

    keys_requested = Signal()
    """The sheet of keys is wanted."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__("?")
        self.setFixedSize(SIDE, SIDE)
        self.setStyleSheet(STYLE)
        self.setToolTip("Help: tutorial, samples, keys")
        self.setAccessibleName("Help")
        menu = QMenu(self)
        for name, title in PAGES.items():
            _add(menu, title, partial(_open_page, name))
        menu.addMenu(_samples(viewer, self))
        menu.addSeparator()
        keys = with_key("Keys and gestures", "key_sheet")
        _add(menu, keys, self.keys_requested.emit)
        self.setMenu(menu)


class Beginning(QWidget):
    """Three ways to begin; shown while there is no movie."""

    def __init__(self, viewer: Viewer, sessions: QMenu | None) -> None:
        super().__init__()
        self._viewer = viewer
        self.movie_button = QPushButton(icon("folder"), "Open a movie …")
        self.sample_button = QPushButton(icon("play"), "Try a sample")
        self.session_button = QPushButton(icon("recent"), "Go on with a session")
        self.sample_button.setMenu(_samples(viewer, self))
        self.session_button.setMenu(sessions)
        self.movie_button.clicked.connect(self._open_files)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 0, 12, 0)
        column.setSpacing(4)
        for button in (self.movie_button, self.sample_button, self.session_button):
            column.addWidget(button)

    def _open_files(self) -> None:
        action = self._viewer.window.file_menu.findAction(OPEN_FILES)
        if action is not None:
            action.trigger()


def _samples(viewer: Viewer, parent: QWidget) -> QMenu:
    menu = QMenu("Samples", parent)
    for key, title in SAMPLES.items():
        _add(menu, title, partial(viewer.open_sample, PLUGIN, key))
    return menu


def _add(menu: QMenu, title: str, do: Callable[[], object]) -> None:
    action = menu.addAction(title)
    if action is not None:
        action.triggered.connect(lambda _checked=False: do())


def _open_page(name: str) -> None:
    QDesktopServices.openUrl(QUrl(PAGE.format(name)))
