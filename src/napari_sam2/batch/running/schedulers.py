"""Who runs the movies of a batch: this process, one after the other; or others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from napari_sam2.batch.plan.plan import PlannedMovie
from napari_sam2.batch.report.outcome import IsCancelled, MovieOutcome
from napari_sam2.batch.running.movie_run import make_it_so


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


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a movie is tried again, and after how many seconds."""

    retries: int = 3
    delay: float = 30.0


class Scheduler(Protocol):
    """Runs movies, and tells what came of each as soon as it is known."""

    def run(
        self,
        movies: Sequence[PlannedMovie],
        patience: Patience,
        on_progress: OnProgress,
        is_cancelled: IsCancelled,
    ) -> Iterator[MovieOutcome]:
        """Yield an outcome for each movie that was begun, in any order."""


class InThisProcess:
    """Runs movies one after the other, here."""

    def run(
        self,
        movies: Sequence[PlannedMovie],
        patience: Patience,
        on_progress: OnProgress,
        is_cancelled: IsCancelled,
    ) -> Iterator[MovieOutcome]:
        """Yield an outcome for each movie, in order, until somebody cancels."""
        for movie in movies:
            if is_cancelled():
                return

            def on_frame(position: int, total: int, title: str = movie.title) -> None:
                on_progress(MovieProgress(title, position, total))

            yield make_it_so(
                movie,
                retries=patience.retries,
                retry_delay=patience.delay,
                on_frame=on_frame,
                is_cancelled=is_cancelled,
            )
