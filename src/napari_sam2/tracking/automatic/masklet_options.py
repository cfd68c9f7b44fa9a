"""What becomes an object of a movie where nobody clicked; no torch."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum

from napari_sam2.tracking.automatic.mask_options import (
    MaskOptions,
    Ranges,
    check_ranges,
)


class Divisions(StrEnum):
    """What is done about a new object that comes out of a tracked one."""

    IGNORE = "ignore"
    PROPOSE = "propose"
    """It is said; the objects stay as they are."""
    ACCEPT = "accept"
    """The tracked one ends as mother of two daughters."""


@dataclass(frozen=True, slots=True)
class MaskletOptions:
    """How the objects of a movie are found.

    Attributes
    ----------
    every
        Masks are sought on the first frame, and again after each this many frames.
    new_share
        A mask is a new object if at least this share of it belongs to no tracked one.
    same_overlap
        A new object whose way back runs into one that was lost is the same if their IoU
        over the frames that both show is at least this.
    inside_share
        Its way back runs into another object where this share of it lies in that one.
    sister_ratio
        Daughters are of like size: the smaller has this share of the larger's area.
    shortest
        Objects that are seen on fewer frames are dropped, unless the movie begins or
        ends with them.

    Raises
    ------
    InputError
        If a number is out of its range.
    """

    every: int = 8
    new_share: float = 0.5
    same_overlap: float = 0.5
    inside_share: float = 0.5
    sister_ratio: float = 0.6
    shortest: int = 3
    divisions: Divisions = Divisions.IGNORE
    masks: MaskOptions = field(default_factory=MaskOptions)

    def __post_init__(self) -> None:
        check_ranges(self, _RANGES)


_RANGES: Ranges = {
    **dict.fromkeys(
        ("new_share", "same_overlap", "inside_share", "sister_ratio"), (0.0, 1.0)
    ),
    "every": (1, 10_000),
    "shortest": (1, 1_000_000),
}
assert _RANGES.keys() < {one.name for one in fields(MaskletOptions)}
