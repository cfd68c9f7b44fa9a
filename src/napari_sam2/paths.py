"""Paths as people write them, and text as their programs save it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from secrets import token_hex

from napari_sam2.errors import InputError, OutputError

URL = re.compile(r"(?P<scheme>https?|s3|gs|gcs|az|abfs):/{1,2}(?P<rest>[^/].*)")

LARGEST_TEXT = 2**30
"""Bytes; no text is longer that people or programs write for this one."""


def user_path(path: str | os.PathLike[str]) -> Path:
    """Return a path whose ``~`` stands for the home folder, as in a shell.

    Raises
    ------
    InputError
        If it names the home of nobody, or holds what no path can.
    """
    try:
        found = Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(
            f"{path}: there is no such home folder; write the whole path"
        ) from error
    if "\0" in str(found):
        raise InputError(f"{str(found)!r}: no path holds a NUL character")
    return found


def remote_url(path: str | os.PathLike[str]) -> str | None:
    """Return the URL that a path is; None for one of this machine.

    Paths join two slashes into one: here they come back.

    >>> remote_url(Path("https://example.org/cells.zarr") / "0")
    'https://example.org/cells.zarr/0'
    """
    found = URL.match(Path(path).as_posix())
    return None if found is None else f"{found['scheme']}://{found['rest']}"


def refuse_pipe(path: Path) -> None:
    """Refuse what is there and no file: a pipe is waited for, a device never ends.

    Raises
    ------
    InputError
        If it is a folder, a pipe, a socket or a device.
    OSError
        If nobody may look at it.
    """
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "a pipe or a device"
        raise InputError(f"{path} cannot be read: it is {kind}; give a file")


def read_text(path: Path, kind: str) -> str:
    """Read a text file of a kind, in UTF-8 or UTF-16, marked or not.

    Notepad marks UTF-8, and ``>`` in Windows PowerShell writes UTF-16.

    Raises
    ------
    InputError
        If it is no file, cannot be read, is too long, or of another encoding.
    """
    try:
        refuse_pipe(path)
        if path.stat().st_size > LARGEST_TEXT:
            raise InputError(
                f"{path} is longer than {LARGEST_TEXT >> 20} MiB: it is no {kind}"
            )
        content = path.read_bytes()
        # The rule of RFC 4627: text begins with two ASCII characters.
        return content.decode(json.detect_encoding(content))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"{path} cannot be read as {kind}: {reason}") from error
    except ValueError as error:
        raise InputError(
            f"{path} cannot be read as {kind}: {error}; save it as UTF-8"
        ) from error


def refuse_taken(path: Path, remedy: str) -> None:
    """Refuse to write where anything is: a link to nothing is somebody's, too.

    Raises
    ------
    OutputError
        With what to do, in words.
    """
    if os.path.lexists(path):
        raise OutputError(f"{path} exists already: {remedy}")


def unfinished(path: Path) -> Path:
    """Return a name beside a file that nobody else has, for what becomes the file."""
    return path.with_name(f".{path.name}.{token_hex(4)}.partial")


def replace_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, in the place of an earlier one when all of it is there.

    Several processes may do so at once; what the last one wrote stays. A link stays a
    link.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    path = Path(os.path.realpath(path))
    partial = unfinished(path)
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
