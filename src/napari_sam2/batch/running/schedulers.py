"""Who runs the movies of a batch: this process, one after the other; or others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from napari_sam2.batch.plan.plan import PlannedMovie
from napari_sam2.batch.report.outcome import IsCancelled, MovieOutcome, OnProgress
from napari_sam2.batch.running.movie_run import Patience, make_it_so


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
            yield make_it_so(movie, patience, on_progress, is_cancelled)
