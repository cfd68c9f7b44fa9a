"""Sessions that were open lately, newest first, in a small file of this user."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from platformdirs import user_config_path
from pydantic import BaseModel, ConfigDict, ValidationError

from napari_sam2.paths import replace_text

LIMIT = 12
FILE = "recent-sessions.json"

_log = logging.getLogger(__name__)


class RecentSession(BaseModel):
    """A session that was open.

    Attributes
    ----------
    path
        Folder of the OME-Zarr.
    name
        Label group in it.
    layer, opened_from
        Name of its movie's layer, and the path of the movie; None if unknown.
    saved
        When it was saved last; None if nobody noted it.
    objects, doubtful
        How many objects it has, and frames of objects that need review.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: Path
    name: str = "masklets"
    layer: str | None = None
    opened_from: str | None = None
    saved: datetime | None = None
    objects: int = 0
    doubtful: int = 0

    def is_of(self, layer: str, opened_from: str | None) -> bool:
        """Whether it is about a movie: by its path, or its name where it has none."""
        if self.opened_from is None and opened_from is None:
            return self.layer == layer
        return self.opened_from == opened_from

    @property
    def exists(self) -> bool:
        """Whether it is still there."""
        return (self.path / "labels" / self.name).is_dir()


class _Content(BaseModel):
    model_config = ConfigDict(extra="ignore")

    sessions: list[RecentSession] = []


class RecentSessions:
    """The list, on disk. Nothing about it is ever an error: it is a convenience.

    Parameters
    ----------
    file
        Where it is kept; in the user's configuration folder unless given.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or user_config_path("napari-sam2") / FILE

    def read(self) -> tuple[RecentSession, ...]:
        """Return the sessions, newest first; none if the file cannot be read."""
        try:
            text = self._file.read_text(encoding="utf-8")
            return tuple(_Content.model_validate_json(text).sessions[:LIMIT])
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, ValidationError) as error:
            _log.info("the list of recent sessions cannot be read: %s", error)
            return ()

    def add(self, path: Path, name: str = "masklets") -> tuple[RecentSession, ...]:
        """Put a session in front, with what is known of it; return the list."""
        where = Path(path).absolute()
        known = [one for one in self.read() if (one.path, one.name) == (where, name)]
        return self.put((known or [RecentSession(path=where, name=name)])[0])

    def put(self, new: RecentSession) -> tuple[RecentSession, ...]:
        """Put a session in front, instead of what was known of it."""
        key = new.path, new.name
        others = (one for one in self.read() if (one.path, one.name) != key)
        return self._write([new, *others])

    def remove(self, session: RecentSession) -> tuple[RecentSession, ...]:
        """Take a session off the list; return what is left."""
        return self._write(one for one in self.read() if one != session)

    def _write(self, sessions: Iterable[RecentSession]) -> tuple[RecentSession, ...]:
        kept = list(sessions)[:LIMIT]
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            replace_text(self._file, _Content(sessions=kept).model_dump_json(indent=1))
        except OSError as error:
            _log.info("the list of recent sessions cannot be written: %s", error)
        return tuple(kept)
