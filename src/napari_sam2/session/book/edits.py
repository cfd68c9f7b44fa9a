"""Edits of the book as pure functions from state to state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from napari_sam2.errors import InputError
from napari_sam2.prompts import FramePrompt
from napari_sam2.session.book.staleness import is_same_prompt
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.planning.plan import refused_alone


def check_parents(state: BookState) -> None:
    """Check that every parent exists and that nobody is its own ancestor.

    Raises
    ------
    InputError
        If not.
    """
    parents = {thing.object_id: thing.parent for thing in state.objects}
    for object_id, parent in parents.items():
        passed = {object_id}
        while parent is not None:
            if parent not in parents:
                raise InputError(
                    f"object {parent} does not exist: it cannot be the parent of "
                    f"object {object_id}"
                )
            if parent in passed:
                raise InputError(
                    f"object {object_id} cannot be its own ancestor: choose another "
                    "parent"
                )
            passed.add(parent)
            parent = parents[parent]


def prompted(state: BookState, prompts: Sequence[FramePrompt]) -> BookState:
    """Return a state in which the prompts are said; new objects are added."""
    changed: dict[int, ObjectState] = {}
    for prompt in prompts:
        object_id = prompt.object_id
        thing = changed.get(object_id)
        if thing is None:
            in_book = object_id in state
            thing = state[object_id] if in_book else ObjectState(object_id)
        changed[object_id] = _told(thing, prompt)
    return state.with_objects(changed.values())


def silenced(thing: ObjectState, frame_index: int) -> ObjectState:
    """Return the object without what was said on a frame."""
    kept = tuple(one for one in thing.prompts if one.frame_index != frame_index)
    return replace(thing, prompts=kept)


def removed(state: BookState, object_ids: Iterable[int]) -> BookState:
    """Return a state without some objects; their daughters have no parent."""
    gone = set(object_ids)
    orphans = [
        replace(thing, parent=None) for thing in state.objects if thing.parent in gone
    ]
    return state.with_objects(orphans).without(gone)


def merged(state: BookState, kept: int, gone: int) -> BookState:
    """Return a state in which one object has taken over another.

    Raises
    ------
    InputError
        If they are the same, or frames of the one that goes are locked.
    """
    if kept == gone:
        raise InputError(f"object {kept} cannot be merged into itself: choose two")
    host, guest = state[kept], state[gone]
    if guest.locked:
        raise InputError(
            f"object {gone} is locked on {len(guest.locked)} frames, which a merge "
            "would rewrite: unlock it first, or merge the other way round"
        )
    for prompt in guest.prompts:
        is_free = host.prompt_at(prompt.frame_index) is None
        if is_free and prompt.frame_index not in host.locked:
            host = _told(host, replace(prompt, object_id=kept))
    if host.parent is None or host.parent == gone:
        host = replace(host, parent=None if guest.parent == kept else guest.parent)
    daughters = [
        replace(thing, parent=kept)
        for thing in state.objects
        if thing.parent == gone and thing.object_id != kept
    ]
    return state.with_objects([*daughters, host]).without([gone])


def duplicated(state: BookState, object_id: int) -> BookState:
    """Return a state with one object more, prompted as another; nothing is locked."""
    thing, new_id = state[object_id], state.next_id
    prompts = tuple(replace(one, object_id=new_id) for one in thing.prompts)
    return state.with_objects(
        [ObjectState(new_id, thing.name, thing.parent, prompts, thing.is_hidden)]
    )


def _told(thing: ObjectState, prompt: FramePrompt) -> ObjectState:
    """Return the object with a prompt, replacing what was said on its frame."""
    frame_index = prompt.frame_index
    if is_same_prompt(thing.prompt_at(frame_index), prompt):
        return thing
    others = silenced(thing, frame_index).prompts
    prompts = sorted((*others, prompt), key=lambda one: one.frame_index)
    return replace(thing, prompts=tuple(prompts))


def check_shown(before: BookState, after: BookState) -> None:
    """Notice an edit that leaves an object nothing but negative clicks.

    Raises
    ------
    InputError
        Naming the object.
    """
    for state in after.objects:
        if state.object_id in before and _refuses_alone(before[state.object_id]):
            continue
        if _refuses_alone(state):
            raise refused_alone(state.as_prompted().shown[0])


def _refuses_alone(state: ObjectState) -> bool:
    shown = state.as_prompted().shown
    return bool(shown) and all(prompt.only_refuses for prompt in shown)
