"""What a person asks of a batch, as arguments of the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_sam2.batch.plan.plan import DEFAULT_OUT

REPORT, PLAN = "sam2-batch", "plan.json"


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """What is to be tracked, and where results go.

    Attributes
    ----------
    movies
        Paths of files and folders.
    session
        OME-Zarr and label group of a session to take after; None for none.
    prompts
        As ``--prompts-from`` takes it; empty for the prompts of the session.
    model
        Network, where there is no session.
    results
        Folder for all masklets; None for beside each movie.
    workers
        Movies at a time.
    """

    movies: tuple[str, ...]
    session: tuple[Path, str] | None = None
    prompts: str = ""
    model: str = "nano"
    results: Path | None = None
    workers: int = 1

    @property
    def missing(self) -> str:
        """What must still be said; empty if nothing."""
        if not self.movies:
            return "Add movies: drop files or folders here."
        if self.session is None and not self.prompts:
            return "Choose a session to take after, or where prompts come from."
        return ""

    @property
    def report(self) -> Path:
        """Folder of the report, and of the plan."""
        beside = Path(self.movies[0]).absolute().parent
        return (self.results or beside) / REPORT

    def plan_arguments(self) -> list[str]:
        """Return the call that prints the plan."""
        said = ["plan", *self.movies]
        if self.session is not None:
            said += ["--like", str(self.session[0]), "--name", self.session[1]]
        else:
            said += ["--model", self.model]
        if self.prompts:
            said += ["--prompts-from", self.prompts]
        pattern = DEFAULT_OUT
        if self.results is not None:
            pattern = str(self.results / DEFAULT_OUT.removeprefix("{folder}/"))
        return [*said, "--out", pattern]

    def run_arguments(self, *, dry_run: bool = False) -> list[str]:
        """Return the call that runs the plan, or tells what would be done."""
        said = ["run", str(self.report / PLAN), "--watched"]
        if dry_run:
            return [*said, "--dry-run"]
        said += ["--report", str(self.report)]
        if self.workers > 1:
            said += ["--scheduler", "local", "--workers", str(self.workers)]
        return said
