"""A whole plan: what is complete is passed over, the rest is run, all is reported."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from napari_sam2.batch.plan.checks import check_movie, refuse_without_space
from napari_sam2.batch.plan.plan import BatchPlan, PlannedMovie
from napari_sam2.batch.report.outcome import (
    IsCancelled,
    MovieOutcome,
    MovieProgress,
    never,
)
from napari_sam2.batch.report.report import BatchReport, ReportFolder
from napari_sam2.batch.running.movie_run import Patience, is_complete
from napari_sam2.batch.running.schedulers import InThisProcess, Scheduler
from napari_sam2.errors import InputError, NapariSam2Error


@dataclass(frozen=True, slots=True)
class Shard:
    """The ``number``-th of ``count`` parts of a plan, counted from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``i/n``."""
        number, _, count = text.partition("/")
        try:
            shard = cls(int(number), int(count))
        except ValueError as error:
            raise InputError(f"--shard {text}: give I/N, such as 1/8") from error
        if not 1 <= shard.number <= shard.count:
            raise InputError(f"--shard {text}: the parts are 1/N to N/N")
        return shard

    def part(self, movies: list[PlannedMovie]) -> list[PlannedMovie]:
        """Return the movies of this part: every ``count``-th one."""
        return movies[self.number - 1 :: self.count]


class Listener:
    """Told how a batch goes; it does nothing with it."""

    def begins(self, movies: list[PlannedMovie]) -> None:
        """Told once, which movies there are."""

    def progress(self, progress: MovieProgress) -> None:
        """Told often, how far a movie is."""

    def ends(self, outcome: MovieOutcome) -> None:
        """Told once a movie, what came of it."""


def run_plan(
    plan: BatchPlan,
    report: Path,
    *,
    scheduler: Scheduler | None = None,
    shard: Shard | None = None,
    listener: Listener | None = None,
    is_cancelled: IsCancelled = never,
) -> BatchReport:
    """Run a plan, or one part of it; what is complete already is passed over.

    Parameters
    ----------
    report
        Folder of the report: ``report.json``, ``report.html``, and what is known of
        each movie, from which the next run sees what is complete.
    scheduler
        Who runs movies; this process, one after the other, unless given.
    shard
        The part to run; all by default.
    is_cancelled
        Asked after each frame and movie.

    Raises
    ------
    InputError, OutputError
        If the plan as a whole cannot be run; nothing was started then. What is wrong
        with a single movie is in the report.
    """
    scheduler, listener = scheduler or InThisProcess(), listener or Listener()
    movies = plan.planned()
    movies = movies if shard is None else shard.part(movies)
    folder = ReportFolder(report)
    folder.check()
    listener.begins(movies)
    left = []
    for movie in movies:
        before = _complete_before(folder, movie)
        if before is None:
            left.append(movie)
        else:
            folder.write(before)
            listener.ends(before)
    refuse_without_space(check_movie(movie) for movie in left)
    patience = Patience(plan.retries, plan.retry_delay)
    outcomes = scheduler.run(left, patience, listener.progress, is_cancelled)
    _keep(outcomes, folder, listener)
    return folder.finish(movie.title for movie in movies)


def _complete_before(folder: ReportFolder, movie: PlannedMovie) -> MovieOutcome | None:
    """Return the outcome of an earlier run if it holds; asked of a small file."""
    before = folder.read(movie.title)
    if before is None or not before.is_good:
        return None
    try:
        holds = is_complete(movie, before.request)
    except (NapariSam2Error, OSError):
        return None  # whoever runs it says what is wrong
    return before.model_copy(update={"state": "complete"}) if holds else None


def _keep(
    outcomes: Iterable[MovieOutcome], folder: ReportFolder, listener: Listener
) -> None:
    for outcome in outcomes:
        folder.write(outcome)
        listener.ends(outcome)
