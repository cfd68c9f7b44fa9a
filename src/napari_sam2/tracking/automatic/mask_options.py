"""What counts as an object where nobody clicked; no torch, so that help is quick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from napari_sam2.errors import InputError

LARGEST_GRID = 256
LOOSEST = {"minimum_iou": 0.3, "minimum_stability": 0.5}
"""Thresholds below which nobody looks while others are tried out."""
MOST_TIERS = 4
SURE = 0.8
"""Stability from which on a mask is no sliver, however much of it others cover."""

Ranges = Mapping[str, tuple[float, float]]
"""Least and largest value of options, by the name of the field."""


def check_ranges(options: object, ranges: Ranges) -> None:
    """Refuse options whose number is out of its range.

    Raises
    ------
    InputError
        Naming the first one as the command line does.
    """
    for name, (low, high) in ranges.items():
        value = getattr(options, name)
        if not low <= value <= high:
            option = name.replace("_", "-")
            raise InputError(f"--{option} {value}: give {low:g} to {high:g}")


@dataclass(frozen=True, slots=True)
class MaskOptions:
    """How automatic masks are sought and which of them are kept.

    The defaults of IoU and stability are nano's, chosen on simulated movies and on
    CellPhe. The official ones, for large models, are a predicted IoU of 0.8 and a
    stability of 0.95.

    Attributes
    ----------
    points_per_side
        The frame, and each crop of it, is prompted on a grid of so many points squared.
    minimum_iou
        Least predicted IoU of a mask, 0…1.
    minimum_stability
        Least area at logit > +offset over area at logit > −offset, 0…1.
    stability_offset
        That offset, in logits.
    minimum_presence
        Least presence logit of the object at a point; −1024 for none.
    box_overlap
        Of two masks whose boxes have a greater IoU, the better one stays, 0…1.
    crop_tiers
        Tier t adds 4ᵗ overlapping crops, each seen at the network's full input size:
        for objects that are small on the frame.
    crop_overlap
        How much crops of the first tier overlap, as a share of the short side.
    crop_margin
        Masks as near to the edge of their crop, in pixels, are dropped, unless it is
        the frame's.
    minimum_area
        Least area in pixels; holes and specks of fewer pixels are filled and removed.
    maximum_share
        Largest area as a share of the frame: beyond lies the background.
    minimum_visible
        Least share of a mask that better ones leave of it in the label image.
    unsure_visible
        The same of a mask that is less stable than `SURE`, which also stands back
        where a sure one is: slivers of cells lie half in the rest of them, cells that
        are hard to see by themselves. Up to ``minimum_visible`` there is no such rule.

    Raises
    ------
    InputError
        If a number is out of its range.
    """

    points_per_side: int = 32
    minimum_iou: float = 0.6
    minimum_stability: float = 0.7
    stability_offset: float = 1.0
    minimum_presence: float = 0.0
    box_overlap: float = 0.7
    crop_tiers: int = 0
    crop_overlap: float = 0.34
    crop_margin: float = 2.0
    minimum_area: int = 20
    maximum_share: float = 0.25
    minimum_visible: float = 0.5
    unsure_visible: float = 0.9

    def __post_init__(self) -> None:
        check_ranges(self, _RANGES)

    def rank(self, predicted_iou: float, stability: float) -> float:
        """Return by what a mask stays of two in one place: unsure ones stand back."""
        is_unsure = stability < SURE and self.unsure_visible > self.minimum_visible
        return predicted_iou - is_unsure


_SHARES = (
    "minimum_iou",
    "minimum_stability",
    "box_overlap",
    "crop_overlap",
    "maximum_share",
    "minimum_visible",
    "unsure_visible",
)
_RANGES: Ranges = {
    **dict.fromkeys(_SHARES, (0.0, 1.0)),
    "points_per_side": (1, LARGEST_GRID),
    "stability_offset": (0.0, 100.0),
    "minimum_presence": (-1024.0, 1024.0),
    "crop_tiers": (0, MOST_TIERS),
    "crop_margin": (0.0, 1e6),
    "minimum_area": (0, 1e12),
}
assert _RANGES.keys() == {field.name for field in fields(MaskOptions)}
