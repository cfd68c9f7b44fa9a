"""What speaks for a division: sizes, and two masks where one object is followed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from napari_sam2.tracking.automatic.masks import AutomaticMask

SUM_OF_DAUGHTERS = (0.5, 1.6)
"""Both daughters together, as a share of the mother's area on the frame before."""
PAIR_COVERS = 0.6
"""Two masks stand for an object if they cover this share of it."""
MEETING_SHARE = 0.5
"""Followed back, daughters are the mother where they share so much of the smaller."""


def are_of_like_size(areas: Sequence[int], ratio: float) -> bool:
    """Tell whether the smaller area has a share of ``ratio`` of the larger one."""
    small, large = sorted(areas)
    return small > 0 and small >= ratio * large


def are_daughters(areas: Sequence[int], mother_area: int, ratio: float) -> bool:
    """Tell whether two areas may come out of a mother's on the frame before."""
    low, high = SUM_OF_DAUGHTERS
    return (
        are_of_like_size(areas, ratio)
        and low * mother_area <= sum(areas) <= high * mother_area
    )


def have_met(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether two ``(Y, X)`` bool masks, followed back, are one object again."""
    smaller = min(np.count_nonzero(one), np.count_nonzero(other))
    return bool(np.count_nonzero(one & other) >= max(1, MEETING_SHARE * smaller))


def pairs_inside(
    masks: Iterable[AutomaticMask], known: np.ndarray, inside_share: float, ratio: float
) -> dict[int, tuple[AutomaticMask, AutomaticMask]]:
    """Return the objects in whose place just two masks of like size lie.

    Parameters
    ----------
    masks
        That do not overlap.
    known
        ``(Y, X)`` labels of what is followed.
    inside_share
        A mask lies in an object with this share of its area.
    ratio
        See `are_of_like_size`.
    """
    inside: dict[int, list[AutomaticMask]] = {}
    for mask in masks:
        counts = np.bincount(known[mask.region][mask.piece])
        counts[0] = 0
        owner = int(counts.argmax())
        if counts[owner] and counts[owner] >= inside_share * mask.area:
            inside.setdefault(owner, []).append(mask)
    pairs = {}
    for owner, found in inside.items():
        areas = [mask.area for mask in found]
        covers = sum(areas) >= PAIR_COVERS * np.count_nonzero(known == owner)
        if len(found) == 2 and covers and are_of_like_size(areas, ratio):
            pairs[owner] = (found[0], found[1])
    return pairs
