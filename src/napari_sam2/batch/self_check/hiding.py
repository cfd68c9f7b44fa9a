"""What a person vouches for in masklets, and what of it is hidden in which round.

A frame on which somebody prompted an object, and a frame that was locked or reviewed,
holds a trusted mask. In a round each object is without one of its prompted frames, and
is tracked to it from those that bound the gap. An object that was prompted once is
tracked to frames that were only locked or reviewed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.training.tracked_movie import tracked_frames
from napari_sam2.prompts import FramePrompt, MaskPrompt, PromptedObject
from napari_sam2.session.book.state import ObjectState
from napari_sam2.session.planning.frame_set import NO_FRAMES, FrameSet

Item = TypeVar("Item")

MOST_OBJECTS = 48
"""So many are measured: their masks are in memory, and a frame costs time for each."""
MOST_HIDDEN = 5
"""Frames of an object that are hidden, unless more are asked for."""
REACH = 60
"""Frames from the prompt to a locked or reviewed one that is tracked to, at most."""
FEWEST_HIDDEN = 2
"""Frames, of all objects together, of which something can be said."""


@dataclass(frozen=True, slots=True)
class TrustedObject:
    """On which frames an object's mask is right.

    Attributes
    ----------
    shown, absent
        Prompted frames, ascending, on which it is to be seen, and on which it is not.
    accepted
        Other frames that were locked or reviewed.
    is_daughter
        Whether it begins with its first prompt, which therefore is never hidden.
    """

    object_id: int
    shown: tuple[int, ...]
    absent: tuple[int, ...] = ()
    accepted: FrameSet = NO_FRAMES
    is_daughter: bool = False


@dataclass(slots=True)
class Round:
    """One way through the movie.

    Attributes
    ----------
    given
        By object: frames whose masks it is tracked from.
    hidden
        By object: frames that it is tracked to.
    """

    given: dict[int, tuple[int, ...]] = field(default_factory=dict)
    hidden: dict[int, FrameSet] = field(default_factory=dict)

    def objects(
        self, read_labels: Callable[[int], np.ndarray]
    ) -> tuple[PromptedObject, ...]:
        """Return the objects, prompted with their masks on the given frames."""
        prompts: dict[int, list[FramePrompt]] = {one: [] for one in sorted(self.given)}
        for frame in sorted({at for frames in self.given.values() for at in frames}):
            labels = read_labels(frame)
            for one, frames in self.given.items():
                if frame in frames:
                    mask = MaskPrompt(labels == one)
                    prompts[one].append(FramePrompt(one, frame, mask=mask))
        return tuple(PromptedObject(one, tuple(said)) for one, said in prompts.items())


def trusted_objects(store: OmeZarrLabelStore) -> list[TrustedObject]:
    """Return what the session of masklets vouches for, by object id."""
    tracked = tracked_frames(store)
    area = store.read_score_table("area")
    columns = {one: column for column, one in enumerate(store.object_ids)}
    found = []
    for state in store.read_session().book.objects:
        if state.object_id in columns:
            seen = area[:, columns[state.object_id]] > 0
            found.append(_trusted(state, tracked[state.object_id] - state.stale, seen))
    return found


def _trusted(state: ObjectState, known: FrameSet, seen: np.ndarray) -> TrustedObject:
    prompted = [prompt for prompt in state.prompts if prompt.frame_index in known]
    shown = tuple(one.frame_index for one in prompted if seen[one.frame_index])
    absent = tuple(one.frame_index for one in prompted if one.is_absence)
    accepted = (state.locked | state.reviewed) & known
    return TrustedObject(
        state.object_id,
        shown,
        absent,
        accepted - FrameSet.of(state.anchors),
        is_daughter=state.parent is not None,
    )


def rounds_of(objects: Iterable[TrustedObject], most: int = MOST_HIDDEN) -> list[Round]:
    """Return what is hidden in which round.

    Parameters
    ----------
    most
        Hide at most so many frames of an object, spread over the movie.

    Raises
    ------
    InputError
        If fewer than `FEWEST_HIDDEN` frames can be hidden.
    """
    able = [(one, hides) for one in objects if (hides := _hidings(one, most))]
    rounds: list[Round] = []
    for trusted, hides in spread(able, MOST_OBJECTS):
        for number, (given, hidden) in enumerate(hides):
            if number == len(rounds):
                rounds.append(Round())
            rounds[number].given[trusted.object_id] = given
            rounds[number].hidden[trusted.object_id] = hidden
    count = sum(len(frames) for one in rounds for frames in one.hidden.values())
    if count < FEWEST_HIDDEN:
        raise InputError(
            f"{count or 'no'} trusted {'mask' if count == 1 else 'masks'} can be "
            "hidden and found again: correct at least two frames of an object that was "
            "tracked from another one, or lock or review masks that are right; then "
            "check again"
        )
    return rounds


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most so many items, evenly from everywhere."""
    if len(items) <= most:
        return list(items)
    places = np.linspace(0, len(items) - 1, most).round().astype(int)
    return [items[place] for place in places]


def _hidings(one: TrustedObject, most: int) -> list[tuple[tuple[int, ...], FrameSet]]:
    """Return, for each round of an object, the given and the hidden frames."""
    anchors = sorted((*one.shown, *one.absent))
    beginning = one.shown[:1] or tuple(one.accepted)[:1]
    able = anchors[1:] if one.is_daughter else anchors
    able = [frame for frame in able if set(one.shown) - {frame}]
    if able:
        return [
            (_bounds(one, frame), FrameSet.of([frame])) for frame in spread(able, most)
        ]
    near = [
        frame
        for begin in beginning
        for frame in one.accepted
        if 0 < abs(frame - begin) <= REACH
    ]
    return [(beginning, FrameSet.of(spread(near, most)))] if near else []


def _bounds(one: TrustedObject, frame: int) -> tuple[int, ...]:
    """Return the anchors around a hidden one, one at least that shows the object."""
    left = [at for at in (*one.shown, *one.absent) if at != frame]
    before = [at for at in left if at < frame]
    after = [at for at in left if at > frame]
    nearest = min(set(one.shown) - {frame}, key=lambda at: abs(at - frame))
    bounds = {nearest} | set([max(before)] if before else [])
    return tuple(sorted(bounds | set([min(after)] if after else [])))
