"""The report of a batch: what came of each movie, kept from run to run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from napari_sam2 import __version__
from napari_sam2.batch.report.outcome import MovieOutcome
from napari_sam2.batch.report.page import page_of
from napari_sam2.batch.self_check.result import SelfCheck, read_kept
from napari_sam2.errors import OutputError
from napari_sam2.paths import replace_text

REPORT, PAGE, MOVIES = "report.json", "report.html", "movies"


class BatchReport(BaseModel):
    """What came of a batch.

    Attributes
    ----------
    version
        Of napari-sam2.
    movies
        In the order of the plan.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str = __version__
    movies: tuple[MovieOutcome, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 if all movies are whole, else the code of the first that is not."""
        codes = [one.exit_code or 3 for one in self.movies if not one.is_good]
        return codes[0] if codes else 0

    def count(self, *states: str) -> int:
        """Return how many movies are in one of these states."""
        return sum(one.state in states for one in self.movies)


class ReportFolder:
    """Where outcomes are kept: a small file for each movie, so that nothing is lost.

    Parameters
    ----------
    path
        The folder; it is made when the first outcome comes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """Refuse a folder in which the report would replace what somebody else wrote.

        Raises
        ------
        OutputError
            If a file there has the name of a report and is none of this program.
        """
        there = [one for one in (REPORT, PAGE) if os.path.lexists(self.path / one)]
        if there and not self._is_ours():
            raise OutputError(
                f"{self.path / there[0]} was not written by napari-sam2: give another "
                "folder for the report (--report)"
            )

    def _is_ours(self) -> bool:
        try:
            known = json.loads((self.path / REPORT).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return False
        return isinstance(known, dict) and BatchReport.model_fields.keys() <= set(known)

    def read(self, title: str) -> MovieOutcome | None:
        """Return what came of a movie in an earlier run, if that is known."""
        try:
            text = self._file(title).read_text(encoding="utf-8")
            return MovieOutcome.model_validate_json(text)
        except (OSError, ValueError):
            return None  # it is only to save time

    def write(self, outcome: MovieOutcome) -> None:
        """Keep an outcome.

        Raises
        ------
        OutputError
            If the disk refuses.
        """
        self._replace(self._file(outcome.title), outcome.model_dump_json())

    def finish(self, titles: Iterable[str]) -> BatchReport:
        """Write ``report.json`` and ``report.html`` of what is known of movies."""
        found = (self.read(title) for title in titles)
        report = BatchReport(movies=tuple(one for one in found if one is not None))
        short = report.model_dump_json(
            indent=1, exclude={"movies": {"__all__": {"summary": {"pictures"}}}}
        )
        self._replace(self.path / REPORT, short)
        checks = {
            one.title: check for one in report.movies if (check := _self_check(one))
        }
        self._replace(self.path / PAGE, page_of(report.movies, report.version, checks))
        return report

    def _file(self, title: str) -> Path:
        name = hashlib.sha256(title.encode("utf-8", "replace")).hexdigest()[:24]
        return self.path / MOVIES / f"{name}.json"

    def _replace(self, path: Path, text: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_text(path, text)
        except OSError as error:
            raise OutputError(
                f"{path}: the report cannot be written: {error.strerror}"
            ) from error


def _self_check(movie: MovieOutcome) -> SelfCheck | None:
    """Return the self-check that was kept beside a movie's masklets, if any."""
    labels = Path(movie.labels)  # OME-Zarr, "labels", name of the group
    return read_kept(labels.parents[1], labels.name) if len(labels.parts) > 2 else None
