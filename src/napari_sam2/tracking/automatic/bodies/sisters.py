"""What speaks for a division: sizes, and two masks where one object is followed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull

from napari_sam2.tracking.automatic.masks import AutomaticMask

SUM_OF_DAUGHTERS = (0.5, 1.6)
"""Both daughters together, as a share of the mother's area on the frame before."""
OUTGROWN = 1.3
"""At birth, daughters together have at most so many times the size she had before."""
LARGER_DAUGHTER = 0.8
"""And the larger one has at most this share of it."""
LONG_BEFORE, SHORTLY_BEFORE = 8, 3
"""Frames before a birth that say how large she was: later ones show her divide."""
SOLID = 0.88
"""A mask that covers less of its convex hull has a dent, as two beside each other."""
STRAIGHT = 0.7
"""One that covers less of it is no body at all, but two that lie at an angle."""
LONG_DAUGHTER, IN_LINE = 1.5, 0.9
"""Who is so many times as long as wide points to her sister: cosine of the angle."""
LONG_BODY = 2.0
"""Of a body that is so many times as long as wide the border may cut a half."""
WAIST = 0.4
"""Two touch along at most this part of a diameter: along more, they are one body.

And a mask has a waist that is no wider.
"""
PAIR_COVERS = 0.6
"""Two masks stand for an object if they cover this share of it."""
MEETING_SHARE = 0.5
"""Followed back, daughters are the mother where they share so much of the smaller."""
HALVED = 0.7
"""A mother's area falls to this share or less."""
NEAR = 3.0
"""A daughter lies within so many of the mother's radii."""


def are_of_like_size(
    areas: Sequence[int], ratio: float, is_cut: Sequence[bool] = (False, False)
) -> bool:
    """Tell whether the smaller area has a share of ``ratio`` of the larger one.

    What the frame's border cuts may be larger than it shows: only that it is there is
    asked of a smaller one that is cut.
    """
    order = np.argsort(areas)
    small, large = (int(areas[place]) for place in order)
    return small > 0 and (is_cut[order[0]] or small >= ratio * large)


def are_daughters(pair: Sequence[np.ndarray], mother: np.ndarray, ratio: float) -> bool:
    """Tell whether two ``(Y, X)`` bool masks may come out of a mother's.

    Parameters
    ----------
    pair
        The two on the first frame on which they are two.
    mother
        She on the frame before.
    ratio
        See `are_of_like_size`.
    """
    areas = [int(np.count_nonzero(mask)) for mask in pair]
    low, high = (share * np.count_nonzero(mother) for share in SUM_OF_DAUGHTERS)
    is_alike = are_of_like_size(areas, ratio, [meets_border(mask) for mask in pair])
    return is_alike and bool(low <= sum(areas) <= high)


def came_out_of(pair: Sequence[np.ndarray], sizes: Sequence[int]) -> bool:
    """Tell whether two ``(Y, X)`` bool masks are as small as a mother's daughters.

    Two that came together, were followed as one and part again are not.

    Parameters
    ----------
    pair
        The two on the first frame on which they are two.
    sizes
        Her areas before, in pixels; none if nothing is known.
    """
    if not sizes:
        return True
    shares = [np.count_nonzero(mask) / np.median(sizes) for mask in pair]
    return bool(sum(shares) <= OUTGROWN and max(shares) <= LARGER_DAUGHTER)


def are_joined(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether two ``(Y, X)`` bool masks are lobes of one body, with a waist."""
    rest = other & ~one
    smaller = min(np.count_nonzero(one), np.count_nonzero(rest))
    # Two pixels, so that a gap of one between lobes is none; so the touch is halved.
    near = ndimage.binary_dilation(one, np.ones((3, 3)), iterations=2)
    touch = np.count_nonzero(near & rest) / 2
    return bool(touch > WAIST * 2 * np.sqrt(smaller / np.pi))


def is_dented(mask: np.ndarray) -> bool:
    """Tell whether a ``(Y, X)`` bool mask is far from convex; an empty one is not."""
    return solidity(mask) < SOLID


def is_bent(mask: np.ndarray) -> bool:
    """Tell whether a ``(Y, X)`` bool mask is two that lie at an angle."""
    return solidity(mask) < STRAIGHT


def are_in_line(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether two ``(Y, X)`` bool masks lie end to end, as far as they are long.

    A long cell divides across. What the border cuts may be longer than it shows.
    """
    way = np.subtract(centre_of(one), centre_of(other))
    for mask in (one, other):
        length, axis = shape_of(mask)
        share = abs(float(axis @ way)) / max(1e-6, float(np.hypot(*way)))
        if length >= LONG_DAUGHTER and share < IN_LINE and not meets_border(mask):
            return False
    return True


def shape_of(mask: np.ndarray) -> tuple[float, np.ndarray]:
    """Return how many times as long as wide a ``(Y, X)`` mask is, and its long axis.

    As an ellipse; the axis is a ``(y, x)`` of length 1.
    """
    spread, axes = np.linalg.eigh(np.cov(np.argwhere(mask), rowvar=False, bias=True))
    return float(np.sqrt((spread[1] + 1 / 12) / (spread[0] + 1 / 12))), axes[:, 1]


def solidity(mask: np.ndarray) -> float:
    """Return what share of its convex hull a ``(Y, X)`` bool mask covers; 1 of none."""
    y, x = np.nonzero(mask)
    if not len(y):
        return 1.0
    corners = [np.stack([y + low, x + left], 1) for low in (0, 1) for left in (0, 1)]
    return len(y) / float(ConvexHull(np.concatenate(corners)).volume)


def meets_border(mask: np.ndarray) -> bool:
    """Tell whether a ``(Y, X)`` bool mask has pixels on the border of the frame."""
    return bool(border_of(mask).any())


def border_of(values: np.ndarray) -> np.ndarray:
    """Return those of ``(Y, X)`` values that lie on the border of the frame."""
    return np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])


def are_cut(labels: np.ndarray) -> set[int]:
    """Return whom the frame's border or a neighbour cuts in ``(Y, X)`` labels."""
    walled = np.pad(labels, 1, constant_values=np.iinfo(labels.dtype).max)
    cut: set[int] = set()
    for one, other in (
        (walled[1:], walled[:-1]),
        (walled[:, 1:], walled[:, :-1]),
        (walled[1:, 1:], walled[:-1, :-1]),
        (walled[1:, :-1], walled[:-1, 1:]),
    ):
        is_met = (one != other) & (one > 0) & (other > 0)
        cut.update(np.unique(one[is_met]).tolist(), np.unique(other[is_met]).tolist())
    return cut


def are_cut_off(pair: tuple[np.ndarray, np.ndarray]) -> tuple[bool, bool]:
    """Tell which of two ``(Y, X)`` bool masks, halves of a body, the border cuts.

    None of a round body: a rim of it beside the border is no half.
    """
    is_long = shape_of(pair[0] | pair[1])[0] >= LONG_BODY
    return is_long and meets_border(pair[0]), is_long and meets_border(pair[1])


def is_cut(mask: AutomaticMask, shape: tuple[int, ...]) -> bool:
    """Tell whether the border of a frame of a shape cuts a mask."""
    return any(
        part.start == 0 or part.stop == length
        for part, length in zip(mask.region, shape, strict=True)
    )


def are_apart(one: np.ndarray, other: np.ndarray, ratio: float) -> bool:
    """Tell whether two ``(Y, X)`` bool masks, followed back, are still two bodies.

    Of like size (see `are_of_like_size`), and neither in one place nor joined.
    """
    areas = [int(np.count_nonzero(mask)) for mask in (one, other)]
    cut = [meets_border(one), meets_border(other)]
    if not are_of_like_size(areas, ratio, cut):
        return False
    return not share_place(one, other) and not are_joined(one, other)


def share_place(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether two ``(Y, X)`` bool masks are in one place: the same body."""
    smaller = min(np.count_nonzero(one), np.count_nonzero(other))
    return bool(np.count_nonzero(one & other) >= max(1, MEETING_SHARE * smaller))


def centre_of(mask: np.ndarray) -> tuple[float, float]:
    """Return the ``(y, x)`` centre of a ``(Y, X)`` bool mask."""
    y, x = np.argwhere(mask).mean(axis=0)
    return float(y), float(x)


def lies_in(mask: np.ndarray, mother: np.ndarray, share: float) -> bool:
    """Tell whether a ``(Y, X)`` bool mask has a share in a mother, or is empty."""
    inside = np.count_nonzero(mask & mother)
    return bool(inside >= share * np.count_nonzero(mask))


def is_beside(one: np.ndarray, mother: np.ndarray) -> bool:
    """Tell whether a ``(Y, X)`` bool mask lies where a mother's daughter would."""
    way = math.dist(centre_of(one), centre_of(mother))
    return way <= NEAR * float(np.sqrt(np.count_nonzero(mother) / np.pi))


def parts_of(mask: np.ndarray) -> tuple[AutomaticMask, AutomaticMask] | None:
    """Return the two largest components of a ``(Y, X)`` bool mask; None of one."""
    components, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if count < 2:
        return None
    sizes = np.bincount(components.ravel())[1:]
    largest = np.argsort(-sizes, kind="stable")[:2] + 1
    return _piece(components == largest[0]), _piece(components == largest[1])


def lobes_of(labels: np.ndarray) -> dict[int, tuple[AutomaticMask, AutomaticMask]]:
    """Return the two lobes of each object in ``(Y, X)`` labels that has a waist."""
    found = {}
    for object_id, region in enumerate(ndimage.find_objects(labels), 1):
        if region is None:
            continue
        mask = np.pad(labels[region] == object_id, 1)
        depth = ndimage.distance_transform_edt(mask)
        cores, count = ndimage.label(depth > WAIST * depth.max(), np.ones((3, 3)))
        if count != 2:
            continue
        nearest = ndimage.distance_transform_edt(
            cores == 0, return_distances=False, return_indices=True
        )
        lobes = np.zeros(labels.shape, cores.dtype)
        lobes[region] = np.where(mask, cores[tuple(nearest)], 0)[1:-1, 1:-1]
        found[object_id] = _piece(lobes == 1), _piece(lobes == 2)
    return found


def who_halves(before: np.ndarray, after: np.ndarray) -> set[int]:
    """Return of whom little is left in ``(Y, X)`` labels of a later frame."""
    count = int(max(before.max(), after.max())) + 1
    old, new = (np.bincount(one.ravel(), minlength=count) for one in (before, after))
    is_left = (new > 0) & (new <= HALVED * old)
    return set(np.flatnonzero(is_left).tolist()) - {0}


def halves(
    mask: np.ndarray, sister: np.ndarray
) -> tuple[AutomaticMask, AutomaticMask] | None:
    """Return a ``(Y, X)`` bool mask without a sister's, and the sister's."""
    rest = mask & ~sister
    return (_piece(rest), _piece(sister)) if rest.any() and sister.any() else None


def _piece(mask: np.ndarray) -> AutomaticMask:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    region = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    corner = int(rows[0]), int(columns[0])
    return AutomaticMask(*corner, mask[region], 1, 1, 1, centre_of(mask))


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
        cut = [is_cut(mask, known.shape) for mask in found]
        if len(found) == 2 and covers and are_of_like_size(areas, ratio, cut):
            pairs[owner] = (found[0], found[1])
    return pairs
