"""From prompts to anchors: which frames must be seen before anything is tracked.

A prompts file says what a person clicked, not what they saw. The first anchor of an
object is predicted without memory; a later click or box is a correction, predicted
with the memory of the frames tracked up to it; a mask needs no prediction. What a
person saw is replayed where it was stored. All objects are resolved in one forward
walk, in which each anchor knows the earlier ones alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam2.interfaces import StoredAnchor
from napari_sam2.prompts import FramePrompt, Place, PromptedObject

if TYPE_CHECKING:
    import numpy as np

    from napari_sam2.tracking.predictor import StreamingPredictor


@dataclass(frozen=True, slots=True)
class Resolution:
    """The walk that turns prompts into anchors.

    Attributes
    ----------
    frames
        Frames that must be read, ascending.
    prompts
        By frame: what was prompted there and must be predicted.
    replayed
        By frame: objects whose stored anchor there is replayed.
    followed
        By object: first and last frame of each leg from an anchor to the correction
        that comes next.
    """

    frames: tuple[int, ...]
    prompts: Mapping[int, tuple[FramePrompt, ...]]
    replayed: Mapping[int, tuple[int, ...]]
    followed: Mapping[int, tuple[tuple[int, int], ...]]

    def objects_at(self, frame_index: int) -> tuple[int, ...]:
        """Return the objects that must be tracked on a frame, by id."""
        return tuple(
            object_id
            for object_id, legs in sorted(self.followed.items())
            if _is_between(legs, frame_index)
        )

    def prompts_at(self, frame_index: int) -> tuple[FramePrompt, ...]:
        """Return what must be predicted on a frame."""
        return self.prompts.get(frame_index, ())

    def replayed_at(self, frame_index: int) -> tuple[int, ...]:
        """Return the objects whose stored anchor on a frame is replayed, by id."""
        return self.replayed.get(frame_index, ())


def resolution(
    objects: Sequence[PromptedObject],
    needed: Mapping[int, Collection[int]] | None = None,
    stored: Collection[Place] = (),
) -> Resolution:
    """Plan the walk that makes anchors of prompts.

    Parameters
    ----------
    needed
        By object: frames of the anchors that something will be tracked from; None
        for all.
    stored
        Anchors that need not be predicted.
    """
    prompts: dict[int, list[FramePrompt]] = {}
    replayed: dict[int, list[int]] = {}
    followed = {}
    frames = set()
    for state in sorted(objects, key=lambda state: state.object_id):
        object_id = state.object_id
        wanted = None if needed is None else needed.get(object_id, ())
        chosen, legs = _chosen(state, wanted, stored)
        for prompt in chosen:
            frame_index = prompt.frame_index
            frames.add(frame_index)
            if (object_id, frame_index) in stored:
                replayed.setdefault(frame_index, []).append(object_id)
            else:
                prompts.setdefault(frame_index, []).append(prompt)
        if legs:
            followed[object_id] = tuple(legs)
        for first, last in legs:
            frames.update(range(first, last + 1))
    return Resolution(
        tuple(sorted(frames)),
        {frame: tuple(items) for frame, items in prompts.items()},
        {frame: tuple(items) for frame, items in replayed.items()},
        followed,
    )


def _chosen(
    state: PromptedObject, wanted: Collection[int] | None, stored: Collection[Place]
) -> tuple[list[FramePrompt], list[tuple[int, int]]]:
    """Return the prompts of an object to make anchors of, and the legs between them.

    A correction needs the anchor before it, and so on back to one that needs none.
    """
    chosen: list[FramePrompt] = []
    legs: list[tuple[int, int]] = []
    is_needed = False
    for number in reversed(range(len(state.prompts))):
        prompt = state.prompts[number]
        frame_index = prompt.frame_index
        if not (is_needed or wanted is None or frame_index in wanted):
            continue
        chosen.append(prompt)
        is_known = (state.object_id, frame_index) in stored
        is_needed = not is_known and prompt.mask is None and number > 0
        if is_needed:
            legs.append((state.prompts[number - 1].frame_index + 1, frame_index))
    return chosen[::-1], legs[::-1]


def _is_between(legs: Sequence[tuple[int, int]], frame_index: int) -> bool:
    """Whether a frame lies in one of some legs, which are ascending."""
    number = bisect_right(legs, frame_index, key=lambda leg: leg[0])
    return number > 0 and frame_index <= legs[number - 1][1]


def make_anchors(
    predictor: StreamingPredictor,
    walk: Resolution,
    frame_index: int,
    frame: np.ndarray,
    stored: Mapping[Place, StoredAnchor],
) -> tuple[StoredAnchor, ...]:
    """Take one step of the walk; return the anchors that are new.

    Objects are followed up to their corrections. What follows an anchor remembers
    nothing that was before it.
    """
    followed = walk.objects_at(frame_index)
    if followed:
        predictor.step(frame_index, frame, objects=followed)
    prompts, replayed = walk.prompts_at(frame_index), walk.replayed_at(frame_index)
    new: tuple[StoredAnchor, ...] = ()
    if prompts:
        new = predictor.step(frame_index, frame, prompts, objects=()).anchors
    if replayed:
        known = [stored[object_id, frame_index] for object_id in replayed]
        predictor.replay(frame_index, frame, *known)
    standing = (*(anchor.object_id for anchor in new), *replayed)
    if standing:
        predictor.forget_recent(standing)
    return new
