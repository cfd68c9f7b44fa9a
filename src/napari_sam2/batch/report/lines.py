"""What a batch tells the program that started it: a line of JSON for each event."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from napari_sam2.batch.plan.checks import MovieCheck
from napari_sam2.batch.report.outcome import MovieOutcome, MovieProgress


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Begun(_Line):
    """Told once: which movies there are, by their titles."""

    event: Literal["begun"] = "begun"
    titles: tuple[str, ...]


class Checked(_Line):
    """What a dry run knows of a movie; ``seconds`` where the speed is known."""

    event: Literal["checked"] = "checked"
    check: MovieCheck
    seconds: float | None = None


class Progressed(_Line):
    """Told often: how far a movie is."""

    event: Literal["progressed"] = "progressed"
    progress: MovieProgress


class Ended(_Line):
    """Told once a movie: what came of it, without the summary for the page."""

    event: Literal["ended"] = "ended"
    outcome: MovieOutcome


Line = Begun | Checked | Progressed | Ended
_LINES: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="event")])


def write_line(line: Line) -> str:
    """Return an event as text without a line break.

    >>> write_line(Begun(titles=("a", "b")))
    '{"event":"begun","titles":["a","b"]}'
    """
    return line.model_dump_json(exclude={"outcome": {"summary"}})


def read_line(text: str | bytes) -> Line | None:
    """Return the event that a line tells; None if it tells none that is known."""
    try:
        return _LINES.validate_json(text)
    except ValidationError:
        return None
