"""What speaks for a division in the raw masks of a frame.

Taken before anything is cut off for the memory: the rule that follows objects as one
component would hide just what is looked for here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_sam2.interfaces import DivisionEvidence
from napari_sam2.tiles import Window
from napari_sam2.tracking.postprocess import WITHIN_MASKS

if TYPE_CHECKING:
    from napari_sam2.model.mask_decoder import RawMasks

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
    logits: np.ndarray, raw: RawMasks, window: Window
) -> DivisionEvidence:
    """Look for two where one object is tracked.

    Parameters
    ----------
    logits
        ``(objects, h, w)`` float32, the masks as the network gave them.
    raw
        All that the decoder said of these objects.
    window
        Rows and columns of the frame that the masks cover.
    """
    to_pixels = np.asarray(window[2:]) / logits.shape[1:]
    areas, share, places = _second_parts(logits)
    iou, centres = _sisters(logits, raw)
    places = np.where(np.isnan(places), centres, places)
    y, x = ((places + 0.5) * to_pixels - 0.5 + np.asarray(window[:2])).T
    values = (areas * to_pixels.prod(), share, iou, y, x)
    return DivisionEvidence(*(one.astype(np.float32) for one in values))


def _second_parts(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return area, share of the second largest component, and its ``(y, x)`` centre."""
    count = len(logits)
    total, share = np.zeros(count), np.zeros(count)
    places = np.full((count, 2), np.nan)
    components, found = ndimage.label(logits > 0, structure=WITHIN_MASKS)
    sizes = np.bincount(components.ravel(), minlength=found + 1)
    largest: dict[int, list[tuple[int, int]]] = {}
    regions = ndimage.find_objects(components)
    for number, region in enumerate(regions, 1):
        owner = region[0].start
        total[owner] += sizes[number]
        largest.setdefault(owner, []).append((int(sizes[number]), number))
    for owner, parts in largest.items():
        if len(parts) == 1:
            continue
        (first, _), (second, number) = sorted(parts, reverse=True)[:2]
        share[owner] = second / first
        region = regions[number - 1][1:]
        inside = np.argwhere(components[owner][region] == number)
        places[owner] = inside.mean(axis=0) + [part.start for part in region]
    return total, share, places


def _sisters(logits: np.ndarray, raw: RawMasks) -> tuple[np.ndarray, np.ndarray]:
    """Return predicted IoU and ``(y, x)`` centre of the best candidate that is apart.

    Areas are counted where the candidates are; only centres need their pixels here.
    """
    candidates = raw.logits[:, 1:] > 0
    own = candidates.new_tensor(logits > 0)
    common = (candidates & own[:, None]).sum((2, 3))
    areas, own_area = candidates.sum((2, 3)), own.sum((1, 2))[:, None]
    smaller, larger = areas.minimum(own_area), areas.maximum(own_area)
    is_sister = (common <= APART * smaller) & (smaller >= LIKE_SIZE * larger)
    is_sister &= (smaller > 0) & (raw.object_score > 0)[:, None]
    iou, best = raw.predicted_iou[:, 1:].float().mul(is_sister).max(dim=1)
    centres = np.full((len(logits), 2), np.nan)
    for row in iou.nonzero()[:, 0].tolist():
        mask = candidates[row, best[row]].cpu().numpy()
        centres[row] = np.argwhere(mask).mean(axis=0)
    return iou.cpu().numpy(), centres
