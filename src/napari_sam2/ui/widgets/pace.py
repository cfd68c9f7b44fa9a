"""How fast something goes and how long it will take, with pauses left out."""

from __future__ import annotations

import time

from napari_sam2.texts import clock_text


class Pace:
    """Steps per second since the first step that was told.

    Times are seconds of `time.monotonic`; a pause counts for nothing.
    """

    def __init__(self) -> None:
        self._first: int | None = None
        self._since = 0.0
        self._paused_at: float | None = None

    def note(self, position: int) -> float | None:
        """Take note of a position; return the rate, or None while it is unknown."""
        now = time.monotonic()
        if self._first is None:
            self._first, self._since = position, now
        seconds = now - self._since
        if position <= self._first or seconds <= 0:
            return None
        return (position - self._first) / seconds

    def pause(self) -> None:
        """Stop the clock."""
        if self._paused_at is None:
            self._paused_at = time.monotonic()

    def resume(self) -> None:
        """Let the clock go on."""
        if self._paused_at is not None:
            self._since += time.monotonic() - self._paused_at
            self._paused_at = None

    def seconds(self) -> float | None:
        """Return how long it has taken so far; None if nothing came."""
        if self._first is None:
            return None
        now = time.monotonic() if self._paused_at is None else self._paused_at
        return now - self._since

    def steps(self, position: int) -> int:
        """Return how many steps were taken up to a position, its own included."""
        return 0 if self._first is None else position - self._first + 1


def pace_text(rate: float, remaining: int) -> str:
    """Say how fast it goes and how long it takes.

    >>> pace_text(4.0, 100)
    '4.0 frames/s, 0:25 left'
    """
    return f"{rate:.1f} frames/s, {clock_text(remaining / rate)} left"


def bytes_text(count: float) -> str:
    """Say how many bytes something has, in units of a thousand.

    >>> bytes_text(184_416_285)
    '184 MB'
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            value = count / size
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"
    return f"{count:.0f} bytes"
