"""From prompts to anchors: which frames must be seen before anything is tracked.

A prompts file says what a person clicked, not what they saw. The first anchor of an
object is predicted without memory; a later click or box is a correction, predicted
with the memory of the frames tracked up to it; a mask needs no prediction. All objects
are resolved in one forward walk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from napari_sam2.prompts import FramePrompt, PromptedObject


@dataclass(frozen=True, slots=True)
class Resolution:
    """The walk that turns prompts into anchors.

    Attributes
    ----------
    frames
        Frames that must be read, ascending.
    prompts
        By frame: what was prompted there.
    followed
        By object: first and last frame on which it must be tracked to reach its last
        correction.
    """

    frames: tuple[int, ...]
    prompts: Mapping[int, tuple[FramePrompt, ...]]
    followed: Mapping[int, tuple[int, int]]

    def objects_at(self, frame_index: int) -> tuple[int, ...]:
        """Return the objects that must be tracked on a frame, by id."""
        return tuple(
            object_id
            for object_id, (first, last) in sorted(self.followed.items())
            if first <= frame_index <= last
        )

    def prompts_at(self, frame_index: int) -> tuple[FramePrompt, ...]:
        """Return what was prompted on a frame."""
        return self.prompts.get(frame_index, ())


def resolution(objects: Sequence[PromptedObject]) -> Resolution:
    """Plan the walk that resolves the prompts of all objects."""
    prompts: dict[int, list[FramePrompt]] = {}
    followed = {}
    for thing in sorted(objects, key=lambda thing: thing.object_id):
        for prompt in thing.prompts:
            prompts.setdefault(prompt.frame_index, []).append(prompt)
        corrections = [p.frame_index for p in thing.prompts[1:] if p.mask is None]
        if corrections:
            followed[thing.object_id] = (
                thing.prompts[0].frame_index + 1,
                corrections[-1],
            )
    frames = set(prompts)
    for first, last in followed.values():
        frames.update(range(first, last + 1))
    by_frame = {frame: tuple(items) for frame, items in prompts.items()}
    return Resolution(tuple(sorted(frames)), by_frame, followed)
