"""What is to be tracked: range, direction, locks; when each object can exist; its gaps.

An *anchor* is a frame on which a person prompted an object. Each gap between two
neighbouring anchors is tracked by itself, so that the result is a function of the
anchors and not of the order of clicks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from napari_sam2.errors import InputError
from napari_sam2.prompts import FramePrompt, PromptedObject
from napari_sam2.session.planning.frame_set import FrameSet

COMMIT_INTERVAL = 25
"""Frames between two commits: a resumed run computes at most so many again."""
COMMIT_SECONDS = 60.0
"""Or so long between them, where 25 frames of a large model take many minutes."""


class Direction(StrEnum):
    """Where to track from an object's anchors."""

    BOTH = "both"
    FORWARD = "forward"
    BACKWARD = "backward"
    NEXT_ANCHOR = "next_anchor"
    """The gap that a frame lies in, or that begins on it."""
    ONE_FRAME = "one_frame"
    """A frame alone; those between its anchor and itself are computed, not written."""


AROUND_A_FRAME = (Direction.NEXT_ANCHOR, Direction.ONE_FRAME)
"""Directions that need to know where they start."""


class Mode(StrEnum):
    """What of a file is the movie."""

    FRAMES = "frames"
    """Frames along time, or along z where there is no time."""
    TZYX = "tzyx"
    """Stacks over time: along z where they are prompted, then each plane in time."""


class MergePolicy(StrEnum):
    """What happens to labels of a frame that the tracker does not own."""

    KEEP = "keep"
    """They stay; a tracked mask loses the pixels that they cover."""
    REPLACE = "replace"
    """A tracked mask takes the pixels that it covers; the rest stays."""
    FILL = "fill"
    """A frame that holds such labels is left as it is."""


@dataclass(frozen=True, slots=True)
class FrameRange:
    """Frames ``first`` to ``stop − 1``."""

    first: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.stop:
            raise ValueError(
                f"frames {self.first}:{self.stop} hold nothing: give FIRST:STOP with "
                "0 ≤ FIRST < STOP"
            )

    def __contains__(self, frame_index: int) -> bool:
        return self.first <= frame_index < self.stop


@dataclass(frozen=True, slots=True)
class Plan:
    """One propagation.

    Attributes
    ----------
    frames
        Frames that may be written.
    locks
        Frames of an object (by id) that are never rewritten, and whose pixels no other
        object takes.
    key
        Hash of everything that decides the result; a run resumes onto an equal key.
        Empty: the run is never resumed, and takes no snapshots.
    only
        Frames of an object (by id) that may be written: a repair. None for all; an
        object that is not in it is not tracked.
    start
        Frame that the directions `NEXT_ANCHOR` and `ONE_FRAME` are about.
    """

    frames: FrameRange
    direction: Direction = Direction.BOTH
    merge: MergePolicy = MergePolicy.KEEP
    locks: Mapping[int, FrameSet] = field(default_factory=dict)
    key: str = ""
    only: Mapping[int, FrameSet] | None = None
    start: int | None = None

    def __post_init__(self) -> None:
        if self.direction in AROUND_A_FRAME and self.start is None:
            raise InputError(
                f"direction {self.direction} needs a frame to start on, which only the "
                "window has: choose both, forward or backward",
                settings=("direction",),
            )

    @property
    def is_whole(self) -> bool:
        """Whether the masklets are complete when the plan is done: it is no repair."""
        return self.only is None and self.direction not in AROUND_A_FRAME


@dataclass(frozen=True, slots=True)
class ObjectLife:
    """One object in time.

    Attributes
    ----------
    anchors
        Frames on which a person prompted the object, ascending, at least one.
    first, last
        Frames between which the object can exist: a daughter begins on her first
        anchor, a mother ends before her first daughter does.
    """

    object_id: int
    anchors: tuple[int, ...]
    first: int
    last: int


def object_lives(
    objects: Sequence[PromptedObject], frame_count: int
) -> list[ObjectLife]:
    """Return when each object can exist; objects without prompts are left out.

    Raises
    ------
    InputError
        If a mother is prompted on or after the frame on which a daughter begins.
    """
    followed = [state for state in objects if state.prompts]
    births = {
        state.object_id: state.prompts[0].frame_index
        for state in followed
        if state.parent is not None
    }
    ends: dict[int, int] = {}
    for state in followed:
        if state.parent is not None:
            end = births[state.object_id] - 1
            ends[state.parent] = min(end, ends.get(state.parent, end))
    for state in followed:
        last_prompt = state.prompts[-1].frame_index
        last = ends.get(state.object_id, last_prompt)
        if last_prompt > last:
            raise InputError(
                f"object {state.object_id} is prompted on frame {last_prompt}, but a "
                f"daughter of it begins on frame {last + 1}: a division ends the "
                "mother; move one of the prompts, or leave out the parent"
            )
    return [
        ObjectLife(
            state.object_id,
            tuple(prompt.frame_index for prompt in state.prompts),
            births.get(state.object_id, 0),
            ends.get(state.object_id, frame_count - 1),
        )
        for state in followed
    ]


@dataclass(frozen=True, slots=True)
class Gap:
    """Frames between two neighbouring anchors of an object, or beyond its outer ones.

    Attributes
    ----------
    left, right
        The anchors that bound it; None before the first anchor or after the last.
    first, last
        Its own first and last frame; the anchors do not belong to it.
    """

    left: int | None
    right: int | None
    first: int
    last: int

    @property
    def frames(self) -> FrameSet:
        """The frames of the gap."""
        return FrameSet.between(self.first, self.last)

    @property
    def runs_backward(self) -> bool:
        """Whether it is tracked backward: only the one before the first anchor is."""
        return self.left is None

    @property
    def bounds(self) -> tuple[int, ...]:
        """The anchors that bound it, ascending."""
        return tuple(anchor for anchor in (self.left, self.right) if anchor is not None)


def gaps(life: ObjectLife) -> tuple[Gap, ...]:
    """Return the gaps of an object that hold any frame, ascending."""
    anchors = life.anchors
    found = [
        Gap(None, anchors[0], life.first, anchors[0] - 1),
        *(Gap(left, right, left + 1, right - 1) for left, right in pairwise(anchors)),
        Gap(anchors[-1], None, anchors[-1] + 1, life.last),
    ]
    return tuple(gap for gap in found if gap.first <= gap.last)


def bounding_anchors(life: ObjectLife, frames: FrameSet) -> tuple[int, ...]:
    """Return the anchors needed to track some frames, ascending.

    Those that bound a gap of which any frame is wanted, and those among the frames.
    """
    needed = {anchor for anchor in life.anchors if anchor in frames}
    for gap in gaps(life):
        if frames & gap.frames:
            needed.update(gap.bounds)
    return tuple(sorted(needed))


def check_beginnings(objects: Iterable[PromptedObject]) -> None:
    """Refuse objects that begin with negative clicks: these do not say what it is.

    Later ones are corrections of what was tracked so far.

    Raises
    ------
    InputError
        Naming the first such object.
    """
    for prompted in objects:
        if prompted.shown and prompted.shown[0].only_refuses:
            raise refused_alone(prompted.shown[0])


def refused_alone(prompt: FramePrompt) -> InputError:
    """Return the error for a prompt that only says where its object is not."""
    return InputError(
        f"object {prompt.object_id}, frame {prompt.frame_index}: there are only "
        "negative clicks, which do not say which object is meant: add a positive one"
    )
