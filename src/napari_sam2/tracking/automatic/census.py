"""Who was found in a movie: objects, their prompts and families, as they change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from napari_sam2.prompts import FramePrompt, MaskPrompt, PromptedObject


@dataclass(frozen=True, slots=True)
class Division:
    """A division that was seen.

    Attributes
    ----------
    mother, daughters
        Ids. Where the division was only proposed, the mother goes on as the first; the
        second is unknown (0) where she is followed as both.
    frame_index
        First frame of the daughters.
    places
        ``(y, x)`` of both there, of a proposal whose second daughter is unknown.
    """

    mother: int
    daughters: tuple[int, int]
    frame_index: int
    places: tuple[tuple[float, float], tuple[float, float]] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Discovered:
    """What a movie holds.

    Attributes
    ----------
    objects
        With masks as prompts, on the frames on which they were found.
    divisions
        Those seen; with `Divisions.ACCEPT` the daughters name their mother.
    """

    objects: list[PromptedObject]
    divisions: list[Division]


@dataclass(slots=True)
class Found:
    """One object so far.

    Attributes
    ----------
    masks
        ``(Y, X)`` bool by frame: what it is prompted with; an empty one says that it is
        not there.
    parent
        Its mother.
    frames_seen
        On how many frames it was tracked.
    """

    masks: dict[int, np.ndarray] = field(default_factory=dict)
    parent: int | None = None
    frames_seen: int = 0


class Census:
    """The objects of a movie and its divisions, by ids that are never used again."""

    def __init__(self) -> None:
        self.objects: dict[int, Found] = {}
        self.divisions: list[Division] = []
        self._last_id = 0

    @property
    def mothers(self) -> set[int]:
        """Who is known to divide."""
        return {one.mother for one in self.divisions}

    def add(self, frame_index: int, mask: np.ndarray, parent: int | None = None) -> int:
        """Note a new object with its mask on a frame; return its id."""
        self._last_id += 1
        self.objects[self._last_id] = Found({frame_index: mask}, parent)
        return self._last_id

    def join(self, object_id: int, known_id: int) -> None:
        """Take an object for one that is known: its masks are that one's."""
        found = self.objects.pop(object_id)
        known = self.objects[known_id]
        known.masks.update(found.masks)
        known.frames_seen += found.frames_seen

    def split(self, mother: int, birth: int, mask: np.ndarray) -> int:
        """End an object before a frame; what it is from there on has the id returned.

        Parameters
        ----------
        mother
            Whom it was.
        birth
            First frame of the daughters.
        mask
            ``(Y, X)`` bool, what it is on that frame.
        """
        sister = self.add(birth, mask, mother)
        known, later = self.objects[mother], self.objects[sister]
        for frame_index in [one for one in known.masks if one >= birth]:
            later.masks[frame_index] = known.masks.pop(frame_index)
        later.masks[birth] = mask
        return sister

    def propose(self, division: Division, near: int) -> None:
        """Note a proposal; one with an unknown daughter, so many frames off, is it."""
        self.divisions = [
            one
            for one in self.divisions
            if one.mother != division.mother
            or one.daughters[1]
            or abs(one.frame_index - division.frame_index) > near
        ]
        self.divisions.append(division)

    def end(self, mother: int, birth: int) -> None:
        """End an object that was followed as both of its daughters before a frame."""
        masks = self.objects[mother].masks
        for frame_index in [one for one in masks if one >= birth]:
            del masks[frame_index]

    def lose(self, object_id: int, frame_index: int) -> None:
        """Say that an object is not there from a frame on; one never seen before goes.

        What it is prompted with from there on is forgotten.
        """
        self.end(object_id, frame_index)
        masks = self.objects[object_id].masks
        if masks:
            masks[frame_index] = np.zeros_like(next(iter(masks.values())))
        else:
            del self.objects[object_id]

    def lived_before(self, object_id: int, frame_index: int) -> bool:
        """Tell whether an object was seen by itself, and prompted, before a frame."""
        masks = self.objects[object_id].masks
        return any(one < frame_index and mask.any() for one, mask in masks.items())

    def drop_short(self, shortest: int, at_the_ends: Iterable[int]) -> None:
        """Drop objects that were seen on too few frames, unless the movie cuts them.

        A mother of whom a daughter is dropped did not divide: the other one is her.
        """
        kept = set(at_the_ends)
        families = {one.mother: one for one in self.divisions}
        for object_id, found in list(self.objects.items()):
            if object_id in kept or found.frames_seen >= shortest:
                continue
            if found.parent is not None and found.parent in families:
                division = families[found.parent]
                others = [one for one in division.daughters if one != object_id]
                if others[0] in self.objects:
                    self._undo(division, others[0])
            elif any(one.parent == object_id for one in self.objects.values()):
                continue
            self.objects.pop(object_id, None)
        self.divisions = [
            one
            for one in self.divisions
            if {one.mother, *one.daughters} - {0} <= self.objects.keys()
        ]

    def _undo(self, division: Division, sister: int) -> None:
        """Let a mother go on as the daughter that is left."""
        for found in self.objects.values():
            if found.parent == sister:
                found.parent = division.mother
        self.divisions = [
            replace(one, mother=division.mother) if one.mother == sister else one
            for one in self.divisions
            if one is not division
        ]
        self.join(sister, division.mother)

    def result(self) -> Discovered:
        """Return the objects as they are prompted, numbered from 1, and divisions."""
        numbers = {one: number for number, one in enumerate(sorted(self.objects), 1)}
        objects = [
            PromptedObject(
                numbers[object_id],
                tuple(
                    FramePrompt(numbers[object_id], frame, mask=MaskPrompt(mask))
                    for frame, mask in sorted(found.masks.items())
                ),
                parent=numbers.get(found.parent or 0),
            )
            for object_id, found in sorted(self.objects.items())
        ]
        divisions = [
            replace(
                one,
                mother=numbers[one.mother],
                daughters=(numbers[one.daughters[0]], numbers.get(one.daughters[1], 0)),
            )
            for one in self.divisions
        ]
        return Discovered(objects, divisions)
