"""How numbers are said, in the window and in a terminal."""

from __future__ import annotations


def clock_text(seconds: float) -> str:
    """Say how long something takes.

    >>> clock_text(3725)
    '1:02:05'
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{seconds:02}"
    return f"{minutes}:{seconds:02}"
