"""What differs between two states of the book, for those who show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from operator import attrgetter

from napari_sam2.session.book.staleness import is_same_prompt
from napari_sam2.session.book.state import BookState, ObjectState

_besides = attrgetter(
    *(part.name for part in fields(ObjectState) if part.name != "prompts")
)
"""All that an object is besides its prompts."""


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

    @property
    def frames(self) -> list[int]:
        """Frames on which something else is said, ascending."""
        places = (*self.prompted.values(), *self.cleared.values())
        return sorted({frame for frames in places for frame in frames})


def changes(before: BookState, after: BookState) -> BookChanges:
    """Return what must be done to a view of ``before`` so that it shows ``after``."""
    prompted, cleared, added, others = {}, {}, set(), set()
    for state in after.new_since(before):
        object_id = state.object_id
        was = before.get(object_id) or ObjectState(object_id)
        if object_id not in before:
            added.add(object_id)
        elif _besides(was) != _besides(state):
            others.add(object_id)
        if was.prompts is state.prompts:
            continue
        if said := _said_anew(was, state):
            prompted[object_id] = said
        if silent := tuple(f for f in was.anchors if state.prompt_at(f) is None):
            cleared[object_id] = silent
    removed = frozenset(state.object_id for state in after.gone_since(before))
    return BookChanges(prompted, cleared, frozenset(added), removed, frozenset(others))


def differs(state: ObjectState, other: ObjectState) -> bool:
    """Tell whether two objects differ in anything; prompts are told by identity."""
    return state.prompts != other.prompts or _besides(state) != _besides(other)


def _said_anew(was: ObjectState, state: ObjectState) -> tuple[int, ...]:
    return tuple(
        prompt.frame_index
        for prompt in state.prompts
        if not is_same_prompt(prompt, was.prompt_at(prompt.frame_index))
    )
