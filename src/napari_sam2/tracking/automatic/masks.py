"""Masks that were found, as small pieces of a frame, and the label image of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from napari_sam2.tracking.automatic.mask_options import SURE

_NEIGHBOURS = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, slots=True, eq=False)
class AutomaticMask:
    """One mask that nobody prompted.

    Attributes
    ----------
    y0, x0
        First row and column of the piece, in the frame.
    piece
        ``(h, w)`` bool, the mask within its box.
    predicted_iou, stability, presence
        See `candidates.Candidates`.
    point
        ``(y, x)`` in the frame that it answers.
    """

    y0: int
    x0: int
    piece: np.ndarray
    predicted_iou: float
    stability: float
    presence: float
    point: tuple[float, float]

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(np.count_nonzero(self.piece))

    @property
    def quality(self) -> float:
        """Predicted IoU times stability, 0…1: which mask gets a pixel."""
        return self.predicted_iou * self.stability

    @property
    def region(self) -> tuple[slice, slice]:
        """Rows and columns of the piece, in the frame."""
        height, width = self.piece.shape
        return slice(self.y0, self.y0 + height), slice(self.x0, self.x0 + width)

    def on(self, frame_shape: tuple[int, int]) -> np.ndarray:
        """Return the mask as ``(Y, X)`` bool."""
        mask = np.zeros(frame_shape, dtype=bool)
        mask[self.region] = self.piece
        return mask


def cleaned(mask: AutomaticMask, minimum_area: int) -> AutomaticMask | None:
    """Fill holes and remove specks of fewer pixels; None if nothing is left.

    Holes and specks are 8-connected. A hole that reaches the edge of the piece is none.
    """
    outside = np.pad(~mask.piece, 1, constant_values=True)
    piece = ~_without_small(outside, minimum_area)[1:-1, 1:-1]
    piece = _without_small(piece, minimum_area)
    return replace(mask, piece=piece) if piece.any() else None


def _without_small(pixels: np.ndarray, minimum_area: int) -> np.ndarray:
    """Return ``(h, w)`` bool pixels but those in components of fewer pixels."""
    components, _ = ndimage.label(pixels, structure=_NEIGHBOURS)
    is_large = np.bincount(components.ravel()) >= minimum_area
    is_large[0] = False
    large: np.ndarray = is_large[components]
    return large


def label_masks(
    masks: Iterable[AutomaticMask],
    frame_shape: tuple[int, int],
    *,
    minimum_area: int = 0,
    minimum_visible: float = 0.0,
    unsure_visible: float = 0.0,
    occupied: np.ndarray | None = None,
) -> tuple[np.ndarray, list[AutomaticMask]]:
    """Give each pixel to the best mask that covers it.

    Parameters
    ----------
    masks
        In any order.
    frame_shape
        ``(Y, X)`` of the label image.
    minimum_area, minimum_visible, unsure_visible
        A mask that keeps fewer pixels, or a smaller share of its pixels, is left out;
        see `MaskOptions` for the last.
    occupied
        ``(Y, X)`` bool, pixels that no mask gets; None for none.

    Returns
    -------
    tuple
        ``(Y, X)`` uint16 labels, 1 for the best mask, and the masks in that order, each
        cut down to what it got.
    """
    labels = np.zeros(frame_shape, np.uint16)
    is_taken = np.zeros(frame_shape, bool) if occupied is None else occupied.copy()
    kept: list[AutomaticMask] = []
    for mask in sorted(masks, key=lambda mask: (-mask.quality, mask.point)):
        visible = mask.piece & ~is_taken[mask.region]
        area = np.count_nonzero(visible)
        least = minimum_visible
        if mask.stability < SURE:
            least = max(least, unsure_visible)
        if area < max(1, minimum_area, least * mask.area):
            continue
        kept.append(replace(mask, piece=visible))
        is_taken[mask.region] |= visible
        labels[mask.region][visible] = len(kept)
        if len(kept) == np.iinfo(labels.dtype).max:
            break
    return labels, kept
