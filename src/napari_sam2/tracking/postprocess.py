"""From mask logits to the label image; numpy and scipy alone, equal on every device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike
from scipy import ndimage

from napari_sam2.errors import InputError
from napari_sam2.tiles import Window

FILL_HOLES = 8
"""Holes up to this many low-resolution pixels are filled, as official SAM 2 does."""

FILLED_HOLE_LOGIT = 0.1
OUTSIDE_LOGIT = -10.0
SMALLEST_PART = 0.1
"""A part of a mask is one if it has this share of the largest part's area."""
STABILITY_DELTA = 1.0

EIGHT = np.ones((3, 3), dtype=bool)
"""Neighbours within a mask, corners included."""


def fill_holes(logits: np.ndarray, max_area: int) -> np.ndarray:
    """Fill the small holes of each mask.

    A hole is an 8-connected component of logit ≤ 0 of at most ``max_area`` pixels; it
    becomes +0.1, as in the official CUDA kernel (spec §1.11).

    Parameters
    ----------
    logits
        ``(objects, h, w)`` float32.
    max_area
        In low-resolution pixels; 0 leaves the logits as they are.

    Returns
    -------
    numpy.ndarray
        ``(objects, h, w)`` float32; the array given where nothing was filled.
    """
    if max_area <= 0:
        return logits
    is_outside = logits <= 0
    filled = logits
    for row, box in enumerate(boxes(~is_outside)):
        if box[0].stop == 0 and is_outside[row].size > max_area:
            continue  # no mask, no hole
        # What lies further off belongs to a component that is larger than a hole.
        region = tuple(
            slice(max(part.start - max_area - 1, 0), part.stop + max_area + 1)
            for part in box
        )
        components, count = ndimage.label(is_outside[row][region], structure=EIGHT)
        is_hole = np.bincount(components.ravel(), minlength=count + 1) <= max_area
        is_hole[0] = False  # what lies inside the mask
        if is_hole.any():
            filled = logits.copy() if filled is logits else filled
            filled[row][region][is_hole[components]] = FILLED_HOLE_LOGIT
    return filled


def boxes(masks: np.ndarray) -> list[tuple[slice, slice]]:
    """Return the rows and columns of each of ``(objects, h, w)`` bool masks.

    Both are empty where a mask is.
    """
    rows, columns = np.asarray(masks.any(axis=2)), np.asarray(masks.any(axis=1))
    return [
        (_extent(down), _extent(across))
        for down, across in zip(rows, columns, strict=True)
    ]


def _extent(occupied: np.ndarray) -> slice:
    """Return from the first to the last of what is occupied along an axis."""
    found = np.flatnonzero(occupied)
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)


def other_components(logits: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return what of each mask is not the object that it was.

    Of each part of the mask before, the 8-connected component that overlaps it most is
    the object still; where none does, the largest component is. A part is a component
    of at least `SMALLEST_PART` of the largest one: what a person drew in two parts is
    followed in two.

    Parameters
    ----------
    logits
        ``(objects, h, w)`` float32 of a frame.
    before
        ``(objects, h, w)`` float32 of the same objects on the frame nearest in time.

    Returns
    -------
    numpy.ndarray
        ``(objects, h, w)`` bool, within the masks.
    """
    masks, earlier = logits > 0, before > 0
    others = np.zeros_like(masks)
    for row, region in enumerate(boxes(masks | earlier)):
        components, count = ndimage.label(masks[row][region], structure=EIGHT)
        if count < 2:
            continue
        parts, _ = ndimage.label(earlier[row][region], structure=EIGHT)
        is_kept = np.zeros(count + 1, dtype=bool)
        is_kept[_still_there(components, parts)] = True
        is_kept[0] = True  # what lies outside the mask
        others[row][region] = ~is_kept[components]
    return others


def _still_there(components: np.ndarray, parts: np.ndarray) -> list[int]:
    """Return the components of one ``(h, w)`` mask that are the object still."""
    areas = np.bincount(components.ravel(), minlength=1)
    if len(areas) == 1:
        return []
    areas[0] = 0
    sizes = np.bincount(parts.ravel(), minlength=1)
    sizes[0] = 0
    kept = []
    for part in np.flatnonzero(sizes >= max(1.0, SMALLEST_PART * sizes.max())):
        overlaps = np.bincount(components[parts == part])
        overlaps[0] = 0
        if overlaps.any():
            kept.append(int(np.argmax(overlaps)))
    return kept or [int(np.argmax(areas))]


def stability(logits: np.ndarray) -> np.ndarray:
    """Return ``(objects,)`` float32, area at logit > +1 over area at logit > −1.

    1 where the latter is empty, as SAM counts.
    """
    inner = (logits > STABILITY_DELTA).sum(axis=(1, 2))
    outer = (logits > -STABILITY_DELTA).sum(axis=(1, 2))
    ratio = np.where(outer > 0, inner / np.maximum(outer, 1), 1.0)
    return ratio.astype(np.float32)


def label_image(
    object_ids: Sequence[int],
    logits: np.ndarray,
    frame_shape: tuple[int, int],
    dtype: DTypeLike = np.uint16,
    windows: Sequence[Window] | None = None,
    within: Window | None = None,
) -> np.ndarray:
    """Give each pixel to the object with the highest positive logit there.

    Logits are resized bilinearly (pixel-centred) to the movie's resolution, one object
    at a time and only where it is, which gives the same as resizing all of it.

    Parameters
    ----------
    object_ids
        Label values, in the order of ``logits``; ties go to the lower one.
    logits
        ``(objects, h, w)`` float32.
    frame_shape
        ``(Y, X)`` of the label image in pixels.
    dtype
        Unsigned integer type of the labels.
    windows
        What each logit map covers, all of one shape; None where it is the frame.
    within
        Where objects may be; None for the whole frame.

    Returns
    -------
    numpy.ndarray
        ``(Y, X)`` labels, 0 where no object is.

    Raises
    ------
    InputError
        If an id does not fit into ``dtype``.
    """
    check_ids(object_ids, dtype)
    labels, best = np.zeros(frame_shape, dtype), np.zeros(frame_shape, np.float32)
    height, width = logits.shape[1:]
    shape = tuple(windows[0][2:]) if windows else frame_shape
    covered = within or (0, 0, *frame_shape)
    taps = (Taps(height, shape[0]), Taps(width, shape[1]))
    for index in np.argsort(object_ids):
        found = _resized_crop(logits[index], taps)
        if found is None:
            continue
        region, crop = found
        if windows:
            region, crop = _placed(region, crop, windows[index], covered)
        is_higher = crop > best[region]  # ties stay with the lower id
        np.copyto(best[region], crop, where=is_higher)
        np.copyto(labels[region], labels.dtype.type(object_ids[index]), where=is_higher)
    return labels


def check_ids(object_ids: Sequence[int], dtype: DTypeLike) -> None:
    """Refuse ids that do not fit into labels.

    Raises
    ------
    InputError
        Naming the largest one.
    """
    largest = np.iinfo(dtype).max
    if max(object_ids, default=0) > largest:
        raise InputError(
            f"object id {max(object_ids)} does not fit into {np.dtype(dtype)} labels: "
            f"use ids up to {largest}"
        )


def _placed(
    region: tuple[slice, slice], crop: np.ndarray, window: Window, covered: Window
) -> tuple[tuple[slice, slice], np.ndarray]:
    """Return where part of a window lies in a frame, cut off where `covered` ends."""
    rows, columns = (
        slice(start + part.start, min(start + part.stop, first + length))
        for part, start, first, length in zip(
            region, window, covered[:2], covered[2:], strict=False
        )
    )
    height, width = rows.stop - rows.start, columns.stop - columns.start
    return (rows, columns), crop[: max(height, 0), : max(width, 0)]


class Taps:
    """Where output pixels of one axis look, and how much they take of the second tap.

    Parameters
    ----------
    source, target
        Length of the axis before and after.
    """

    def __init__(self, source: int, target: int) -> None:
        position = (np.arange(target, dtype=np.float32) + np.float32(0.5)) * np.float32(
            source / target
        ) - np.float32(0.5)
        position = np.maximum(position, 0)
        self.first = np.minimum(position.astype(np.int64), source - 1)
        self.second = np.minimum(self.first + 1, source - 1)
        self.weight = (position - self.first).astype(np.float32)

    def reached_by(self, occupied: np.ndarray) -> slice:
        """Return the output pixels that see any of the ``(source,)`` occupied ones."""
        sees = np.flatnonzero(occupied[self.first] | occupied[self.second])
        return slice(int(sees[0]), int(sees[-1]) + 1) if len(sees) else slice(0, 0)


def _resized_crop(
    logits: np.ndarray, taps: tuple[Taps, Taps]
) -> tuple[tuple[slice, slice], np.ndarray] | None:
    """Resize the part of ``(h, w)`` logits that can become positive; None if none can.

    A pixel can only become positive if one of its four taps is.
    """
    is_inside: np.ndarray = logits > 0
    rows, columns = taps
    region = (
        rows.reached_by(np.asarray(is_inside.any(axis=1))),
        columns.reached_by(np.asarray(is_inside.any(axis=0))),
    )
    if region[0].stop == 0 or region[1].stop == 0:
        return None
    narrow = _blend(logits, rows, region[0], axis=0)
    return region, _blend(narrow, columns, region[1], axis=1)


def _blend(values: np.ndarray, taps: Taps, part: slice, axis: int) -> np.ndarray:
    """Interpolate one axis linearly at the output pixels of ``part``."""
    weight = taps.weight[part] if axis == 1 else taps.weight[part, None]
    blended: np.ndarray = values.take(taps.first[part], axis=axis) * (1 - weight)
    blended += values.take(taps.second[part], axis=axis) * weight
    return blended
