"""Edits of the book as pure functions from state to state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.prompts import FramePrompt, MaskPrompt, Place
from napari_sam2.session.book.changes import is_same_prompt
from napari_sam2.session.book.intake import Intake
from napari_sam2.session.book.state import BookState, Color, ObjectState
from napari_sam2.session.planning.plan import refused_alone


def check_parents(before: BookState, after: BookState) -> None:
    """Check that every new parent exists and that nobody is its own ancestor.

    Raises
    ------
    InputError
        If not.
    """
    sound: set[int] = set()
    for state in after.new_since(before):
        passed, object_id, parent = [state.object_id], state.object_id, state.parent
        while parent is not None and parent not in sound:
            if parent not in after:
                raise InputError(
                    f"object {parent} does not exist: it cannot be the parent of "
                    f"object {object_id}"
                )
            if parent in passed:
                raise InputError(
                    f"object {state.object_id} cannot be its own ancestor: choose "
                    "another parent"
                )
            passed.append(parent)
            object_id, parent = parent, after[parent].parent
        sound.update(passed)


def check_shown(before: BookState, after: BookState) -> None:
    """Notice an edit that leaves an object nothing but negative clicks.

    Raises
    ------
    InputError
        Naming the object.
    """
    for state in after.new_since(before):
        old = before.get(state.object_id)
        if old and (old.prompts is state.prompts or _refuses_alone(old)):
            continue
        if _refuses_alone(state):
            raise refused_alone(state.as_prompted().shown[0])


def _refuses_alone(state: ObjectState) -> bool:
    shown = state.as_prompted().shown
    return bool(shown) and all(prompt.only_refuses for prompt in shown)


def prompted(
    book: BookState, prompts: Sequence[FramePrompt], cleared: Iterable[Place] = ()
) -> BookState:
    """Return a state in which some prompts are said, and others no more.

    New objects are added.
    """
    by_object: dict[int, dict[int, FramePrompt | None]] = {}
    for object_id, frame_index in cleared:
        by_object.setdefault(object_id, {})[frame_index] = None
    for prompt in prompts:
        by_object.setdefault(prompt.object_id, {})[prompt.frame_index] = prompt
    return book.with_objects(
        _told(book.get(object_id) or ObjectState(object_id), by_frame)
        for object_id, by_frame in by_object.items()
    )


def removed(book: BookState, object_ids: Iterable[int]) -> BookState:
    """Return a state without some objects; their daughters have no parent."""
    gone = set(object_ids)
    orphans = [
        replace(state, parent=None) for state in book.objects if state.parent in gone
    ]
    return book.with_objects(orphans).without(gone)


def merged(book: BookState, kept: int, gone: int) -> BookState:
    """Return a state in which one object has taken over another.

    Raises
    ------
    InputError
        If they are the same, or frames of the one that goes are locked.
    """
    if kept == gone:
        raise InputError(f"object {kept} cannot be merged into itself: choose two")
    host, guest = book[kept], book[gone]
    if guest.locked:
        raise InputError(
            f"object {gone} is locked on {len(guest.locked)} frames, which a merge "
            "would rewrite: unlock it first, or merge the other way round"
        )
    taken = {
        prompt.frame_index: replace(prompt, object_id=kept)
        for prompt in guest.prompts
        if host.prompt_at(prompt.frame_index) is None
        and prompt.frame_index not in host.locked
    }
    host = _told(host, taken)
    if host.parent is None or host.parent == gone:
        host = replace(host, parent=None if guest.parent == kept else guest.parent)
    daughters = [
        replace(state, parent=kept)
        for state in book.objects
        if state.parent == gone and state.object_id != kept
    ]
    return book.with_objects([*daughters, host]).without([gone])


def divided(
    book: BookState, mother_id: int, sister: int | FramePrompt, first: FramePrompt
) -> BookState:
    """Return a state in which an object ends as the mother of two.

    Parameters
    ----------
    sister
        The daughter that is an object already, or what a new one is on her first frame.
    first
        What the other daughter is on her first frame, under a free id; later prompts
        of the mother become hers.

    Raises
    ------
    InputError
        If nothing is said of the mother before, she has daughters, or is locked later.
    """
    mother = book[mother_id]
    before, later = _parted(mother, first, "divide")
    if any(state.parent == mother_id for state in book.objects):
        raise InputError(f"object {mother_id} has daughters already")
    daughter = ObjectState(first.object_id, "", mother_id, (first, *later))
    if isinstance(sister, FramePrompt):
        other = ObjectState(sister.object_id, "", mother_id, (sister,))
    else:
        other = replace(book[sister], parent=mother_id)
    return book.with_objects([replace(mother, prompts=before), daughter, other])


def duplicated(book: BookState, object_id: int) -> BookState:
    """Return a state with one object more, prompted as another; nothing is locked."""
    state, new_id = book[object_id], book.next_id
    prompts = tuple(replace(prompt, object_id=new_id) for prompt in state.prompts)
    return book.with_objects(
        [ObjectState(new_id, state.name, state.parent, prompts, state.is_hidden)]
    )


def cut(book: BookState, object_id: int, first: FramePrompt) -> BookState:
    """Return a state in which an object ends, and goes on as another one.

    Neither is the other's mother. Its daughters are those of the new one.

    Parameters
    ----------
    object_id
        Who ends on the frame before.
    first
        What the new object is on its first frame, with a mask, under a free id.

    Raises
    ------
    InputError
        If nothing is said of the object before, or it is locked later.
    ValueError
        Without a mask.
    """
    if first.mask is None:
        raise ValueError("an object is cut where its mask is known")
    state, at, new_id = book[object_id], first.frame_index, first.object_id
    before, later = _parted(state, first, "be cut")
    nothing = MaskPrompt(np.zeros_like(first.mask.mask))
    ended = (*before, FramePrompt(object_id, at, mask=nothing))
    begun = (FramePrompt(new_id, at - 1, mask=nothing), first, *later)
    daughters = [
        replace(one, parent=new_id) for one in book.objects if one.parent == object_id
    ]
    halves = [replace(state, prompts=ended), ObjectState(new_id, "", None, begun)]
    return book.with_objects([*daughters, *halves])


def _parted(
    state: ObjectState, first: FramePrompt, verb: str
) -> tuple[tuple[FramePrompt, ...], tuple[FramePrompt, ...]]:
    """Return prompts before a frame, and those after it as another object's.

    Raises
    ------
    InputError
        If there are none before, or the object is locked from there on.
    """
    object_id, at = state.object_id, first.frame_index
    before = tuple(one for one in state.prompts if one.frame_index < at)
    if not before:
        raise InputError(
            f"object {object_id} is not prompted before frame {at}, so it cannot "
            f"{verb} there: click on it on an earlier frame"
        )
    if any(frame >= at for frame in state.locked):
        raise InputError(
            f"object {object_id} is locked from frame {at} on: unlock it there"
        )
    later = tuple(
        replace(one, object_id=first.object_id)
        for one in state.prompts
        if one.frame_index > at
    )
    return before, later


def recolored(book: BookState, colors: Mapping[int, Color | None]) -> BookState:
    """Return a state in which objects have colours of their own, or (None) none."""
    return book.with_objects(
        replace(book[object_id], color=color) for object_id, color in colors.items()
    )


def with_intake(book: BookState, intake: Intake) -> BookState:
    """Return a state with objects from elsewhere: names, mothers, colours, prompts."""
    taken_in = []
    for new in intake.objects:
        state = book.get(new.object_id) or ObjectState(
            new.object_id, new.name, color=intake.colors.get(new.object_id)
        )
        if new.parent is not None:
            state = replace(state, parent=new.parent)
        taken_in.append(state)
    return prompted(book.with_objects(taken_in), intake.prompts)


def _told(
    state: ObjectState, by_frame: Mapping[int, FramePrompt | None]
) -> ObjectState:
    """Return the object with other prompts on some frames, or with none there."""
    said = {prompt.frame_index: prompt for prompt in state.prompts}
    new = {
        frame: prompt
        for frame, prompt in by_frame.items()
        if not is_same_prompt(said.get(frame), prompt)
    }
    if not new:
        return state
    told = sorted((said | new).items())
    return replace(state, prompts=tuple(prompt for _, prompt in told if prompt))
