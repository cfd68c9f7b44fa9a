"""What the table of objects says, without a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.session.book.state import BookState, Color, ObjectState
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.scores.tables import ScoreTables


class Lock(Enum):
    """How much of an object is locked."""

    NONE = "not locked"
    SOME = "locked on some frames"
    ALL = "locked"


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """One object as the table shows it; equal rows look the same.

    Attributes
    ----------
    object_id, name, parent, is_hidden, color
        As in `ObjectState`; the name may be empty.
    prompts
        Number of prompted frames.
    first, last, present
        First and last frame with the object, and on how many it is; None and 0 if it
        was never tracked or never there.
    trust
        Mean over the frames with the object, in hundredths; None if there are none.
    doubtful
        Number of frames that need review.
    lock
        Whether it is locked.
    """

    object_id: int
    name: str = ""
    parent: int | None = None
    is_hidden: bool = False
    prompts: int = 0
    first: int | None = None
    last: int | None = None
    present: int = 0
    trust: int | None = None
    doubtful: int = 0
    lock: Lock = Lock.NONE
    color: Color | None = None

    @property
    def title(self) -> str:
        """The name, or what stands for it."""
        return self.name or f"object {self.object_id}"

    @property
    def frames_text(self) -> str:
        """First and last frame; an asterisk says that it is absent in between."""
        if self.first is None or self.last is None:
            return "–"
        gaps = "*" if self.present < self.last - self.first + 1 else ""
        return f"{self.first}–{self.last}{gaps}"

    def matches(self, text: str) -> bool:
        """Return whether a text that is searched for is in the name, or is the id."""
        wanted = text.strip().casefold()
        return wanted in self.title.casefold() or wanted == str(self.object_id)


def object_rows(
    state: BookState, tables: ScoreTables | None, frame_count: int
) -> tuple[ObjectRow, ...]:
    """Return the rows of all objects, by id.

    Parameters
    ----------
    state
        The book.
    tables
        Scores; None if nothing was tracked.
    frame_count
        Length of the movie.
    """
    whole = FrameSet.between(0, frame_count - 1)
    tracked = {} if tables is None else _tracked(state, tables)
    return tuple(
        ObjectRow(
            object_id=one.object_id,
            name=one.name,
            parent=one.parent,
            is_hidden=one.is_hidden,
            prompts=len(one.prompts),
            lock=_lock_of(one, whole),
            color=one.color,
            **tracked.get(one.object_id, {}),
        )
        for one in state.objects
    )


def _lock_of(thing: ObjectState, whole: FrameSet) -> Lock:
    if not thing.locked:
        return Lock.NONE
    return Lock.SOME if whole - thing.locked else Lock.ALL


def _tracked(state: BookState, tables: ScoreTables) -> dict[int, dict[str, int]]:
    first, last, present = tables.spans()
    doubtful = np.count_nonzero(tables.doubtful(state), axis=0)
    percent = np.nan_to_num(np.round(100 * tables.mean_trust())).astype(int)
    return {
        object_id: {
            "first": int(first[column]),
            "last": int(last[column]),
            "present": int(present[column]),
            "trust": int(percent[column]),
            "doubtful": int(doubtful[column]),
        }
        for object_id, column in tables.columns.items()
        if present[column]
    }


def parent_from_text(
    text: str, object_id: int, rows: Sequence[ObjectRow]
) -> int | None:
    """Return the mother that a person typed; None for no mother.

    Raises
    ------
    InputError
        If that is no object, or the object would descend from itself.
    """
    typed = text.strip()
    if not typed:
        return None
    parents = {row.object_id: row.parent for row in rows}
    by_name = {row.name: row.object_id for row in rows if row.name}
    found = by_name.get(typed)
    if found is None:
        number = typed.removeprefix("#")
        found = int(number) if number.isdecimal() else None
    if found not in parents:
        raise InputError(f"{typed} is no object: type the id or the name of the mother")
    ancestor: int | None = found
    seen: set[int] = set()
    while ancestor is not None and ancestor not in seen:
        if ancestor == object_id:
            raise InputError(
                f"object {found} descends from object {object_id}: it cannot be its "
                "mother as well; choose another one"
            )
        seen.add(ancestor)
        ancestor = parents.get(ancestor)
    return found
