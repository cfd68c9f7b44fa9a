"""What speaks for a division in the raw masks of a frame.

Taken before anything is cut off for the memory: the rule that follows objects as one
component would hide just what is looked for here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
from scipy import ndimage

from napari_sam2.interfaces import DivisionEvidence
from napari_sam2.tiles import Window
from napari_sam2.tracking.postprocess import EIGHT, boxes

STABLE = 3
"""Frames on end that show two before anybody says so."""
LIKE_SIZE = 0.4
"""A sister has at least this share of the area of the larger of the two."""
APART = 0.1
"""And shares at most so much of the smaller one's area."""
SISTER_IOU = 0.5
"""Predicted IoU from which on a candidate mask counts as a sister."""


def unknown_evidence(count: int) -> DivisionEvidence:
    """Return the evidence of objects that were not tracked."""
    shape = (len(fields(DivisionEvidence)), count)
    return DivisionEvidence(*np.full(shape, np.nan, np.float32))


def joined_evidence(parts: Sequence[DivisionEvidence]) -> DivisionEvidence:
    """Return the evidence of several batches as one."""
    parts = parts or [unknown_evidence(0)]
    return DivisionEvidence(
        *(
            np.concatenate([getattr(part, one.name) for part in parts])
            for one in fields(DivisionEvidence)
        )
    )


def chosen_evidence(
    evidence: DivisionEvidence, rows: Sequence[int] | np.ndarray
) -> DivisionEvidence:
    """Return the evidence of some objects, in the order of ``rows``."""
    index = np.asarray(rows, dtype=np.int64)
    return DivisionEvidence(
        *(getattr(evidence, one.name)[index] for one in fields(DivisionEvidence))
    )


def shows_two(evidence: DivisionEvidence) -> np.ndarray:
    """Tell where a raw mask is two of like size, or has a sister beside it.

    Returns
    -------
    numpy.ndarray
        bool, of the shape of the evidence; False where nothing is known.
    """
    two: np.ndarray = evidence.second_part >= LIKE_SIZE
    return two | (evidence.sister_iou >= SISTER_IOU)


def division_evidence(
    logits: np.ndarray, iou: np.ndarray, pixels: np.ndarray, window: Window
) -> DivisionEvidence:
    """Look for two where one object is tracked.

    Parameters
    ----------
    logits
        ``(objects, h, w)`` float32, the masks as the network gave them.
    iou, pixels
        Of the `Sisters`.
    window
        Rows and columns of the frame that the masks cover.
    """
    to_pixels = _pixel_size(logits, window)
    areas, share, places = _second_parts(logits > 0)
    centres = np.full((len(logits), 2), np.nan)
    is_there = iou > 0
    centres[is_there] = pixels[is_there, 1:] / pixels[is_there, :1]
    places = np.where(np.isnan(places), centres, places)
    y, x = _on_frame(places, to_pixels, window)
    values = (areas * to_pixels.prod(), share, iou, y, x)
    return DivisionEvidence(*(one.astype(np.float32) for one in values))


def placed_apart(
    evidence: DivisionEvidence, others: np.ndarray, window: Window
) -> DivisionEvidence:
    """Return the same with sisters where objects are not, once these are cut down.

    An object goes on as the part that continues it, which may be the smaller one.

    Parameters
    ----------
    evidence
        Of the raw masks.
    others
        ``(objects, h, w)`` bool, what was cut off of each.
    window
        See `division_evidence`.
    """
    places = np.full((len(others), 2), np.nan)
    for row, region in enumerate(boxes(others)):
        components, found = ndimage.label(others[row][region], structure=EIGHT)
        if found:
            largest = int(np.argmax(np.bincount(components.ravel())[1:])) + 1
            places[row] = _centre(components == largest, region)
    y, x = _on_frame(places, _pixel_size(others, window), window).astype(np.float32)
    is_cut = ~np.isnan(y)
    return replace(
        evidence,
        sister_y=np.where(is_cut, y, evidence.sister_y),
        sister_x=np.where(is_cut, x, evidence.sister_x),
    )


def _pixel_size(maps: np.ndarray, window: Window) -> np.ndarray:
    """Return the sides ``(y, x)`` of a pixel of ``(objects, h, w)``, on the frame."""
    return np.asarray(window[2:]) / maps.shape[1:]


def _on_frame(places: np.ndarray, pixel: np.ndarray, window: Window) -> np.ndarray:
    """Return ``(2, objects)`` pixels of the frame for ``(objects, 2)`` of maps."""
    moved: np.ndarray = (places + 0.5) * pixel - 0.5 + np.asarray(window[:2])
    return moved.T


def _second_parts(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return area, share of the second largest component, and its ``(y, x)`` centre."""
    total, share = np.zeros(len(masks)), np.zeros(len(masks))
    places = np.full((len(masks), 2), np.nan)
    for row, region in enumerate(boxes(masks)):
        components, found = ndimage.label(masks[row][region], structure=EIGHT)
        sizes = np.bincount(components.ravel())[1:]
        total[row] = sizes.sum()
        if found > 1:
            second, first = np.argsort(sizes, kind="stable")[-2:]
            share[row] = sizes[second] / sizes[first]
            places[row] = _centre(components == second + 1, region)
    return total, share, places


def _centre(mask: np.ndarray, region: tuple[slice, slice]) -> np.ndarray:
    """Return the ``(y, x)`` centre of a bool mask that is cut out of a map."""
    inside = np.argwhere(mask)
    corner = inside.min(axis=0)
    start = corner + [part.start for part in region]
    centre: np.ndarray = (inside - corner).mean(axis=0) + start
    return centre
