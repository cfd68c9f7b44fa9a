"""The book of a session: what people decided, and how each decision is undone.

Lives in the main thread. Layers, tables and lives are views of it. Each verb
returns an `Edit`; undoing it is replacing the state by the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from napari_sam2.errors import InputError
from napari_sam2.prompts import FramePrompt, Place
from napari_sam2.session.book import edits as book_edits
from napari_sam2.session.book.changes import (
    BookChanges,
    changes,
    differs,
    with_stale_frames,
)
from napari_sam2.session.book.intake import Intake
from napari_sam2.session.book.state import BookState, Color, FrameFlag, ObjectState
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.planning.plan import Direction

__all__ = ["BookChanges", "Edit", "PromptBook", "changes"]


@dataclass(frozen=True, eq=False)
class Edit:
    """One step of the history.

    Attributes
    ----------
    text
        What was done, for the undo menu: "click on object 3, frame 17".
    """

    text: str
    before: BookState
    after: BookState

    @cached_property
    def changes(self) -> BookChanges:
        """What is new in the book."""
        return changes(self.before, self.after)


class PromptBook:
    """Objects and prompts, edited by verbs.

    Every verb returns an `Edit`, or None where it changes nothing. A verb that cannot
    be done raises `InputError` and changes nothing. Frames whose masks no longer follow
    from the anchors are marked stale.
    """

    def __init__(self, frame_count: int, state: BookState | None = None) -> None:
        self.frame_count = frame_count
        self._state = BookState() if state is None else state

    @property
    def state(self) -> BookState:
        """The book as it is now."""
        return self._state

    # --- Objects

    def add_object(
        self, *, name: str = "", parent: int | None = None, object_id: int | None = None
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
        new = ObjectState(object_id, name, parent)
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
        return self._edit_each(
            f"rename object {object_id}",
            [object_id],
            lambda state: replace(state, name=name),
        )

    def set_parent(self, object_id: int, parent: int | None) -> Edit | None:
        """Say that an object was born in a division of another, or of none.

        Raises
        ------
        InputError
            If it would become its own ancestor, or the mother is prompted on or after
            the daughter's first frame.
        """
        return self._edit_each(
            f"parent of object {object_id}",
            [object_id],
            lambda state: replace(state, parent=parent),
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

    def divide(
        self, mother: int, sister: int | FramePrompt, first: FramePrompt
    ) -> Edit | None:
        """Let an object end as the mother of two daughters; see `edits.divided`.

        Raises
        ------
        InputError
            If it cannot be their mother.
        """
        if isinstance(sister, FramePrompt):
            self._require((mother,))
            self._check((first, sister))
        else:
            self._require((mother, sister))
            self._check((first,))
        return self._edit(
            f"division of object {mother}",
            lambda state: book_edits.divided(state, mother, sister, first),
        )

    def cut(self, object_id: int, first: FramePrompt) -> Edit | None:
        """Let an object end, and go on as another one; see `edits.cut`.

        Raises
        ------
        InputError
            If it cannot be cut there.
        """
        self._require((object_id,))
        self._check((first,))
        return self._edit(
            f"cut object {object_id}",
            lambda state: book_edits.cut(state, object_id, first),
        )

    def recolor(self, colors: Mapping[int, Color | None]) -> Edit | None:
        """Give objects colours of their own, or (None) those of their ids."""
        self._require(colors)
        return self._edit(
            f"colours of {len(colors)} objects",
            lambda state: book_edits.recolored(state, colors),
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
        ids = sorted(set(object_ids))
        return self._edit_each(
            f"{'hide' if is_hidden else 'show'} {_objects(ids)}",
            ids,
            lambda state: replace(state, is_hidden=is_hidden),
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
        return self.change_prompts(prompts, (), text)

    def clear_prompt(self, object_id: int, frame_index: int) -> Edit | None:
        """Take back what was said about an object on a frame.

        Raises
        ------
        InputError
            If the frame is locked, or the object does not exist.
        """
        text = f"clear object {object_id}, frame {frame_index}"
        return self.change_prompts((), [(object_id, frame_index)], text)

    def change_prompts(
        self, prompts: Sequence[FramePrompt], cleared: Iterable[Place], text: str
    ) -> Edit | None:
        """Say some things and take others back, ``(object_id, frame)``, in one step.

        Raises
        ------
        InputError
            As `set_prompt` and `clear_prompt`; nothing is changed then.
        """
        places = list(cleared)
        self._require(object_id for object_id, _ in places)
        for object_id, frame_index in places:
            if self._state[object_id].prompt_at(frame_index) is not None:
                self._refuse_locked(object_id, frame_index)
        self._check(prompts)
        return self._edit(
            text, lambda state: book_edits.prompted(state, prompts, places)
        )

    def flip_last_point(self, object_id: int, frame_index: int) -> Edit | None:
        """Turn the last point of an object on a frame round: inside, or outside."""
        state = self._state.get(object_id)
        said = None if state is None else state.prompt_at(frame_index)
        if said is None or not said.points:
            return None
        last = said.points[-1]
        points = (*said.points[:-1], replace(last, positive=not last.positive))
        return self.set_prompt(replace(said, points=points))

    def take_in(self, intake: Intake) -> Edit | None:
        """Take objects in from elsewhere, with their names, mothers and colours.

        Raises
        ------
        InputError
            As `set_prompt` and `set_parent`; nothing is taken in then.
        """
        self._check(intake.prompts)
        return self._edit(
            f"take in {intake.source}",
            lambda book: book_edits.with_intake(book, intake),
        )

    # --- Locks and reviews

    def flag(
        self,
        flag: FrameFlag,
        object_ids: Iterable[int],
        frames: FrameSet,
        *,
        is_on: bool = True,
    ) -> Edit | None:
        """Lock objects on some frames, or note that they are right there; or take back.

        Locked masks stay as they are. What waited for the lock to go becomes stale.
        """
        ids = sorted(set(object_ids))
        inside = frames & FrameSet.between(0, self.frame_count - 1)

        def flagged(state: ObjectState) -> ObjectState:
            before = state.flagged(flag)
            return state.with_flagged(
                flag, before | inside if is_on else before - inside
            )

        verb = flag.value if is_on else f"un{flag.value}"
        return self._edit_each(f"{verb} {_objects(ids)}", ids, flagged)

    def keep_direction(
        self, object_id: int, frames: FrameSet, direction: Direction
    ) -> Edit:
        """Let one way through a gap be what an object's masks there follow from."""
        before = self._state
        self.mark_tracked({object_id: frames})
        return Edit(f"keep {direction} of object {object_id}", before, self._state)

    # --- What is no step of the history

    def mark_tracked(self, tracked: Mapping[int, FrameSet]) -> None:
        """Note that masks on some frames, by object, follow from the anchors again.

        An object that was removed since is passed over: tracking may end later.
        """
        marked = [
            replace(state, stale=state.stale - frames)
            for object_id, frames in tracked.items()
            if (state := self._state.get(object_id)) and state.stale & frames
        ]
        if marked:
            self.replace(self._state.with_objects(marked))

    def replace(self, state: BookState) -> None:
        """Have another state: by an edit, undo, redo, a session that was opened."""
        self._state = state

    # --- Steps

    def _edit(self, text: str, edited: Callable[[BookState], BookState]) -> Edit | None:
        """Apply an edit, and mark what it made stale."""
        before = self._state
        after = edited(before)
        book_edits.check_parents(before, after)
        after = with_stale_frames(before, after, self.frame_count)
        after = _keeping_what_is_equal(before, after)
        if after is before:
            return None
        self.replace(after)
        return Edit(text, before, after)

    def _edit_each(
        self,
        text: str,
        object_ids: Sequence[int],
        edited: Callable[[ObjectState], ObjectState],
    ) -> Edit | None:
        self._require(object_ids)
        return self._edit(
            text,
            lambda book: book.with_objects(
                edited(book[object_id]) for object_id in object_ids
            ),
        )

    def _require(self, object_ids: Iterable[int]) -> None:
        for object_id in object_ids:
            if object_id not in self._state:
                raise InputError(f"object {object_id} does not exist: add it first")

    def _check(self, prompts: Iterable[FramePrompt]) -> None:
        """Refuse prompts outside of the movie, or where their object is locked."""
        for prompt in prompts:
            if prompt.frame_index >= self.frame_count:
                raise InputError(
                    f"object {prompt.object_id}: frame {prompt.frame_index} is outside "
                    f"of the movie; its last frame is {self.frame_count - 1}"
                )
            self._refuse_locked(prompt.object_id, prompt.frame_index)

    def _refuse_locked(self, object_id: int, frame_index: int) -> None:
        state = self._state.get(object_id)
        if state is not None and frame_index in state.locked:
            raise InputError(
                f"object {object_id} is locked on frame {frame_index}: unlock it there "
                "to change it"
            )


def _keeping_what_is_equal(before: BookState, after: BookState) -> BookState:
    """Return ``after`` with the very objects of ``before`` where they are equal."""
    new = after.new_since(before)
    equal = [
        old
        for state in new
        if (old := before.get(state.object_id)) and not differs(old, state)
    ]
    if len(equal) == len(new) and not after.gone_since(before):
        return before
    return after.with_objects(equal) if equal else after


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
