"""Walks through the movie, from plans and lives: arithmetic on frame numbers.

A *leg* is what one object is tracked through at a stretch: an anchor and the gap that
follows it. A *sweep* is one walk in which all objects take their legs in step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from napari_sam2.session.planning.frame_set import NO_FRAMES, FrameSet
from napari_sam2.session.planning.plan import Direction, FrameRange, ObjectLife, Plan

Span = tuple[int, int]
"""First and last frame in walking order."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One walk through the movie.

    Attributes
    ----------
    frames
        Frames in the order of the walk; those that nobody needs are left out.
    reverse
        True when it walks backward.
    spans
        By object: its walks, in walking order. Each begins with empty recent memory.
    written
        By object: frames that are written; others are walked to reach these.
    """

    frames: tuple[int, ...]
    reverse: bool
    spans: Mapping[int, tuple[Span, ...]]
    written: Mapping[int, FrameSet]

    def objects_at(self, frame_index: int) -> tuple[int, ...]:
        """Return the objects that the sweep tracks or replays on a frame, by id."""
        return tuple(
            object_id
            for object_id, spans in sorted(self.spans.items())
            if any(min(span) <= frame_index <= max(span) for span in spans)
        )

    def beginning_at(self, frame_index: int) -> tuple[int, ...]:
        """Return the objects of which a walk begins on a frame, by id."""
        return tuple(
            object_id
            for object_id, spans in sorted(self.spans.items())
            if any(begin == frame_index for begin, _ in spans)
        )

    def written_at(self, frame_index: int) -> tuple[int, ...]:
        """Return the objects whose masks on a frame are written, by id."""
        return tuple(
            object_id
            for object_id in self.objects_at(frame_index)
            if frame_index in self.written[object_id]
        )


def sweeps(objects: Sequence[ObjectLife], plan: Plan) -> list[Sweep]:
    """Return the sweeps of a plan, in the order in which they run.

    Forward: everything from an object's first anchor on. Backward: everything up to
    its last. All others: backward before its first anchor, then forward from it, so
    that the gaps between anchors run forward. Only frames of the range are walked; an
    anchor outside of it still conditions them. A frame is reached from the anchor of
    its gap, so that it comes out the same whatever else is asked for.
    """
    written = {one.object_id: asked_frames(one, plan) for one in objects}
    backward: dict[int, tuple[Span, ...]] = {}
    forward: dict[int, tuple[Span, ...]] = {}
    for life in objects:
        object_id = life.object_id
        before, after = _legs(life, plan.direction)
        asked = written[object_id]
        backward[object_id] = _spans(before, life, asked, plan.frames)
        forward[object_id] = _spans(after, life, asked, plan.frames)
    planned = [_sweep(backward, written, True), _sweep(forward, written, False)]
    return [sweep for sweep in planned if sweep.frames]


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


def walked_frames(walks: Sequence[Sweep], object_id: int) -> FrameSet:
    """Return the frames on which sweeps track or replay an object."""
    return _frames(span for walk in walks for span in walk.spans.get(object_id, ()))


def _legs(life: ObjectLife, way: Direction) -> tuple[list[Span], list[Span]]:
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
    spans = [FrameSet.between(min(leg), max(leg)) for leg in (*before, *after)]
    return next((frames for frames in spans if frame_index in frames), NO_FRAMES)


def _spans(
    legs: Sequence[Span], life: ObjectLife, asked: FrameSet, frames: FrameRange
) -> tuple[Span, ...]:
    """Return which part of each leg must be walked to reach what is asked for.

    Of an anchor that is not asked for nothing is computed: its mask is known.
    """
    spans = []
    for begin, end in legs:
        first = max(min(begin, end), frames.first)
        last = min(max(begin, end), frames.stop - 1)
        wanted = FrameSet.between(first, last) & asked
        if not wanted:
            continue
        start, stop = first, wanted.runs[-1][1] - 1
        if begin > end:
            start, stop = last, wanted.runs[0][0]
        if start in life.anchors and start not in wanted:
            start += 1 if stop > start else -1
        spans.append((start, stop))
    return tuple(spans)


def _sweep(
    spans: Mapping[int, tuple[Span, ...]],
    written: Mapping[int, FrameSet],
    reverse: bool,
) -> Sweep:
    walking = {object_id: parts for object_id, parts in spans.items() if parts}
    frames = tuple(_frames(part for parts in walking.values() for part in parts))
    return Sweep(frames[::-1] if reverse else frames, reverse, walking, written)


def _frames(spans: Iterable[Span]) -> FrameSet:
    return FrameSet.union(FrameSet.between(min(it), max(it)) for it in spans)
