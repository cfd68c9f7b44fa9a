"""Timers that fire once after they were started."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject, QTimer


def single_shot(parent: QObject, slot: Any, interval: int = 0) -> QTimer:
    """Return a timer that calls a slot, or gives a signal, some time after its start.

    Parameters
    ----------
    slot
        Slot or signal.
    interval
        Milliseconds.
    """
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(interval)
    timer.timeout.connect(slot)
    return timer
