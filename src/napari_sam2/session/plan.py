"""What is to be tracked: range, direction, locks, and the sweeps that follow from them.

An *anchor* is a frame on which a person prompted an object. Each gap between two
neighbouring anchors is tracked by itself, so that the result is a function of the
anchors and not of the order of clicks. A *sweep* is one walk through the movie in
which all objects take their gaps in step; it is pure arithmetic on frame numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from napari_sam2.errors import InputError
from napari_sam2.prompts import PromptedObject

COMMIT_INTERVAL = 25
"""Frames between two commits: a resumed run computes at most so many again."""


class Direction(StrEnum):
    """Where to track from an object's anchors."""

    BOTH = "both"
    FORWARD = "forward"
    BACKWARD = "backward"


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
    direction
        Where to track from the anchors.
    merge
        What happens to labels that the tracker does not own.
    locks
        Frames of an object (by id) that are never rewritten.
    key
        Hash of everything that decides the result; a run resumes onto an equal key.
    """

    frames: FrameRange
    direction: Direction = Direction.BOTH
    merge: MergePolicy = MergePolicy.KEEP
    locks: Mapping[int, frozenset[int]] = field(default_factory=dict)
    key: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """One object in time.

    Attributes
    ----------
    object_id
        Label value.
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


def timelines(objects: Sequence[PromptedObject], frame_count: int) -> list[Timeline]:
    """Return when each object can exist; objects without prompts are left out.

    Raises
    ------
    InputError
        If a mother is prompted on or after the frame on which a daughter begins.
    """
    prompted = [thing for thing in objects if thing.prompts]
    births = {
        thing.object_id: thing.prompts[0].frame_index
        for thing in prompted
        if thing.parent is not None
    }
    ends: dict[int, int] = {}
    for thing in prompted:
        if thing.parent is not None:
            end = births[thing.object_id] - 1
            ends[thing.parent] = min(end, ends.get(thing.parent, end))
    for thing in prompted:
        last_prompt = thing.prompts[-1].frame_index
        last = ends.get(thing.object_id, last_prompt)
        if last_prompt > last:
            raise InputError(
                f"object {thing.object_id} is prompted on frame {last_prompt}, but a "
                f"daughter of it begins on frame {last + 1}: a division ends the "
                "mother; move one of the prompts, or leave out the parent"
            )
    return [
        Timeline(
            thing.object_id,
            tuple(prompt.frame_index for prompt in thing.prompts),
            births.get(thing.object_id, 0),
            ends.get(thing.object_id, frame_count - 1),
        )
        for thing in prompted
    ]


@dataclass(frozen=True, slots=True)
class Sweep:
    """One walk through the movie.

    Attributes
    ----------
    frames
        Frames in the order of the walk.
    reverse
        True when it walks backward.
    spans
        By object: first and last frame of its walk, in walking order.
    """

    frames: range
    reverse: bool
    spans: Mapping[int, tuple[int, int]]

    def objects_at(self, frame_index: int) -> tuple[int, ...]:
        """Return the objects that the sweep tracks or replays on a frame, by id."""
        sign = -1 if self.reverse else 1
        return tuple(
            object_id
            for object_id, (begin, end) in sorted(self.spans.items())
            if sign * begin <= sign * frame_index <= sign * end
        )


def sweeps(objects: Sequence[Timeline], plan: Plan) -> list[Sweep]:
    """Return the sweeps of a plan, in the order in which they run.

    Forward: everything from an object's first anchor on. Backward: everything up to
    its last. Both: backward from before its first anchor, then forward from it, so
    that the gaps between anchors run forward. Only frames of the range are walked; an
    anchor outside of it still conditions them.
    """
    if plan.direction is Direction.FORWARD:
        planned = [_forward(objects, plan.frames)]
    elif plan.direction is Direction.BACKWARD:
        starts = {timeline.object_id: timeline.anchors[-1] for timeline in objects}
        planned = [_backward(objects, starts, plan.frames)]
    else:
        starts = {timeline.object_id: timeline.anchors[0] - 1 for timeline in objects}
        planned = [
            _backward(objects, starts, plan.frames),
            _forward(objects, plan.frames),
        ]
    return [sweep for sweep in planned if len(sweep.frames) > 0]


def _forward(objects: Sequence[Timeline], frames: FrameRange) -> Sweep:
    spans = {}
    for timeline in objects:
        begin = max(timeline.anchors[0], frames.first)
        end = min(timeline.last, frames.stop - 1)
        if begin <= end:
            spans[timeline.object_id] = (begin, end)
    begins = [begin for begin, _ in spans.values()]
    ends = [end for _, end in spans.values()]
    walk = range(min(begins), max(ends) + 1) if spans else range(0)
    return Sweep(walk, False, spans)


def _backward(
    objects: Sequence[Timeline], starts: Mapping[int, int], frames: FrameRange
) -> Sweep:
    spans = {}
    for timeline in objects:
        begin = min(starts[timeline.object_id], timeline.last, frames.stop - 1)
        end = max(timeline.first, frames.first)
        if begin >= end:
            spans[timeline.object_id] = (begin, end)
    begins = [begin for begin, _ in spans.values()]
    ends = [end for _, end in spans.values()]
    walk = range(max(begins), min(ends) - 1, -1) if spans else range(0)
    return Sweep(walk, True, spans)
