"""The border of the program: whatever goes wrong behind it is one line to people.

Libraries raise what they like of files that are broken, missing or strange. Where our
readers know a file, they say so themselves; what they did not foresee ends here.
"""

from __future__ import annotations

import atexit
import io
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import typer

from napari_sam2.errors import (
    DEBUG,
    UNFORESEEN,
    InputError,
    NapariSam2Error,
    OutputError,
    in_one_line,
    in_our_words,
)

USAGE: Any = typer.BadParameter.__base__
"""What typer raises of options that are missing, unknown or of no such value."""
CLOSED_PIPE = 1
"""With this, and no word, typer ends where the output is a pipe that nobody reads."""


def show_anything_on(stream: IO[str] | None) -> None:
    """Let a stream write what its terminal cannot show as escapes, and not fail."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def keep_libraries_quiet() -> None:
    """Let warnings and logs of libraries add no lines to ours.

    What matters of a file, our readers say. Who looks for a fault (`DEBUG`, ``-W``)
    sees them all.
    """
    if sys.warnoptions or os.environ.get(DEBUG):
        return
    warnings.simplefilter("ignore")
    if logging.lastResort is not None:
        logging.lastResort.addFilter(logging.Filter("napari_sam2"))


def end_without_zarrs_loop() -> None:
    """Let zarr not close its event loop when Python ends.

    Where its thread is busy for longer than the 0.2 s that zarr waits, that ends in a
    traceback, after all is written.
    """
    sync = sys.modules.get("zarr.core.sync")
    cleanup = getattr(sync, "cleanup_resources", None)
    if cleanup is not None:
        atexit.unregister(cleanup)


@contextmanager
def ending_in_one_line(as_json: bool) -> Iterator[None]:
    """End the program with one line on stderr, and an exit code, if anything fails.

    Parameters
    ----------
    as_json
        Whether the results go to stdout as JSON; then the error does, too.

    Raises
    ------
    SystemExit
        With 2, 3 or 4; see `napari_sam2.errors`.
    """
    try:
        try:
            yield
        finally:
            end_without_zarrs_loop()
            _flush()
    except NapariSam2Error as error:
        _end(error, as_json)
    except USAGE as error:
        _end(_as_input_error(error), as_json)
    except SystemExit as end:
        if end.code == CLOSED_PIPE:
            _end(OutputError("the results cannot be written: nobody reads them"), False)
        raise
    except UNFORESEEN as error:
        if os.environ.get(DEBUG):
            raise
        _end(in_our_words(error), as_json)


def _as_input_error(error: Any) -> InputError:
    """Return in our words what typer says of options; `no_args_is_help` says it all."""
    message = error.format_message().rstrip(".")
    if not message:
        sys.exit(InputError.exit_code)
    where = error.ctx.command_path if error.ctx else "napari-sam2"
    return InputError(f"{message} (see {where} --help)")


def _end(error: NapariSam2Error, as_json: bool) -> None:
    settings = error.settings if isinstance(error, InputError) else ()
    flags = ", ".join(f"--{one.replace('_', '-')}" for one in settings)
    hint = f" (see {flags})" if flags else ""
    message = in_one_line(f"{error}{hint}")
    if as_json:
        report: dict[str, Any] = {"error": message, "exit_code": error.exit_code}
        typer.echo(json.dumps(report))
    typer.echo(f"napari-sam2: {message}", err=True)
    sys.exit(error.exit_code)


def _flush() -> None:
    """Write out what waits, or say that it cannot be."""
    if not isinstance(sys.stdout, io.TextIOWrapper):
        return
    try:
        sys.stdout.flush()
    except OSError as error:
        # Nobody shall try again when the program ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputError(
            f"the results cannot be written to the output: {error.strerror}"
        ) from error
