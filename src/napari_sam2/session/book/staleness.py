"""Which masks no longer follow from the anchors after an edit of the book.

Nothing here knows which edit it was: the gaps before and after are compared. A gap
that is bounded by the same prompts as before keeps its masks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from napari_sam2.prompts import FramePrompt
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.planning.frame_set import NO_FRAMES, FrameSet
from napari_sam2.session.planning.gaps import Gap, gaps
from napari_sam2.session.planning.plan import ObjectLife, object_lives


def is_same_prompt(one: FramePrompt | None, other: FramePrompt | None) -> bool:
    """Tell whether two prompts say the same."""
    if one is None or other is None or one is other:
        return one is other
    if (one.object_id, one.frame_index) != (other.object_id, other.frame_index):
        return False
    if (one.points, one.box) != (other.points, other.box):
        return False
    if one.mask is None or other.mask is None:
        return one.mask is other.mask
    return np.array_equal(one.mask.mask, other.mask.mask)


def lives(state: BookState, frame_count: int) -> Mapping[int, ObjectLife]:
    """Return the lives of all objects that have prompts, by id.

    Raises
    ------
    InputError
        If a mother is prompted on or after the frame on which a daughter begins.
    """
    objects = [thing.as_prompted() for thing in state.objects]
    return {life.object_id: life for life in object_lives(objects, frame_count)}


def with_stale_frames(
    before: BookState, after: BookState, frame_count: int
) -> BookState:
    """Return ``after`` with the frames marked that the edit made stale.

    Raises
    ------
    InputError
        If a mother is prompted on or after the frame on which a daughter begins.
    """
    old_lives, new_lives = lives(before, frame_count), lives(after, frame_count)
    old_objects = {thing.object_id: thing for thing in before.objects}
    marked = []
    for thing in after.objects:
        object_id = thing.object_id
        old = old_objects.get(object_id)
        old_life, life = old_lives.get(object_id), new_lives.get(object_id)
        if thing is not old or life != old_life:
            marked.append(_marked(thing, life, old, old_life))
    return after.with_objects(marked)


def vanished(
    before: BookState, after: BookState, frame_count: int
) -> Mapping[int, FrameSet]:
    """Return the frames on which objects can no longer exist, by id.

    A mother's after a division was said to end her, a daughter's before her birth, all
    of an object that was removed or whose last prompt was taken back; not its locked
    ones, while it is there. Their masks are to be cleared; no tracking does it.
    """
    old_lives, new_lives = lives(before, frame_count), lives(after, frame_count)
    everywhere = FrameSet.between(0, frame_count - 1)
    removed = {one.object_id for one in before.objects} - {
        one.object_id for one in after.objects
    }
    found = dict.fromkeys(sorted(removed), everywhere)
    for thing in after.objects:
        old = _living(old_lives.get(thing.object_id))
        gone = old - _living(new_lives.get(thing.object_id)) - thing.locked
        if gone:
            found[thing.object_id] = gone
    return found


def _marked(
    thing: ObjectState,
    life: ObjectLife | None,
    old: ObjectState | None,
    old_life: ObjectLife | None,
) -> ObjectState:
    pending = NO_FRAMES
    if life is not None:
        pending = _changed_frames(thing, life, old, old_life)
        if old is not None:
            pending |= old.stale | old.waiting
        pending = (pending & _living(life)) - FrameSet.of(life.anchors)
    stale, waiting = pending - thing.locked, pending & thing.locked
    return replace(thing, stale=stale, waiting=waiting)


def _changed_frames(
    thing: ObjectState,
    life: ObjectLife,
    old: ObjectState | None,
    old_life: ObjectLife | None,
) -> FrameSet:
    """Return the frames of gaps that are bounded by other prompts than before."""
    known: dict[tuple[int, ...], Gap] = {}
    if old is not None and old_life is not None:
        known = {(gap.runs_backward, *gap.bounds): gap for gap in gaps(old_life)}
    changed = NO_FRAMES
    for gap in gaps(life):
        twin = known.get((gap.runs_backward, *gap.bounds))
        is_kept = twin is not None and all(
            is_same_prompt(
                thing.prompt_at(bound), old.prompt_at(bound) if old else None
            )
            for bound in gap.bounds
        )
        changed |= gap.frames - twin.frames if twin and is_kept else gap.frames
    return changed


def _living(life: ObjectLife | None) -> FrameSet:
    return NO_FRAMES if life is None else FrameSet.between(life.first, life.last)
