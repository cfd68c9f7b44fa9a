"""Progress of long commands on stderr, and signals to end that lose nothing."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol, TypeVar

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from napari_sam2.generators import WithResult

ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGXCPU", "SIGBREAK")
"""Signals after which what was done is kept; not every system has all."""

LOG_SECONDS = 30.0
"""Between two lines of a log, where no terminal shows a bar."""

Result = TypeVar("Result")


class ShownProgress(Progress):
    """A bar on stderr; lines of a log where that is no terminal."""

    def __init__(self, *columns: ProgressColumn) -> None:
        console = Console(stderr=True)
        super().__init__(*columns, console=console, disable=not console.is_terminal)
        self._logged = -LOG_SECONDS

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Say how far a task is, as `Progress.update` does, now and then in a line."""
        super().update(task_id, **changes)
        if self.disable:
            (task,) = (one for one in self.tasks if one.id == task_id)
            self._log(task)

    def _log(self, task: Task) -> None:
        now = time.monotonic()
        is_due = now - self._logged >= LOG_SECONDS or task.completed == task.total
        if task.total and is_due:
            self._logged = now
            said = [f"{task.description}: {task.percentage:.0f} %"]
            typer.echo(
                ", ".join([*said, *filter(None, task.fields.values())]), err=True
            )


class RateColumn(ProgressColumn):
    """Steps per second."""

    def render(self, task: Task) -> Text:
        """Show the rate, once it is known."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s")


class Step(Protocol):
    """One step of something long."""

    @property
    def position(self) -> int:
        """How many steps are done."""

    @property
    def total(self) -> int:
        """Of how many."""


def follow(
    frames: Generator[Step, None, Result], title: str, *, on_cancel: str
) -> Result:
    """Run a propagation to its end, showing how far it is; return what it returns.

    The first Ctrl-C or signal to end lets the current frame finish and be committed; a
    second one interrupts at once.

    Parameters
    ----------
    title
        What stands before the progress bar.
    on_cancel
        What a person reads then.

    Raises
    ------
    typer.Exit
        With code 130 after Ctrl-C, 143 after SIGTERM, 128 and its number after others.
    """
    with _step_progress() as progress, listening_to_signals() as is_cancelled:
        task = progress.add_task(title, total=None)
        steps = WithResult(frames)
        for done in steps:
            progress.update(task, completed=done.position, total=done.total)
            if is_cancelled():
                frames.close()
                typer.echo(f"napari-sam2: cancelled; {on_cancel}", err=True)
                raise typer.Exit(is_cancelled.exit_code)
        return steps.result


@contextmanager
def download_progress(title: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show bytes; yields the function that is told how many of how many."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with ShownProgress(*columns) as progress:
        task = progress.add_task(title, total=None)

        def on_bytes(received: int, total: int | None) -> None:
            progress.update(task, completed=received, total=total)

        yield on_bytes


def _step_progress() -> Progress:
    return ShownProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
    )


class Stopping:
    """Whether somebody, or the machine, asked the program to end; called to be told.

    Attributes
    ----------
    exit_code
        128 and the number of the signal, as shells count: 130 after Ctrl-C.
    """

    def __init__(self) -> None:
        self.exit_code = 0

    def __call__(self) -> bool:
        """Whether a signal came."""
        return self.exit_code > 0


@contextmanager
def listening_to_signals() -> Iterator[Stopping]:
    """Note the first signal that asks to end, instead of being ended by it.

    Ctrl-C, and what schedulers and shells send: SIGTERM, SIGHUP, SIGXCPU, and on
    Windows Ctrl-Break. A second one ends at once.
    """
    stopping = Stopping()
    before: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        stopping.exit_code = 128 + number
        for one, handler in before.items():
            signal.signal(one, handler)

    for name in ENDING:
        number = getattr(signal, name, None)
        if number is not None:
            before[number] = signal.signal(number, note)
    try:
        yield stopping
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
