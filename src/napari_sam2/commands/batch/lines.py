"""`run --watched`: for programs that start a batch, read what happens, and end it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress

import typer

from napari_sam2.batch.plan.checks import check_movie, refuse_without_space
from napari_sam2.batch.plan.plan import PlannedMovie
from napari_sam2.batch.plan.speed import Speed
from napari_sam2.batch.report.lines import (
    Begun,
    Checked,
    Ended,
    Line,
    Progressed,
    write_line,
)
from napari_sam2.batch.report.outcome import MovieOutcome, MovieProgress
from napari_sam2.batch.running.batch import Listener
from napari_sam2.commands.progress import Stopping


class LineTeller(Listener):
    """Tells on stdout how a batch goes, a line of JSON for each event."""

    def begins(self, movies: list[PlannedMovie]) -> None:
        """Tell which movies there are."""
        _tell(Begun(titles=tuple(movie.title for movie in movies)))

    def progress(self, progress: MovieProgress) -> None:
        """Tell how far a movie is."""
        _tell(Progressed(progress=progress))

    def ends(self, outcome: MovieOutcome) -> None:
        """Tell what came of a movie."""
        _tell(Ended(outcome=outcome))


def dry_run_lines(movies: Iterable[PlannedMovie], speed: Speed | None) -> None:
    """Tell what would be done with each movie.

    Raises
    ------
    OutputError
        If the disk has no room for all of them.
    """
    checks = []
    for movie in movies:
        check = check_movie(movie)
        checks.append(check)
        _tell(Checked(check=check, seconds=check.seconds_at(speed)))
    refuse_without_space(checks)


def end_with_stdin(stopping: Stopping) -> None:
    """Ask to end once stdin is closed: whoever started this is gone, or wants it so.

    Windows has no signal that a program without a window is sent and may answer.
    """

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):  # no buffer, whose lock Python needs
            pass
        stopping.exit_code = stopping.exit_code or 128 + signal.SIGTERM

    threading.Thread(target=watch, name="stdin", daemon=True).start()


def _tell(line: Line) -> None:
    with suppress(OSError):  # who listened is gone: stdin tells of it
        typer.echo(write_line(line))
