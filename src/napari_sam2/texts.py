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


def counted(number: int, noun: str) -> str:
    """Say how many there are.

    >>> counted(1, "frame"), counted(1200, "frame")
    ('1 frame', '1,200 frames')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
