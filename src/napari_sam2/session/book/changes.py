"""What differs between two states of the book, and which masks follow no more.

Nothing here knows which edit it was: prompts, and the gaps between anchors, are
compared before and after. A gap that is bounded by the same prompts as before keeps its
masks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from operator import attrgetter

import numpy as np

from napari_sam2.prompts import FramePrompt
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.planning.frame_set import NO_FRAMES, FrameSet
from napari_sam2.session.planning.plan import Gap, ObjectLife, gaps, object_lives

_besides = attrgetter(
    *(part.name for part in fields(ObjectState) if part.name != "prompts")
)
"""All that an object is besides its prompts."""


def is_same_prompt(prompt: FramePrompt | None, other: FramePrompt | None) -> bool:
    """Tell whether two prompts say the same."""
    if prompt is None or other is None or prompt is other:
        return prompt is other
    if (prompt.object_id, prompt.frame_index) != (other.object_id, other.frame_index):
        return False
    if (prompt.points, prompt.box) != (other.points, other.box):
        return False
    if prompt.mask is None or other.mask is None:
        return prompt.mask is other.mask
    return np.array_equal(prompt.mask.mask, other.mask.mask)


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


def lives(
    book: BookState, frame_count: int, among: Collection[int] | None = None
) -> Mapping[int, ObjectLife]:
    """Return the lives of objects that have prompts, by id.

    Parameters
    ----------
    among
        Ids of those that are asked about; None for all.

    Raises
    ------
    InputError
        If a mother is prompted on or after the frame on which a daughter begins.
    """
    asked = [
        state.as_prompted()
        for state in book.objects
        if among is None or state.object_id in among or state.parent in among
    ]
    return {
        life.object_id: life
        for life in object_lives(asked, frame_count)
        if among is None or life.object_id in among
    }


def changed_lives(
    before: BookState, after: BookState, frame_count: int
) -> Mapping[int, tuple[ObjectLife | None, ObjectLife | None]]:
    """Return lives before and after, None without prompts, where they may differ.

    That is of objects whose prompts or mother are others, and of those mothers.

    Raises
    ------
    InputError
        If a mother is prompted on or after the frame on which a daughter begins.
    """
    changed = [
        (before.get(state.object_id), state) for state in after.new_since(before)
    ]
    touched: set[int | None] = set()
    for old, new in changed:
        if old is None or old.prompts is not new.prompts or old.parent != new.parent:
            touched |= {new.object_id, new.parent, old.parent if old else None}
    for old in after.gone_since(before):
        touched |= {old.object_id, old.parent}
    ids = {object_id for object_id in touched if object_id is not None}
    if not ids:
        return {}
    were, are = lives(before, frame_count, ids), lives(after, frame_count, ids)
    return {
        object_id: (were.get(object_id), are.get(object_id))
        for object_id in sorted(ids)
    }


def with_stale_frames(
    before: BookState, after: BookState, frame_count: int
) -> BookState:
    """Return ``after`` with the frames marked that the edit made stale.

    Raises
    ------
    InputError
        If a mother is prompted on or after the frame on which a daughter begins.
    """
    found = changed_lives(before, after, frame_count)
    marked = []
    for state in after.new_since(before):
        old = before.get(state.object_id)
        if state.object_id not in found and old is not None:
            marked.append(_with_pending(state, old.stale | old.waiting))
    for object_id, (old_life, life) in found.items():
        old, new = before.get(object_id), after.get(object_id)
        if new is not None and (new is not old or life != old_life):
            marked.append(_marked(new, life, old, old_life))
    return after.with_objects(marked)


def vanished(
    before: BookState, after: BookState, frame_count: int
) -> Mapping[int, FrameSet]:
    """Return the frames on which objects can no longer exist, by id.

    A mother's after a division was said to end her, a daughter's before her birth, all
    of an object that was removed or whose last prompt was taken back; not its locked
    ones, while it is there. Their masks are to be cleared; no tracking does it.
    """
    found = {}
    for object_id, (old_life, life) in changed_lives(
        before, after, frame_count
    ).items():
        state = after.get(object_id)
        if state is None:
            found[object_id] = FrameSet.between(0, frame_count - 1)
        elif gone := _living(old_life) - _living(life) - state.locked:
            found[object_id] = gone
    return found


def _marked(
    state: ObjectState,
    life: ObjectLife | None,
    old: ObjectState | None,
    old_life: ObjectLife | None,
) -> ObjectState:
    if life is None:
        return _with_pending(state, NO_FRAMES)
    pending = _changed_frames(state, life, old, old_life)
    if old is not None:
        pending |= old.stale | old.waiting
    return _with_pending(state, (pending & _living(life)) - FrameSet.of(life.anchors))


def _with_pending(state: ObjectState, pending: FrameSet) -> ObjectState:
    """Return an object whose masks on some frames are to be tracked again."""
    stale, waiting = pending - state.locked, pending & state.locked
    if (stale, waiting) == (state.stale, state.waiting):
        return state
    return replace(state, stale=stale, waiting=waiting)


def _changed_frames(
    state: ObjectState,
    life: ObjectLife,
    old: ObjectState | None,
    old_life: ObjectLife | None,
) -> FrameSet:
    """Return the frames of gaps that are bounded by other prompts than before."""
    known: dict[tuple[int, ...], Gap] = {}
    if old is not None and old_life is not None:
        known = {(gap.runs_backward, *gap.bounds): gap for gap in gaps(old_life)}
    changed = []
    for gap in gaps(life):
        twin = known.get((gap.runs_backward, *gap.bounds))
        is_kept = twin is not None and all(
            is_same_prompt(
                state.prompt_at(bound), old.prompt_at(bound) if old else None
            )
            for bound in gap.bounds
        )
        changed.append(gap.frames - twin.frames if twin and is_kept else gap.frames)
    return FrameSet.union(changed)


def _living(life: ObjectLife | None) -> FrameSet:
    return NO_FRAMES if life is None else FrameSet.between(life.first, life.last)
