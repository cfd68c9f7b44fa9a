"""Scrolling the dock must not change what the cursor happens to pass."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QAbstractSpinBox, QComboBox, QWidget


class WheelGuard(QObject):
    """Keeps the wheel from lists and numbers that nobody has clicked on.

    Parameters
    ----------
    root
        All lists and numbers in it are guarded; it also owns the guard.
    """

    def __init__(self, root: QWidget) -> None:
        super().__init__(root)
        for kind in (QComboBox, QAbstractSpinBox):
            for widget in root.findChildren(kind):
                self.add(widget)

    def add(self, widget: QWidget) -> None:
        """Guard one more."""
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # not by the wheel
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Hand the wheel on to what is scrolled."""
        if event is None or event.type() != QEvent.Type.Wheel:
            return False
        if not isinstance(watched, QWidget) or watched.hasFocus():
            return False
        event.ignore()
        return True
