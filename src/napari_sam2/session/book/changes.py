"""What differs between two states of the book, for those who show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from napari_sam2.session.book.staleness import is_same_prompt
from napari_sam2.session.book.state import BookState, ObjectState


@dataclass(frozen=True, slots=True)
class BookChanges:
    """The difference between two states.

    Attributes
    ----------
    prompted, cleared
        By object: frames on which something else is said now, or nothing any more,
        ascending. New objects are among the first, removed ones not among the second.
    added, removed
        Ids of objects that are new, or gone.
    others
        Ids of objects of which something else changed: name, parent, what is hidden,
        locked, reviewed or stale.
    """

    prompted: Mapping[int, tuple[int, ...]]
    cleared: Mapping[int, tuple[int, ...]]
    added: frozenset[int]
    removed: frozenset[int]
    others: frozenset[int]

    def __bool__(self) -> bool:
        return any((self.prompted, self.cleared, self.added, self.removed, self.others))


def changes(before: BookState, after: BookState) -> BookChanges:
    """Return what must be done to a view of ``before`` so that it shows ``after``."""
    old = {thing.object_id: thing for thing in before.objects}
    new = {thing.object_id: thing for thing in after.objects}
    prompted, cleared, others = {}, {}, set()
    for object_id, thing in new.items():
        was = old.get(object_id, ObjectState(object_id))
        if thing is was:
            continue
        said = _said_anew(was, thing)
        silent = tuple(f for f in was.anchors if thing.prompt_at(f) is None)
        if said:
            prompted[object_id] = said
        if silent:
            cleared[object_id] = silent
        if object_id in old and differs(was, thing, but=("prompts",)):
            others.add(object_id)
    return BookChanges(
        prompted,
        cleared,
        added=frozenset(new.keys() - old.keys()),
        removed=frozenset(old.keys() - new.keys()),
        others=frozenset(others),
    )


def differs(one: ObjectState, other: ObjectState, *, but: tuple[str, ...] = ()) -> bool:
    """Tell whether any field differs, some left aside; prompts are told by identity."""
    return any(
        getattr(one, part.name) != getattr(other, part.name)
        for part in fields(ObjectState)
        if part.name not in but
    )


def _said_anew(was: ObjectState, thing: ObjectState) -> tuple[int, ...]:
    return tuple(
        prompt.frame_index
        for prompt in thing.prompts
        if not is_same_prompt(prompt, was.prompt_at(prompt.frame_index))
    )
