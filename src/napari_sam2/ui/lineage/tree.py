"""Where the branches of a family lie; no Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from napari_sam2.errors import InputError
from napari_sam2.session.book.changes import lives
from napari_sam2.session.book.state import BookState


@dataclass(frozen=True, slots=True)
class Branch:
    """An object in the tree.

    Attributes
    ----------
    object_id, mother
        Who, and of whom; None for the founder.
    row
        Where it lies; daughters lie around their mother.
    first, last
        Frames between which it can exist.
    """

    object_id: int
    mother: int | None
    row: float
    first: int
    last: int


def family_tree(
    book: BookState, object_id: int, frame_count: int
) -> tuple[Branch, ...]:
    """Return the branches of an object's family, mothers before daughters.

    Empty for an object without mother and daughters, or one that is not in the book.
    """
    daughters = _daughters(book)
    if object_id not in book:
        return ()
    members = _descendants(book.founder_of(object_id).object_id, daughters)
    if len(members) == 1:
        return ()
    try:
        spans = lives(book, frame_count, set(members))
    except InputError:
        return ()  # whoever prompted a mother too late is told so elsewhere
    rows = _rows(members, daughters)
    return tuple(
        Branch(one, book[one].parent, rows[one], spans[one].first, spans[one].last)
        for one in members
        if one in spans
    )


def branch_at(branches: Sequence[Branch], row: float) -> Branch | None:
    """Return the branch nearest to a row, if one lies within half a row."""
    near = min(branches, key=lambda one: abs(one.row - row), default=None)
    return near if near is not None and abs(near.row - row) <= 1 / 2 else None


def _daughters(book: BookState) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for state in book.objects:
        if state.parent is not None:
            found.setdefault(state.parent, []).append(state.object_id)
    return found


def _descendants(founder: int, daughters: Mapping[int, Sequence[int]]) -> list[int]:
    """Return a family, the founder first; each daughter follows her mother."""
    members, waiting = [], [founder]
    while waiting:
        one = waiting.pop()
        members.append(one)
        waiting.extend(reversed(daughters.get(one, ())))
    return members


def _rows(
    members: Sequence[int], daughters: Mapping[int, Sequence[int]]
) -> dict[int, float]:
    """Return a row for each: whole ones for the last of a line, means for mothers."""
    leaves = [one for one in members if not daughters.get(one)]
    rows: dict[int, float] = {one: float(row) for row, one in enumerate(leaves)}
    for one in reversed(members):
        if one not in rows:
            own = [rows[daughter] for daughter in daughters[one]]
            rows[one] = sum(own) / len(own)
    return rows
