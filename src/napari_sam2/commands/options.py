"""What people type into options, as numbers and paths; anything else is refused."""

from __future__ import annotations

import re
from typing import Any

import typer

from napari_sam2.errors import InputError
from napari_sam2.paths import user_path

UNITS = {"MB": 10**6, "GB": 10**9}
MEMORY = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([MG]B)", re.IGNORECASE)


def path_argument(text: str, metavar: str = "PATH") -> Any:
    """Return an argument that is a path as people write it, with its help."""
    return typer.Argument(parser=user_path, metavar=metavar, help=text)


def path_option(text: str) -> Any:
    """Return an option that is a path as people write it, with its help."""
    return typer.Option(parser=user_path, metavar="PATH", help=text)


def parse_frames(text: str | None) -> tuple[int | None, int | None] | None:
    """Read ``FIRST:STOP``; either may be left out."""
    if text is None:
        return None
    parts = text.split(":")
    try:
        first, stop = (int(part) if part else None for part in parts)
    except ValueError as error:
        raise InputError(f"--frames {text}: give FIRST:STOP, such as 0:100") from error
    return first, stop


def parse_channels(text: str | None) -> tuple[int, ...] | None:
    """Read up to three channel numbers, ``0`` or ``2,0,1``."""
    if text is None:
        return None
    channels = _integers(text, f"--channels {text}: give numbers, such as 0 or 0,1")
    if len(channels) > 3:
        raise InputError(f"--channels {text}: red, green and blue are three at most")
    return channels


def parse_channel(text: str | None) -> int | None:
    """Read the number of one channel."""
    channels = parse_channels(text)
    if channels is None:
        return None
    if len(channels) > 1:
        raise InputError(f"--channels {text}: labels are in one channel, such as 0")
    return channels[0]


def parse_ids(text: str | None) -> tuple[int, ...] | None:
    """Read object ids such as ``1,2,7``."""
    if text is None:
        return None
    return _integers(text, f"--objects {text}: give ids, such as 1,2,7")


def parse_numbers(text: str, option: str) -> tuple[int, ...]:
    """Read numbers such as ``0`` or ``0,50``."""
    return _integers(text, f"{option} {text}: give numbers, such as 0 or 0,50")


def parse_limits(text: str | None) -> tuple[tuple[float, float], ...] | None:
    """Read ``LOW,HIGH`` or one such pair for each channel, joined by ``;``."""
    if text is None:
        return None
    return tuple(_pair(part, "--contrast-limits", text) for part in text.split(";"))


def parse_percentiles(text: str | None) -> tuple[float, float] | None:
    """Read ``LOW,HIGH``."""
    return None if text is None else _pair(text, "--percentiles", text)


def parse_tiles(text: str | None) -> int | str | None:
    """Read the side of tiles in pixels, ``auto`` or ``off``."""
    if text is None or text == "off":
        return None
    if text == "auto":
        return text
    if not text.isdecimal() or int(text) < 1:
        raise InputError(
            f"--tiles {text}: give pixels across a tile, such as 320, auto or off"
        )
    return int(text)


def parse_memory(text: str | None) -> int | None:
    """Read bytes such as ``2GB`` or ``500MB``, as people write them."""
    if text is None:
        return None
    found = MEMORY.fullmatch(text.strip())
    count = 0 if found is None else int(float(found[1]) * UNITS[found[2].upper()])
    if count < 1:
        raise InputError(f"--memory {text}: give what it may be, such as 4GB or 500MB")
    return count


def parse_threads(text: str | None) -> int | str | None:
    """Read a number of threads, or ``auto``."""
    if text is None or text == "auto":
        return text
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--threads {text}: give a number, such as 1, or auto")
    return int(text)


def _integers(text: str, complaint: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(complaint) from error


def _pair(part: str, option: str, text: str) -> tuple[float, float]:
    try:
        low, high = (float(number) for number in part.split(","))
    except ValueError as error:
        raise InputError(f"{option} {text}: give LOW,HIGH, such as 0.1,99.9") from error
    return low, high
