"""Errors that a person can mend; each carries the exit code of the command line."""

from __future__ import annotations

from typing import ClassVar


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


class ModelError(NapariSam2Error):
    """A checkpoint is missing, broken, or does not fit."""

    exit_code = 4


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
