"""Where the picture shows two cells: a cleft between them.

The network's masks are coarse: the gap between two rods that lie end to end, or between
two daughters, is narrower than their pixels. The picture has it.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from scipy import ndimage

from napari_sam2.tracking.automatic.bodies.sisters import border_of, centre_of, halves
from napari_sam2.tracking.automatic.masks import AutomaticMask

CLEFT = 0.4
"""In a cleft at most this part of a cell's contrast to what is around it is left."""
GAP = 0.2
"""And in the gap between two that have just parted, this one."""
WHOLE = 0.6
"""And where more than this is left everywhere, it is one body."""
MIDDLE, BESIDE_BORDER = (0.3, 0.7), 0.1
"""Between which parts of its length a cell is cut in two; of one that the border cuts,
so near to that end."""
NOISE = 3.0
"""A cell differs from what is around it by so many times the spread there."""
RIM, AROUND = 2, 6
"""Pixels: so near a mask all is cell, and from there to here is what is around it."""


def clefts_of(
    frame: np.ndarray,
    labels: np.ndarray,
    is_last: bool = False,
    only: Collection[int] | None = None,
) -> dict[int, tuple[AutomaticMask, AutomaticMask]]:
    """Return the halves of each object that a cleft cuts across its long axis.

    Of who is cut by the frame's border the one there may be the smaller one.

    Parameters
    ----------
    frame
        ``(Y, X, 3)`` uint8.
    labels
        ``(Y, X)`` of whom is followed.
    is_last
        No frame comes after it: who only begins to divide there does not.
    only
        Who is looked at; None for everybody.
    """
    grey = _smooth(frame)
    found = {}
    for object_id, region in enumerate(ndimage.find_objects(labels), 1):
        if region is None or (only is not None and object_id not in only):
            continue
        near = _widened(region)
        mask = labels[near] == object_id
        along, ridge = _ridge(grey[near], mask, (labels[near] > 0) & ~mask)
        whole = np.full(labels.shape, -1)
        whole[near][mask] = along[mask]
        place = _cut_at(ridge, whole, GAP if is_last else CLEFT)
        if place is None:
            continue
        pair = halves(whole >= 0, (whole >= 0) & (whole < place))
        if pair is not None:
            found[object_id] = pair
    return found


def _cut_at(ridge: np.ndarray, along: np.ndarray, depth: float) -> int | None:
    """Return where on its axis a cell is cut in two, if anywhere.

    Parameters
    ----------
    ridge
        See `_ridge`.
    along
        ``(Y, X)`` of the frame: where on the axis the cell's pixels are; -1 elsewhere.
    depth
        What part of the contrast is left there at most.
    """
    low, high = (round(share * len(ridge)) for share in MIDDLE)
    if high == low:
        return None
    place = low + int(np.argmin(ridge[low:high]))
    if ridge[place] <= depth:
        return place
    border = border_of(along)
    if np.any((border >= 0) & (border < low)):
        low = round(BESIDE_BORDER * len(ridge))
    if np.any(border >= high):
        high = round((1 - BESIDE_BORDER) * len(ridge))
    place = low + int(np.argmin(ridge[low:high]))
    ends = ridge[:place], ridge[place + 1 :]
    # Towards the end of a cell that just touches the border nothing is behind a cleft.
    is_body = all(len(end) and end.max() > WHOLE for end in ends)
    return place if is_body and ridge[place] <= depth else None


def look_whole(
    frame: np.ndarray,
    pair: tuple[np.ndarray, np.ndarray],
    others: np.ndarray,
    left: float = WHOLE,
) -> bool:
    """Tell whether the picture shows no gap between two ``(Y, X)`` bool masks.

    Where a cell cannot be told from what is around it, it shows nothing: False.

    Parameters
    ----------
    frame
        ``(Y, X, 3)`` uint8.
    others
        ``(Y, X)`` bool, where somebody else is followed.
    left
        In a gap at most this part of the contrast is left.
    """
    both = pair[0] | pair[1]
    near = _widened(ndimage.find_objects(both.astype(np.uint8))[0])
    ends = [np.array(centre_of(mask[near])) for mask in pair]
    along, ridge = _ridge(_smooth(frame[near]), both[near], others[near], ends)
    low, high = sorted(int(along[tuple(np.round(end).astype(int))]) for end in ends)
    between = ridge[max(0, low) : high + 1]
    return bool(len(between) and between.min() > left)


def _smooth(frame: np.ndarray) -> np.ndarray:
    grey: np.ndarray = ndimage.uniform_filter(frame.mean(axis=-1, dtype=np.float32), 3)
    return grey


def _widened(region: tuple[slice, ...]) -> tuple[slice, ...]:
    margin = AROUND + 1
    return tuple(slice(max(0, one.start - margin), one.stop + margin) for one in region)


def _ridge(
    grey: np.ndarray,
    mask: np.ndarray,
    others: np.ndarray,
    ends: list[np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Follow what differs most from what is around a mask, along its axis.

    Parameters
    ----------
    grey, mask, others
        ``(h, w)``, the latter bool.
    ends
        ``(y, x)`` of two places that give the axis; else it is the longest one.

    Returns
    -------
    numpy.ndarray
        ``(h, w)`` integer, where on the axis each pixel is.
    numpy.ndarray
        For each pixel of the axis, the contrast there as a part of the cell's; empty
        where the cell cannot be told from what is around it.
    """
    own = ndimage.binary_dilation(mask, iterations=RIM) & ~others
    taken = ndimage.binary_dilation(mask | others, iterations=RIM)
    around = grey[ndimage.binary_dilation(mask, iterations=AROUND) & ~taken]
    places = np.argwhere(own)
    if ends is None:
        centred = places - places.mean(axis=0)
        axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    else:
        axis = (ends[1] - ends[0]) / max(1e-6, float(np.hypot(*(ends[1] - ends[0]))))
    rows, columns = np.indices(mask.shape)
    along = rows * axis[0] + columns * axis[1]
    along = np.floor(along - along[own].min()).astype(np.intp)
    outside = float(np.median(around)) if len(around) else 0.0
    spread = 1.48 * float(np.median(np.abs(around - outside))) if len(around) else 0.0
    contrast = grey - outside
    contrast *= np.sign(np.median(contrast[mask]))
    inside = float(np.median(contrast[mask]))
    if not len(around) or inside <= NOISE * spread:
        return along, np.empty(0)
    ridge = np.zeros(int(along[own].max()) + 1)
    np.maximum.at(ridge, along[own], contrast[own])
    return along, ridge / max(float(np.median(ridge)), inside)
