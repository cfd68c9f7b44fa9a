"""Edits of the book as pure functions from state to state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from napari_sam2.errors import InputError
from napari_sam2.prompts import FramePrompt, Place
from napari_sam2.session.book.intake import Intake
from napari_sam2.session.book.staleness import is_same_prompt
from napari_sam2.session.book.state import BookState, ObjectState
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
    book
        The state before.
    mother_id
        Who divides.
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
    birth, mother = first.frame_index, book[mother_id]
    before = tuple(one for one in mother.prompts if one.frame_index < birth)
    if not before:
        raise InputError(
            f"object {mother_id} is not prompted before frame {birth}, so it cannot "
            "divide there: click on it on an earlier frame"
        )
    if any(state.parent == mother_id for state in book.objects):
        raise InputError(f"object {mother_id} has daughters already")
    if any(frame >= birth for frame in mother.locked):
        raise InputError(
            f"object {mother_id} is locked from frame {birth} on: unlock it there"
        )
    later = tuple(
        replace(one, object_id=first.object_id)
        for one in mother.prompts
        if one.frame_index > birth
    )
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
