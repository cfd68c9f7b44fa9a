"""Progress of long commands on stderr, and Ctrl-C that loses nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from napari_sam2.session.session import FrameDone

CANCELLED = 130

Result = TypeVar("Result")


class RateColumn(ProgressColumn):
    """Steps per second."""

    def render(self, task: Task) -> Text:
        """Show the rate, once it is known."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s")


def follow(
    frames: Generator[FrameDone, None, Result], title: str, *, on_cancel: str
) -> Result:
    """Run a propagation to its end, showing how far it is; return what it returns.

    The first Ctrl-C lets the current frame finish and be committed; a second one
    interrupts at once.

    Parameters
    ----------
    frames
        The propagation.
    title
        What stands before the progress bar.
    on_cancel
        What a person reads after Ctrl-C.

    Raises
    ------
    typer.Exit
        With code 130 after Ctrl-C.
    """
    with _step_progress() as progress, listening_to_ctrl_c() as is_cancelled:
        task = progress.add_task(title, total=None)
        while True:
            try:
                done = next(frames)
            except StopIteration as end:
                result: Result = end.value
                return result
            progress.update(task, completed=done.position, total=done.total)
            if is_cancelled():
                frames.close()
                typer.echo(f"napari-sam2: cancelled; {on_cancel}", err=True)
                raise typer.Exit(CANCELLED)


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
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=None)

        def on_bytes(received: int, total: int | None) -> None:
            progress.update(task, completed=received, total=total)

        yield on_bytes


def _step_progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


@contextmanager
def listening_to_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Note the first Ctrl-C instead of being interrupted by it."""
    pressed = []

    def note(number: int, frame: FrameType | None) -> Any:
        pressed.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)
