"""What a person sees of a batch in the terminal: the dry run, and how it goes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Self

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from napari_sam2.batch.plan.checks import MovieCheck, check_movie, refuse_without_space
from napari_sam2.batch.plan.plan import PlannedMovie
from napari_sam2.batch.plan.speed import Speed
from napari_sam2.batch.report.outcome import MovieOutcome, MovieProgress
from napari_sam2.batch.running.batch import Listener
from napari_sam2.errors import OutputError
from napari_sam2.texts import clock_text

ROWS = 20
"""Movies that are shown while they run, and the last that ended."""
STYLES = {
    "done": "green",
    "complete": "green",
    "refused": "red",
    "failed": "red",
    "cancelled": "yellow",
}


def dry_run_table(movies: Iterable[PlannedMovie], speed: Speed | None) -> int:
    """Print what would be done with each movie; return the exit code of it."""
    checks = [check_movie(movie) for movie in movies]
    console = Console()
    table = _checks_table(checks, speed)
    if not console.is_terminal:  # paths and reasons are not cut off in files
        console = Console(width=max(console.width, 400))
    console.print(table)
    total = sum(check.disk_bytes for check in checks)
    files = sum(check.disk_files for check in checks)
    console.print(f"about {total / 1e9:.2g} GB in {files} files")
    try:
        refuse_without_space(checks)
    except OutputError as error:
        typer.echo(f"napari-sam2: {error}", err=True)
        return error.exit_code
    return 2 if any(check.state == "refused" for check in checks) else 0


def _checks_table(checks: list[MovieCheck], speed: Speed | None) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("Movie", "State"):
        table.add_column(title, overflow="fold")
    for title in ("Frames", "Objects", "Memory", "Disk", "Time"):
        table.add_column(title, justify="right")
    table.add_column("Why", overflow="fold")
    for check in checks:
        memory, seconds = check.memory_bytes, check.seconds_at(speed)
        table.add_row(
            Text(check.title),
            check.state,
            str(check.frames or ""),
            str(check.objects or ""),
            "" if memory is None else f"{memory / 1e9:.1f} GB",
            f"{check.disk_bytes / 1e6:.0f} MB" if check.frames else "",
            "" if seconds is None else clock_text(seconds),
            Text(check.reason),
        )
    return table


class LiveTable(Listener):
    """A table of the movies that run, in the terminal; one line each elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._running: dict[str, tuple[MovieProgress, float, int]] = {}
        self._ended: list[MovieOutcome] = []
        self._count = 0
        self._began = time.monotonic()
        self._live = Live(
            get_renderable=self._render, console=self._console, auto_refresh=True
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def begins(self, movies: list[PlannedMovie]) -> None:
        """Count the movies."""
        self._count = len(movies)

    def progress(self, progress: MovieProgress) -> None:
        """Show how far a movie is."""
        now = time.monotonic()
        _, began, first = self._running.get(progress.title, (None, now, 0))
        if progress.title not in self._running:
            first = progress.position
        self._running[progress.title] = progress, began, first

    def ends(self, outcome: MovieOutcome) -> None:
        """Show what came of a movie."""
        self._running.pop(outcome.title, None)
        self._ended.append(outcome)
        if not self._console.is_terminal:
            what = f": {outcome.error}" if outcome.error else ""
            number = f"{len(self._ended)}/{self._count}"
            typer.echo(f"{number} {outcome.title}: {outcome.state}{what}", err=True)

    def _render(self) -> Any:
        table = Table(box=None, pad_edge=False)
        for title in ("Movie", "Frames", "Rate", "Left", ""):
            table.add_column(title, overflow="fold")
        now = time.monotonic()
        shown = list(self._running.values())[:ROWS]
        for progress, began, first in shown:
            steps = progress.position - first
            rate = steps / (now - began) if now > began and steps else 0.0
            left = (progress.total - progress.position) / rate if rate else None
            table.add_row(
                Text(progress.title),
                f"{progress.position}/{progress.total}",
                f"{rate:.1f}/s" if rate else "",
                "" if left is None else clock_text(left),
                "tracking",
            )
        for outcome in self._ended[-max(1, ROWS - len(shown)) :]:
            style = STYLES[outcome.state]
            said = f"{outcome.state} {outcome.error}".strip()
            fast = f"{outcome.frames_per_second:.1f}/s" if outcome.seconds else ""
            row = (Text(outcome.title), str(outcome.frames or ""), fast, "")
            table.add_row(*row, Text(said, style=style))
        return Group(table, self._summary(now))

    def _summary(self, now: float) -> str:
        ended = len(self._ended)
        bad = sum(not one.is_good for one in self._ended)
        worked = sum(one.state == "done" for one in self._ended)
        left = ""
        if worked and ended < self._count:
            seconds = (now - self._began) / worked * (self._count - ended)
            left = f", about {clock_text(seconds)} left"
        return f"{ended} of {self._count} movies, {bad} not whole{left}"
