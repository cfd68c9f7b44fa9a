"""Walks through the movie, from plans and lives: arithmetic on frame numbers.

A *leg* is what one object is tracked through at a stretch: an anchor and the gap that
follows it. A *walk* is one way through the movie on which all objects
take their legs in step; a `WalkStep` of the session is one frame of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from napari_sam2.session.planning.frame_set import NO_FRAMES, FrameSet
from napari_sam2.session.planning.plan import Direction, FrameRange, ObjectLife, Plan

Leg = tuple[int, int]
"""First and last frame in walking order."""


@dataclass(frozen=True, slots=True)
class Walk:
    """One way through the movie.

    Attributes
    ----------
    frames
        Frames in the order of the walk; those that nobody needs are left out.
    legs
        By object: its legs, in walking order. Each begins with empty recent memory.
    written
        By object: frames that are written; others are walked to reach these.
    """

    frames: tuple[int, ...]
    reverse: bool
    legs: Mapping[int, tuple[Leg, ...]]
    written: Mapping[int, FrameSet]

    def objects_at(self, frame_index: int) -> tuple[int, ...]:
        """Return the objects that the walk tracks or replays on a frame, by id."""
        return tuple(
            object_id
            for object_id in sorted(self.legs)
            if self._begin(object_id, frame_index) is not None
        )

    def beginning_at(self, frame_index: int) -> tuple[int, ...]:
        """Return the objects of which a leg begins on a frame, by id."""
        return tuple(
            object_id
            for object_id in sorted(self.legs)
            if self._begin(object_id, frame_index) == frame_index
        )

    def written_at(self, frame_index: int) -> tuple[int, ...]:
        """Return the objects whose masks on a frame are written, by id."""
        return tuple(
            object_id
            for object_id in self.objects_at(frame_index)
            if frame_index in self.written[object_id]
        )

    def _begin(self, object_id: int, frame_index: int) -> int | None:
        """Return where the leg of an object begins that passes a frame."""
        way, legs = -1 if self.reverse else 1, self.legs[object_id]
        number = bisect_right(legs, way * frame_index, key=lambda leg: way * leg[0])
        begin, end = legs[number - 1] if number else (0, 0)
        return begin if number and way * frame_index <= way * end else None


def walks(objects: Sequence[ObjectLife], plan: Plan) -> list[Walk]:
    """Return the walks of a plan, in the order in which they run.

    Forward: everything from an object's first anchor on. Backward: everything up to
    its last. All others: backward before its first anchor, then forward from it, so
    that the gaps between anchors run forward. Only frames of the range are walked; an
    anchor outside of it still conditions them. A frame is reached from the anchor of
    its gap, so that it comes out the same whatever else is asked for.
    """
    written = {life.object_id: asked_frames(life, plan) for life in objects}
    backward: dict[int, tuple[Leg, ...]] = {}
    forward: dict[int, tuple[Leg, ...]] = {}
    for life in objects:
        object_id = life.object_id
        before, after = _legs(life, plan.direction)
        asked = written[object_id]
        backward[object_id] = _walked_legs(before, life, asked, plan.frames)
        forward[object_id] = _walked_legs(after, life, asked, plan.frames)
    planned = [_walk(backward, written, True), _walk(forward, written, False)]
    return [walk for walk in planned if walk.frames]


def asked_frames(life: ObjectLife, plan: Plan) -> FrameSet:
    """Return the frames of an object that a plan may write."""
    asked = FrameSet.between(life.first, life.last)
    asked &= FrameSet.between(plan.frames.first, plan.frames.stop - 1)
    if plan.only is not None:
        asked &= plan.only.get(life.object_id, NO_FRAMES)
    if plan.direction is Direction.ONE_FRAME and plan.start is not None:
        asked &= FrameSet.between(plan.start, plan.start)
    if plan.direction is Direction.NEXT_ANCHOR and plan.start is not None:
        asked &= _leg_around(life, plan.start)
    return asked - plan.locks.get(life.object_id, NO_FRAMES)


def walked_frames(walks: Sequence[Walk], object_id: int) -> FrameSet:
    """Return the frames on which walks track or replay an object."""
    return _frames(leg for walk in walks for leg in walk.legs.get(object_id, ()))


def _legs(life: ObjectLife, way: Direction) -> tuple[list[Leg], list[Leg]]:
    """Return the legs walked backward and forward, in walking order.

    A leg is an anchor with the gap behind it; the one before the first anchor, when
    the others run forward, is the gap alone.
    """
    anchors = life.anchors
    if way is Direction.BACKWARD:
        ends = (life.first, *(anchor + 1 for anchor in anchors[:-1]))
        return list(zip(anchors, ends, strict=True))[::-1], []
    ends = (*(anchor - 1 for anchor in anchors[1:]), life.last)
    after = list(zip(anchors, ends, strict=True))
    has_before = life.first < anchors[0] and way is not Direction.FORWARD
    return [(anchors[0] - 1, life.first)] if has_before else [], after


def _leg_around(life: ObjectLife, frame_index: int) -> FrameSet:
    """Return the leg that a frame lies in."""
    before, after = _legs(life, Direction.BOTH)
    legs = [FrameSet.between(min(leg), max(leg)) for leg in (*before, *after)]
    return next((frames for frames in legs if frame_index in frames), NO_FRAMES)


def _walked_legs(
    legs: Sequence[Leg], life: ObjectLife, asked: FrameSet, frames: FrameRange
) -> tuple[Leg, ...]:
    """Return which part of each leg must be walked to reach what is asked for.

    Of an anchor that is not asked for nothing is computed: its mask is known.
    """
    walked, anchors = [], frozenset(life.anchors)
    for begin, end in legs:
        first = max(min(begin, end), frames.first)
        last = min(max(begin, end), frames.stop - 1)
        wanted = FrameSet.between(first, last) & asked
        if not wanted:
            continue
        start, stop = first, wanted.runs[-1][1] - 1
        if begin > end:
            start, stop = last, wanted.runs[0][0]
        if start in anchors and start not in wanted:
            start += 1 if stop > start else -1
        walked.append((start, stop))
    return tuple(walked)


def _walk(
    legs: Mapping[int, tuple[Leg, ...]], written: Mapping[int, FrameSet], reverse: bool
) -> Walk:
    walking = {object_id: parts for object_id, parts in legs.items() if parts}
    frames = tuple(_frames(part for parts in walking.values() for part in parts))
    return Walk(frames[::-1] if reverse else frames, reverse, walking, written)


def _frames(legs: Iterable[Leg]) -> FrameSet:
    return FrameSet.union(FrameSet.between(min(leg), max(leg)) for leg in legs)
