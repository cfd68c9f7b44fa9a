"""The movie that prompts are for: what lies inside it, and what does not."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from napari_sam2.errors import InputError
from napari_sam2.prompts import MAX_OBJECT_ID, PromptedObject

MAX_POINTS = 1000
"""Of one object on one frame; their attention grows with the square."""


@dataclass(frozen=True, slots=True)
class PromptBounds:
    """Where prompts may lie.

    Attributes
    ----------
    frame_shape
        ``(Y, X)`` of the movie in pixels.
    """

    frame_shape: tuple[int, int]
    frame_count: int

    def check_frame(self, frame_index: int, where: str, *, hint: str = "") -> None:
        """Refuse frames that the movie does not have."""
        if not 0 <= frame_index < self.frame_count:
            raise InputError(
                f"{where}: there is no frame {frame_index}; the movie has "
                f"{self.frame_count}, 0 to {self.frame_count - 1}{hint}"
            )

    def check_points(self, count: int, where: str) -> None:
        """Refuse more clicks than a person makes: each is a token of the network."""
        if count > MAX_POINTS:
            raise InputError(
                f"{where}: {count} points are more than the {MAX_POINTS} that one "
                "object can have on a frame; give a box or a mask instead"
            )

    def check_position(self, y: float, x: float, where: str, *, hint: str = "") -> None:
        """Refuse positions outside the frame, whose pixels reach half a step out."""
        height, width = self.frame_shape
        inside = -0.5 <= y <= height - 0.5 and -0.5 <= x <= width - 0.5
        if not (inside and math.isfinite(y) and math.isfinite(x)):
            raise InputError(
                f"{where}: row {y:g}, column {x:g} lies outside the frame of "
                f"{height} × {width} pixels; positions are [y, x], counted from 0{hint}"
            )


@dataclass(frozen=True, slots=True)
class PlaneBounds:
    """The planes of a movie of stacks.

    Attributes
    ----------
    count
        How many each stack has.
    default
        That of prompts that do not say theirs; None where they have to.
    """

    count: int
    default: int | None = None

    def plane(self, said: int | None, where: str) -> int:
        """Return the plane that a prompt belongs to.

        Raises
        ------
        InputError
            If it says none, or one that is not there.
        """
        plane = self.default if said is None else said
        if plane is None:
            raise InputError(
                f"{where}: says nothing of the z plane: give it in the prompts, or "
                "one for all with --z"
            )
        if not 0 <= plane < self.count:
            raise InputError(
                f"{where}: there is no z plane {plane}; the movie has {self.count}, 0 "
                f"to {self.count - 1}"
            )
        return plane


def check_object_id(object_id: int, where: str) -> None:
    """Refuse ids that no 16-bit label image can hold."""
    if not 1 <= object_id <= MAX_OBJECT_ID:
        raise InputError(
            f"{where}: object id {object_id} is out of range; ids are 1 to "
            f"{MAX_OBJECT_ID}, 0 is the background"
        )


def check_family(objects: Iterable[PromptedObject], path: str) -> None:
    """Refuse ids that come twice, unknown mothers, and circles of descent."""
    mothers: dict[int, int | None] = {}
    for item in objects:
        if item.object_id in mothers:
            raise InputError(f"{path}: object id {item.object_id} is used twice")
        mothers[item.object_id] = item.parent
    settled: set[int] = set()
    for object_id, parent in mothers.items():
        if parent is not None and parent not in mothers:
            raise InputError(
                f"{path}: object {object_id}, parent: there is no object {parent}"
            )
        line = {object_id}
        while parent is not None and parent not in settled:
            if parent in line:
                raise InputError(
                    f"{path}: object {object_id}, parent: it descends from itself"
                )
            line.add(parent)
            parent = mothers.get(parent)
        settled |= line
