"""How far a picture moved from one frame to the next, by phase correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 128
"""Pixels across of the small picture that is compared, at most."""

PEAKS = 4
"""Peaks of the correlation that are looked at."""

LEAST_OVERLAP = 0.3
"""Of each side: what two frames must have in common to be compared."""

ALIKE = 0.4
"""Correlation from which on a moved picture is the one before."""

GAIN = 0.25
"""By how much the moved picture must be more like it than the unmoved."""

UNLIKE = 0.3
"""Correlation below which a frame shows nothing of the one before."""

STRUCTURE = 0.3
"""Correlation of a picture with its neighbour pixels, below which it is noise."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happened between two frames.

    Attributes
    ----------
    shift
        Pixels of the small picture that all is further down and to the right.
    is_cut
        Whether the second shows nothing of the first.
    """

    shift: tuple[int, int] = (0, 0)
    is_cut: bool = False


def small_picture(frame: np.ndarray) -> Tensor:
    """Return an ``(h, w)`` float32 picture of a ``(Y, X, 3)`` uint8 frame.

    Without its uneven light, which stays where it is when the stage moves.
    """
    grey = torch.from_numpy(frame.mean(axis=2, dtype=np.float32))[None, None]
    height, width = (min(SIDE, side) for side in frame.shape[:2])
    small = F.adaptive_avg_pool2d(grey, (height, width))
    reach = max(1, min(height, width) // 8)
    around = F.pad(small, [reach] * 4, mode="reflect")
    return (small - F.avg_pool2d(around, 2 * reach + 1, stride=1))[0, 0]


def change_between(before: Tensor, now: Tensor) -> Change:
    """Compare the small pictures of two frames that follow each other.

    Returns
    -------
    Change
        Nothing where the frames are too much alike, or too noisy, to tell.
    """
    if min(_structure(before), _structure(now)) < STRUCTURE:
        return Change()
    unmoved = _likeness(before, now, (0, 0))
    moved, shift = max(
        (_likeness(before, now, shift), shift) for shift in _peaks(before, now)
    )
    if moved >= max(ALIKE, unmoved + GAIN):
        return Change(shift)
    return Change(is_cut=unmoved < UNLIKE)


def _peaks(before: Tensor, now: Tensor) -> list[tuple[int, int]]:
    """Return the shifts at which the phases of two pictures agree best."""
    height, width = before.shape
    padded = (2 * height, 2 * width)  # no shift is mistaken for its opposite
    spectrum = torch.fft.rfft2(now, padded) * torch.fft.rfft2(before, padded).conj()
    phases = spectrum / spectrum.abs().clamp_min(torch.finfo(torch.float32).tiny)
    places = torch.fft.irfft2(phases, padded).flatten().topk(PEAKS).indices
    found = (divmod(place, 2 * width) for place in places.tolist())
    return [
        (y - 2 * height if y >= height else y, x - 2 * width if x >= width else x)
        for y, x in found
    ]


def _likeness(before: Tensor, now: Tensor, shift: tuple[int, int]) -> float:
    """Return the correlation of what two pictures have in common; −1 for too little."""
    parts = []
    for side, by in zip(before.shape, shift, strict=True):
        if side - abs(by) < LEAST_OVERLAP * side:
            return -1.0
        parts.append((slice(max(-by, 0), side - max(by, 0)), slice(max(by, 0), side)))
    (rows, moved_rows), (columns, moved_columns) = parts
    moved = now[moved_rows, moved_columns]
    moved = moved[: before.shape[0] - abs(shift[0]), : before.shape[1] - abs(shift[1])]
    return _correlation(before[rows, columns], moved)


def _correlation(one: Tensor, two: Tensor) -> float:
    one, two = one - one.mean(), two - two.mean()
    length = float(one.norm() * two.norm())
    return float((one * two).sum()) / length if length else 0.0


def _structure(picture: Tensor) -> float:
    """Return how much a picture is like itself one pixel on: noise is not at all."""
    return _correlation(picture[1:, 1:], picture[:-1, :-1])
