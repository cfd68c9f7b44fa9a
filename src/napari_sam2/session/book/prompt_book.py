"""The book of a session: what people decided, and how each decision is undone.

Lives in the main thread. Layers, tables and lives are views of it. Each verb
returns an `Edit`; undoing it is replacing the state by the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from psygnal import Signal

from napari_sam2.errors import InputError
from napari_sam2.prompts import FramePrompt
from napari_sam2.session.book import edits as book_edits
from napari_sam2.session.book.changes import BookChanges, changes, differs
from napari_sam2.session.book.staleness import with_stale_frames
from napari_sam2.session.book.state import BookState, Color, ObjectState
from napari_sam2.session.planning.frame_set import FrameSet

__all__ = ["BookChanges", "Edit", "PromptBook", "changes"]


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """One step of the history.

    Attributes
    ----------
    text
        What was done, for the undo menu: "click on object 3, frame 17".
    before, after
        The book before and after.
    """

    text: str
    before: BookState
    after: BookState


class PromptBook:
    """Objects and prompts, edited by verbs.

    Every verb returns an `Edit`, or None where it changes nothing. A verb that cannot
    be done raises `InputError` and changes nothing. Frames whose masks no longer follow
    from the anchors are marked stale.

    Parameters
    ----------
    frame_count
        Length of the movie.
    state
        Where to begin.
    """

    changed = Signal(BookState, BookState)
    """Emitted with the states before and after each change."""

    def __init__(self, frame_count: int, state: BookState | None = None) -> None:
        self.frame_count = frame_count
        self._state = BookState() if state is None else state

    @property
    def state(self) -> BookState:
        """The book as it is now."""
        return self._state

    # --- Objects

    def add_object(
        self,
        *,
        name: str = "",
        parent: int | None = None,
        object_id: int | None = None,
        color: Color | None = None,
    ) -> Edit | None:
        """Add an object without prompts; its id is the next free one unless given.

        Raises
        ------
        InputError
            If the id is taken, or the parent does not exist.
        """
        if object_id is None:
            object_id = self._state.next_id
        if object_id < 1 or object_id in self._state:
            raise InputError(f"object {object_id} cannot be added: choose a free id")
        new = ObjectState(object_id, name, parent, color=color)
        return self._edit(
            f"add object {object_id}", lambda state: state.with_objects([new])
        )

    def remove_objects(self, object_ids: Iterable[int]) -> Edit | None:
        """Remove objects; their daughters have no parent then."""
        gone = sorted(set(object_ids))
        self._require(gone)
        return self._edit(
            f"delete {_objects(gone)}", lambda state: book_edits.removed(state, gone)
        )

    def rename(self, object_id: int, name: str) -> Edit | None:
        """Give an object another name."""
        return self._edit_one(
            f"rename object {object_id}", object_id, lambda one: replace(one, name=name)
        )

    def set_parent(self, object_id: int, parent: int | None) -> Edit | None:
        """Say that an object was born in a division of another, or of none.

        Raises
        ------
        InputError
            If it would become its own ancestor, or the mother is prompted on or after
            the daughter's first frame.
        """
        return self._edit_one(
            f"parent of object {object_id}",
            object_id,
            lambda one: replace(one, parent=parent),
        )

    def merge(self, kept: int, gone: int) -> Edit | None:
        """Make two objects one.

        Prompts of the one that goes are kept on frames where the other has none and is
        not locked; its daughters become the other's.

        Raises
        ------
        InputError
            If they are the same, or frames of the one that goes are locked.
        """
        self._require((kept, gone))
        return self._edit(
            f"merge object {gone} into object {kept}",
            lambda state: book_edits.merged(state, kept, gone),
        )

    def duplicate(self, object_id: int) -> Edit | None:
        """Add an object with the same prompts, under the next free id."""
        self._require((object_id,))
        return self._edit(
            f"duplicate object {object_id}",
            lambda state: book_edits.duplicated(state, object_id),
        )

    def set_hidden(self, object_ids: Iterable[int], is_hidden: bool) -> Edit | None:
        """Hide objects from the viewer, or show them again."""
        return self._edit_each(
            "hide" if is_hidden else "show",
            object_ids,
            lambda one: replace(one, is_hidden=is_hidden),
        )

    # --- Prompts

    def set_prompt(self, prompt: FramePrompt) -> Edit | None:
        """Say something about an object on a frame, instead of what was said there.

        An object that is not in the book is added.

        Raises
        ------
        InputError
            If the frame is locked, outside of the movie, or after the object's end.
        """
        return self.set_prompts((prompt,), _said(prompt))

    def set_prompts(self, prompts: Sequence[FramePrompt], text: str) -> Edit | None:
        """Say several things in one step.

        Raises
        ------
        InputError
            As `set_prompt`; nothing is said then.
        """
        for prompt in prompts:
            if prompt.frame_index >= self.frame_count:
                raise InputError(
                    f"object {prompt.object_id}: frame {prompt.frame_index} is outside "
                    f"of the movie; its last frame is {self.frame_count - 1}"
                )
            self._refuse_locked(prompt.object_id, prompt.frame_index)
        return self._edit(text, lambda state: book_edits.prompted(state, prompts))

    def clear_prompt(self, object_id: int, frame_index: int) -> Edit | None:
        """Take back what was said about an object on a frame.

        Raises
        ------
        InputError
            If the frame is locked, or the object does not exist.
        """
        self._require((object_id,))
        if self._state[object_id].prompt_at(frame_index) is not None:
            self._refuse_locked(object_id, frame_index)
        return self._edit_one(
            f"clear object {object_id}, frame {frame_index}",
            object_id,
            lambda one: book_edits.silenced(one, frame_index),
        )

    # --- Locks and reviews

    def lock(self, object_id: int, frames: FrameSet) -> Edit | None:
        """Keep an object as it is on some frames."""
        inside = self._inside(frames)
        return self._edit_one(
            f"lock object {object_id}",
            object_id,
            lambda one: replace(one, locked=one.locked | inside),
        )

    def unlock(self, object_id: int, frames: FrameSet) -> Edit | None:
        """Let an object change on some frames; what waited for that becomes stale."""
        return self._edit_one(
            f"unlock object {object_id}",
            object_id,
            lambda one: replace(one, locked=one.locked - frames),
        )

    def review(self, object_id: int, frames: FrameSet) -> Edit | None:
        """Note that a person found an object right on some frames."""
        inside = self._inside(frames)
        return self._edit_one(
            f"review object {object_id}",
            object_id,
            lambda one: replace(one, reviewed=one.reviewed | inside),
        )

    def unreview(self, object_id: int, frames: FrameSet) -> Edit | None:
        """Take back that an object was found right on some frames."""
        return self._edit_one(
            f"unreview object {object_id}",
            object_id,
            lambda one: replace(one, reviewed=one.reviewed - frames),
        )

    # --- What is no step of the history

    def mark_tracked(self, object_id: int, frames: FrameSet) -> None:
        """Note that an object's masks on some frames follow from its anchors again.

        An object that was removed since is passed over: tracking may end later.
        """
        if object_id not in self._state:
            return
        thing = self._state[object_id]
        if thing.stale & frames:
            marked = replace(thing, stale=thing.stale - frames)
            self.replace(self._state.with_objects([marked]))

    def replace(self, state: BookState) -> None:
        """Have another state: undo, redo, a session that was opened."""
        before, self._state = self._state, state
        if state is not before:
            self.changed.emit(before, state)

    # --- Steps

    def _edit(self, text: str, edited: Callable[[BookState], BookState]) -> Edit | None:
        """Apply an edit, mark what it made stale, tell those who show the book."""
        before = self._state
        after = edited(before)
        book_edits.check_parents(after)
        after = with_stale_frames(before, after, self.frame_count)
        after = _keeping_what_is_equal(before, after)
        if after is before:
            return None
        self.replace(after)
        return Edit(text, before, after)

    def _edit_one(
        self, text: str, object_id: int, edited: Callable[[ObjectState], ObjectState]
    ) -> Edit | None:
        self._require((object_id,))
        return self._edit(
            text, lambda state: state.with_objects([edited(state[object_id])])
        )

    def _edit_each(
        self,
        verb: str,
        object_ids: Iterable[int],
        edited: Callable[[ObjectState], ObjectState],
    ) -> Edit | None:
        chosen = sorted(set(object_ids))
        self._require(chosen)
        return self._edit(
            f"{verb} {_objects(chosen)}",
            lambda state: state.with_objects(edited(state[one]) for one in chosen),
        )

    def _require(self, object_ids: Iterable[int]) -> None:
        for object_id in object_ids:
            if object_id not in self._state:
                raise InputError(f"object {object_id} does not exist: add it first")

    def _refuse_locked(self, object_id: int, frame_index: int) -> None:
        if object_id in self._state and frame_index in self._state[object_id].locked:
            raise InputError(
                f"object {object_id} is locked on frame {frame_index}: unlock it there "
                "to change it"
            )

    def _inside(self, frames: FrameSet) -> FrameSet:
        return frames & FrameSet.between(0, self.frame_count - 1)


def _keeping_what_is_equal(before: BookState, after: BookState) -> BookState:
    """Return ``after`` with the very objects of ``before`` where they are equal."""
    kept = [
        before[one.object_id]
        if one.object_id in before and not differs(before[one.object_id], one)
        else one
        for one in after.objects
    ]
    if len(kept) == len(before.objects) and all(
        one is other for one, other in zip(kept, before.objects, strict=True)
    ):
        return before
    return BookState(tuple(kept))


def _said(prompt: FramePrompt) -> str:
    """Name a prompt for the undo menu."""
    kind = "click"
    if prompt.mask is not None:
        kind = "mask"
    elif prompt.box is not None:
        kind = "box"
    return f"{kind} on object {prompt.object_id}, frame {prompt.frame_index}"


def _objects(object_ids: Sequence[int]) -> str:
    if len(object_ids) == 1:
        return f"object {object_ids[0]}"
    return f"{len(object_ids)} objects"
