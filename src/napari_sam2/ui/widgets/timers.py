"""Timers that fire once after they were started."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer


def single_shot(
    parent: QObject, slot: Callable[[], object], interval: int = 0
) -> QTimer:
    """Return a timer that calls a slot so many milliseconds after it was started."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(interval)
    timer.timeout.connect(slot)
    return timer
