"""Our command line as a program beside the window, which stays alive."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from tempfile import TemporaryFile
from threading import Lock
from typing import IO

from napari_sam2.errors import InputError, ModelError, NapariSam2Error, OutputError

NAME = "napari-sam2"
ERRORS: dict[int, type[NapariSam2Error]] = {
    error.exit_code: error for error in (InputError, OutputError, ModelError)
}
SIGNALLED = 128
"""Exit codes above say that the program was asked to end, and did so in order."""


class Program:
    """One call of the command line; its lines are read in a worker.

    Parameters
    ----------
    arguments
        What stands behind ``napari-sam2``.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self.arguments = tuple(arguments)
        self._process: subprocess.Popen[str] | None = None
        self._is_ending = False
        self._lock = Lock()

    def lines(self) -> Iterator[str]:
        """Start it, and yield what it writes; closing this early lets it end in order.

        Raises
        ------
        InputError, OutputError, ModelError
            With the program's own sentence, if it ends with one.
        """
        with TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
            process = self._start(complaints)
            try:
                assert process.stdout is not None
                yield from process.stdout
            finally:
                self.end()
                code = process.wait()
                if process.stdout is not None:
                    process.stdout.close()
            complaints.seek(0)
            _raise(code, complaints.read().strip().splitlines())

    def end(self) -> None:
        """Ask it to commit the frame in hand and to end; may be called at any time."""
        with self._lock:
            self._is_ending = True
            self._close_stdin()

    def _start(self, complaints: IO[str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "napari_sam2", *self.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            encoding="utf-8",
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        with self._lock:
            self._process = process
            if self._is_ending:
                self._close_stdin()
        return process

    def _close_stdin(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):  # it has ended
                self._process.stdin.close()


def _raise(code: int, said: list[str]) -> None:
    """Raise what a program says of why it ended, if it says so."""
    if code == 0 or code > SIGNALLED:
        return
    last = said[-1] if said else ""
    if code in ERRORS:
        if last.startswith(f"{NAME}: "):
            raise ERRORS[code](last.removeprefix(f"{NAME}: "))
        return  # what is wrong with single movies is in its lines
    raise OutputError(
        f"{NAME} ended by itself (code {code}): {last or 'it said nothing'}; what was "
        "tracked is kept: start again to go on"
    )
