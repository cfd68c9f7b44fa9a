"""What came of one movie of a batch, and what is told while it is tracked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

State = Literal["done", "complete", "refused", "failed", "cancelled"]


Base64 = Annotated[str, Field(pattern="^[A-Za-z0-9+/]*=*$")]


class MovieSummary(BaseModel):
    """What the page shows of a movie; nothing of one that was not tracked.

    Attributes
    ----------
    lost, doubtful
        How many objects are gone at the end, and how many masks are hardly trusted.
    frames, area, trust
        Points of two curves: mean area in pixels, mean trust; None where it is unknown.
    pictures
        Of the first, middle and last frame: its number, a PNG in base64.
    model, weights, device, precision, threads, version
        What made the masklets; the weights by their SHA-256.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    lost: int | None = None
    doubtful: int | None = None
    frames: tuple[int, ...] = ()
    area: tuple[float | None, ...] = ()
    trust: tuple[float | None, ...] = ()
    pictures: tuple[tuple[int, Base64], ...] = ()
    model: str = ""
    weights: str | None = None
    device: str = ""
    precision: str = ""
    threads: int | None = None
    version: str = ""

    @model_validator(mode="after")
    def _check_curves(self) -> Self:
        if not len(self.frames) == len(self.area) == len(self.trust):
            raise ValueError("the curves have other frames than points")
        return self


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
        What the page shows.
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
    summary: MovieSummary = MovieSummary()

    @property
    def is_good(self) -> bool:
        """Whether its masklets are whole."""
        return self.state in ("done", "complete")


@dataclass(frozen=True, slots=True)
class MovieProgress:
    """How far a movie is.

    Attributes
    ----------
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
