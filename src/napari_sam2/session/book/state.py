"""What people decided about a movie: objects, prompts, locks, reviews. Immutable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from napari_sam2.prompts import FramePrompt, PromptedObject
from napari_sam2.session.planning.frame_set import NO_FRAMES, FrameSet

Color = tuple[float, float, float, float]
"""RGBA in 0…1."""


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
        for prompt in self.prompts:
            if prompt.frame_index == frame_index:
                return prompt
        return None

    def as_prompted(self) -> PromptedObject:
        """Return the object as the tracker knows it."""
        return PromptedObject(self.object_id, self.prompts, self.name, self.parent)


@dataclass(frozen=True, slots=True, eq=False)
class BookState:
    """All objects of a session.

    Attributes
    ----------
    objects
        By ascending id.
    """

    objects: tuple[ObjectState, ...] = field(default=())

    def __post_init__(self) -> None:
        ids = [thing.object_id for thing in self.objects]
        if ids != sorted(set(ids)):
            raise ValueError(f"object ids {ids} are not ascending and unique")

    def __contains__(self, object_id: object) -> bool:
        return any(thing.object_id == object_id for thing in self.objects)

    def __getitem__(self, object_id: int) -> ObjectState:
        for thing in self.objects:
            if thing.object_id == object_id:
                return thing
        raise KeyError(object_id)

    @property
    def next_id(self) -> int:
        """The smallest id above all that are in use."""
        return max((thing.object_id for thing in self.objects), default=0) + 1

    def with_objects(self, changed: Iterable[ObjectState]) -> BookState:
        """Return a state in which objects are added, or replace those of their id."""
        by_id = {thing.object_id: thing for thing in (*self.objects, *changed)}
        return BookState(tuple(by_id[one] for one in sorted(by_id)))

    def without(self, object_ids: Iterable[int]) -> BookState:
        """Return a state that lacks some objects."""
        gone = set(object_ids)
        return BookState(tuple(o for o in self.objects if o.object_id not in gone))
