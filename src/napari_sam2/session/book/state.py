"""What people decided about a movie: objects, prompts, locks, reviews. Immutable."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from weakref import ref

from napari_sam2.prompts import FramePrompt, PromptedObject
from napari_sam2.session.planning.frame_set import NO_FRAMES, FrameSet

Color = tuple[float, float, float, float]
"""RGBA in 0…1."""


class FrameFlag(Enum):
    """What a person says of an object's masks on some frames."""

    LOCKED = "lock"
    """They are never rewritten."""
    REVIEWED = "review"
    """They were looked at and found right."""


@dataclass(frozen=True, slots=True, eq=False)
class ObjectState:
    """One object as people see it.

    Attributes
    ----------
    object_id
        Label value, 1 or more.
    name
        What people call it; may be empty.
    parent
        Id of the mother if the object was born in a division.
    prompts
        At most one `FramePrompt` per frame, in frame order. Its frame is an anchor.
    is_hidden
        Not shown in the viewer; its masks stay.
    locked
        Frames that are never rewritten.
    reviewed
        Frames that a person looked at and found right.
    stale
        Frames whose masks no longer follow from the anchors: a repair is due.
    waiting
        Locked frames that become stale when they are unlocked.
    color
        Of its own, that it had where it comes from; None for that of its id.
    """

    object_id: int
    name: str = ""
    parent: int | None = None
    prompts: tuple[FramePrompt, ...] = ()
    is_hidden: bool = False
    locked: FrameSet = NO_FRAMES
    reviewed: FrameSet = NO_FRAMES
    stale: FrameSet = NO_FRAMES
    waiting: FrameSet = NO_FRAMES
    color: Color | None = None

    @property
    def anchors(self) -> tuple[int, ...]:
        """Frames on which a person prompted the object, ascending."""
        return tuple(prompt.frame_index for prompt in self.prompts)

    def prompt_at(self, frame_index: int) -> FramePrompt | None:
        """Return what was said on a frame, if anything was."""
        prompts = self.prompts
        at = bisect_left(prompts, frame_index, key=lambda prompt: prompt.frame_index)
        if at < len(prompts) and prompts[at].frame_index == frame_index:
            return prompts[at]
        return None

    def flagged(self, flag: FrameFlag) -> FrameSet:
        """Return the frames that are locked, or reviewed."""
        return self.locked if flag is FrameFlag.LOCKED else self.reviewed

    def with_flagged(self, flag: FrameFlag, frames: FrameSet) -> ObjectState:
        """Return the object with other frames locked, or reviewed."""
        if flag is FrameFlag.LOCKED:
            return replace(self, locked=frames)
        return replace(self, reviewed=frames)

    def as_prompted(self) -> PromptedObject:
        """Return the object as the tracker knows it."""
        return PromptedObject(self.object_id, self.prompts, self.name, self.parent)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class BookState:
    """All objects of a session.

    An edit leaves the objects that it is not about the very same, so that whoever
    shows a book finds at once what is new in it.

    Attributes
    ----------
    objects
        By ascending id.
    """

    objects: tuple[ObjectState, ...] = ()
    _by_id: dict[int, ObjectState] = field(init=False, repr=False)
    _compared: tuple[Callable[[], BookState | None], list[ObjectState]] = field(
        default=(lambda: None, []), init=False, repr=False
    )

    def __post_init__(self) -> None:
        by_id = {state.object_id: state for state in self.objects}
        ids = list(by_id)
        if len(ids) < len(self.objects) or ids != sorted(ids):
            ids = [state.object_id for state in self.objects]
            raise ValueError(f"object ids {ids} are not ascending and unique")
        object.__setattr__(self, "_by_id", by_id)

    def __contains__(self, object_id: object) -> bool:
        return object_id in self._by_id

    def __getitem__(self, object_id: int) -> ObjectState:
        return self._by_id[object_id]

    def get(self, object_id: int) -> ObjectState | None:
        """Return an object, or None if there is none of this id."""
        return self._by_id.get(object_id)

    def founder_of(self, object_id: int) -> ObjectState:
        """Return the first mother of an object's family who is here, or the object."""
        founder = self[object_id]
        while founder.parent is not None and founder.parent in self:
            founder = self[founder.parent]
        return founder

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids of all objects, ascending."""
        return tuple(self._by_id)

    @property
    def has_prompts(self) -> bool:
        """Whether anything is said about any object."""
        return any(state.prompts for state in self.objects)

    @property
    def next_id(self) -> int:
        """The smallest id above all that are in use."""
        return self.objects[-1].object_id + 1 if self.objects else 1

    def new_since(self, before: BookState) -> list[ObjectState]:
        """Return the objects that are not the very same in an earlier state, by id."""
        if self is before:
            return []
        earlier, new = self._compared
        if earlier() is not before:  # each view asks, one after the other
            known = before._by_id.get
            new = [
                state for state in self.objects if known(state.object_id) is not state
            ]
            object.__setattr__(self, "_compared", (ref(before), new))
        return list(new)

    def is_colored_as(self, before: BookState) -> bool:
        """Whether the objects have the same colours of their own as earlier."""
        known = before._by_id
        return not any(
            state.color
            != (known[one].color if (one := state.object_id) in known else None)
            for state in self.new_since(before)
        ) and not any(state.color for state in self.gone_since(before))

    def gone_since(self, before: BookState) -> list[ObjectState]:
        """Return the objects of an earlier state that are no longer there, by id."""
        known = self._by_id
        return [state for state in before.objects if state.object_id not in known]

    def with_objects(self, changed: Iterable[ObjectState]) -> BookState:
        """Return a state in which objects are added, or replace those of their id."""
        by_id = self._by_id | {state.object_id: state for state in changed}
        return BookState(tuple(by_id[object_id] for object_id in sorted(by_id)))

    def without(self, object_ids: Iterable[int]) -> BookState:
        """Return a state that lacks some objects."""
        gone = set(object_ids)
        return BookState(
            tuple(state for state in self.objects if state.object_id not in gone)
        )
