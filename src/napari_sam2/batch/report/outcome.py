"""What came of one movie of a batch, and what is told while it is tracked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

State = Literal["done", "complete", "refused", "failed", "cancelled"]


class MovieOutcome(BaseModel):
    """What came of a movie.

    Attributes
    ----------
    title, movie, labels
        What people call it, its path, the label group.
    state
        ``done`` now or ``complete`` before; ``refused`` because of what was given,
        ``failed`` for what may pass, after all retries; ``cancelled`` while it ran: it
        goes on with the next run.
    error, exit_code
        What is wrong and what to do, with the exit code of the command line.
    attempts
        How often it was tried.
    objects, frames, frames_computed, seconds, frames_per_second
        See `napari_sam2.batch.job.TrackReport`.
    peak_memory_bytes
        Of the process that tracked it, so far.
    remark
        What people should be told.
    exports
        Files that were written besides.
    verified
        What ``napari-sam2 verify`` says of its masklets, once they are whole.
    request
        Hash of all that was asked, with the size and time of the files.
    summary
        What the page shows, see `napari_sam2.batch.report.summary`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    title: str
    movie: str
    labels: str
    state: State
    error: str = ""
    exit_code: int = 0
    attempts: int = 1
    objects: int = 0
    frames: int = 0
    frames_computed: int = 0
    seconds: float = 0.0
    frames_per_second: float = 0.0
    peak_memory_bytes: int = 0
    remark: str = ""
    exports: tuple[str, ...] = ()
    verified: str = ""
    request: str = ""
    summary: dict[str, Any] = {}

    @property
    def is_good(self) -> bool:
        """Whether its masklets are whole."""
        return self.state in ("done", "complete")


@dataclass(frozen=True, slots=True)
class MovieProgress:
    """How far a movie is.

    Attributes
    ----------
    title
        Which.
    position, total
        Steps that are done, of how many.
    """

    title: str
    position: int
    total: int


OnProgress = Callable[[MovieProgress], None]
"""Told after each frame."""
IsCancelled = Callable[[], bool]
"""Asked after each frame."""


def never() -> bool:
    """Say that nobody cancelled."""
    return False


def nobody(_progress: MovieProgress) -> None:
    """Listen to no progress."""
