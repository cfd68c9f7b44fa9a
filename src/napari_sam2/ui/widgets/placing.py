"""Where a dock lies in napari's window."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QPushButton, QWidget

from napari_sam2.ui.widgets.icons import icon
from napari_sam2.ui.widgets.timers import single_shot

if TYPE_CHECKING:
    from napari.window import Window


class DockedWidget(QWidget):
    """A dock's widget that is deleted, with what goes with it, once it is closed.

    The cross of a dock takes its widget out of the window, where it lives on as long as
    anything refers to it: it would keep its keys, its threads and its locks.

    Attributes
    ----------
    companions
        Widgets whose docks are closed with it.
    """

    def __init__(self, window: Window) -> None:
        super().__init__()
        self.companions: tuple[QWidget, ...] = ()
        self._window = window
        self._moved = single_shot(self, self._look_around)

    def changeEvent(self, event: QEvent | None) -> None:
        """Look, once it is where it goes, whether that is nowhere."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.ParentChange:
            self._moved.start(0)

    def _look_around(self) -> None:
        if self.parent() is not None:
            return
        for companion in self.companions:
            if placed(companion) is not None:
                self._window.remove_dock_widget(companion)
            companion.deleteLater()
        self.deleteLater()


class WayBack(QPushButton):
    """Puts a widget below the picture; there while its dock is closed or hidden.

    Parameters
    ----------
    name
        Of the dock, also in napari's menu *Window*.
    text
        Of the button.
    """

    def __init__(self, window: Window, widget: QWidget, name: str, text: str) -> None:
        super().__init__(icon("timeline"), text)
        self._window, self._widget, self._name = window, widget, name
        self.setToolTip(f"{text} was closed: show it again")
        self._changed = single_shot(self, self._look)
        self.clicked.connect(self.put)
        self.hide()
        self.put()
        widget.installEventFilter(self)

    def put(self) -> None:
        """Put the widget where it is seen."""
        found = placed(self._widget)
        if found is None:
            self._window.add_dock_widget(
                self._widget,
                name=self._name,
                area="bottom",
                menu=self._window.window_menu,
            )
            self._widget.show()  # who was taken out of its dock was hidden
        else:
            found[1].show()
            found[1].raise_()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Look, once the widget is where it goes, whether it can be seen there."""
        kinds = QEvent.Type.ParentChange, QEvent.Type.Show, QEvent.Type.Hide
        if event is not None and event.type() in kinds:
            self._changed.start(0)
        return bool(super().eventFilter(watched, event))

    def _look(self) -> None:
        found = placed(self._widget)
        self.setVisible(found is None or found[1].isHidden())


def placed(widget: QWidget) -> tuple[QMainWindow, QDockWidget] | None:
    """Return the window and the dock that a widget lies in; None if in none."""
    own: QObject | None = widget
    while own is not None and not isinstance(own, QDockWidget):
        own = own.parent()
    window = None if own is None else own.parent()
    if not isinstance(own, QDockWidget) or not isinstance(window, QMainWindow):
        return None
    return window, own


def share_place(widget: QWidget, title: str) -> bool:
    """Let a widget's dock and another one take turns in one place, as tabs.

    Parameters
    ----------
    title
        Of the other dock.

    Returns
    -------
    bool
        Whether there is such a dock, and both lie in one window.
    """
    found = placed(widget)
    if found is None or found[1].isFloating():
        return False
    window, own = found
    for other in window.findChildren(QDockWidget):
        if other.windowTitle() == title and not other.isFloating():
            with _at_once(window):
                window.tabifyDockWidget(other, own)
            own.raise_()
            return True
    return False


def lies_left(widget: QWidget) -> bool:
    """Whether a widget's dock is in the left column, where napari's own docks are."""
    found = placed(widget)
    left = Qt.DockWidgetArea.LeftDockWidgetArea
    return found is not None and found[0].dockWidgetArea(found[1]) == left


def picture_share(widget: QWidget) -> float:
    """Return which part of the window's width is the picture's; 1 without a window."""
    found = placed(widget)
    centre = None if found is None else found[0].centralWidget()
    if found is None or centre is None:
        return 1.0
    return float(centre.width() / max(1, found[0].width()))


def narrow_dock(widget: QWidget) -> None:
    """Leave as much of the window's width as possible to the picture."""
    found = placed(widget)
    if found is not None:
        window, own = found
        least = own.minimumSizeHint().width()
        with _at_once(window):
            window.resizeDocks([own], [least], Qt.Orientation.Horizontal)


def keep_height(widget: QWidget, height: float) -> None:
    """Take back what a window grew by while docks had not found their places."""
    found = placed(widget)
    if found is not None and found[0].height() > height:
        found[0].resize(found[0].width(), int(height))


@contextmanager
def _at_once(window: QMainWindow) -> Iterator[None]:
    """Let docks be where they belong at the end, not some time later."""
    was_animated = window.isAnimated()
    window.setAnimated(False)
    yield
    layout = window.layout()
    if layout is not None:
        layout.activate()
    window.setAnimated(was_animated)
