"""Errors that a person can mend; each carries the exit code of the command line."""

from __future__ import annotations

import errno
import os
import struct
import sys
import zlib
from pathlib import Path
from typing import ClassVar

UNFORESEEN = (
    OSError,
    MemoryError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    EOFError,
    SyntaxError,
    AssertionError,
    struct.error,
    zlib.error,
)
"""What libraries raise; a fault of ours is of these kinds, too."""
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DEBUG = "NAPARI_SAM2_DEBUG"
"""Set in the environment, errors that nobody foresaw are shown with all their steps."""


class NapariSam2Error(Exception):
    """Base of all errors that name a cause and a remedy.

    The message is one line that any terminal can show: what is wrong, where (file,
    frame, field), what to do.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: object = "") -> None:
        super().__init__(in_one_line(str(message)))


class InputError(NapariSam2Error):
    """The movie, the prompts or an option cannot be used.

    Parameters
    ----------
    message
        For the window and the command line alike: it names no flags.
    settings
        Names of the settings that mend it, such as ``"channels"``; the command line
        says which flags these are.
    """

    exit_code = 2

    def __init__(self, message: str, *, settings: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.settings = settings


class OutputError(NapariSam2Error):
    """The label store cannot be written, resumed or read."""

    exit_code = 3


class OtherMovieError(OutputError):
    """Masklets are of another movie; who knows better may go on with them."""


class FolderTakenError(OutputError):
    """New masklets cannot go into a folder that holds others."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} holds masklets already: choose another folder, or open it to go "
            "on with them"
        )
        self.folder = folder


class ModelError(NapariSam2Error):
    """A checkpoint is missing, broken, or does not fit."""

    exit_code = 4


def unusable_torch(error: Exception) -> ModelError:
    """Return what to say where torch, or what is built for it, cannot be imported.

    A torchvision of another build than torch fails with a RuntimeError, a missing
    system library with an OSError.
    """
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ModelError(
        f"torch cannot be used ({reason}): install a matched pair with "
        f"{torch_command()}"
    )


def torch_command() -> str:
    """Return the command that installs torch and torchvision as a matched pair."""
    return (
        f'"{sys.executable}" -m pip install --upgrade --force-reinstall '
        "torch torchvision"
    )


def in_one_line(text: str) -> str:
    r"""Return a text with line breaks and what no terminal can show written as escapes.

    Names of files and what stands in files may hold anything.

    >>> in_one_line("cells\n1.tif")
    'cells\\n1.tif'
    """
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode()
        for one in text
    )


def in_our_words(error: BaseException) -> NapariSam2Error:
    """Return an error of a library as one of ours, with file and remedy."""
    if isinstance(error, MemoryError):
        return InputError(
            "there is not enough memory; close other programs, or take a smaller part "
            "of the movie, a smaller model or fewer objects at a time"
        )
    if isinstance(error, OSError):
        return _of_the_system(error)
    reason = (str(error).strip().splitlines() or [""])[0][:200]
    return InputError(
        f"this cannot be done: {type(error).__name__}{': ' if reason else ''}{reason}; "
        f"check the files that were given, or set {DEBUG}=1 to see where and report it"
    )


def _of_the_system(error: OSError) -> NapariSam2Error:
    is_named = isinstance(error.filename, str | bytes | os.PathLike)  # or a number
    where = f"{os.fsdecode(error.filename)}: " if is_named else ""
    reason = error.strerror or str(error) or type(error).__name__
    if error.errno in FULL:
        return OutputError(f"{where}{reason}; free some space and go on")
    if isinstance(error, PermissionError):
        remedy = "choose files and folders that you may read and write"
        return InputError(f"{where}{reason}; {remedy}")
    return InputError(f"{where}{reason}; check that it is there, and try again")
