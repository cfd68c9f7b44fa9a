"""The label image where the masks are: many objects at once, one transfer to the host.

The arithmetic of `postprocess.label_image`, operation by operation, each of them
rounded by itself: both give the same labels, to the pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import numpy as np
import torch
from numpy.typing import DTypeLike
from torch import Tensor

from napari_sam2.tiles import Window
from napari_sam2.tracking.device.transfer import Arrival, to_device
from napari_sam2.tracking.postprocess import Taps, check_ids, label_image

PAINTED_BYTES = 2**28
"""At most so many bytes are taken for a label image, where nothing allows less."""

BYTES_PER_PIXEL = 40
"""Of the frame: the highest logit so far and whose it is, the same of more objects."""

LabelPainter = Callable[..., np.ndarray]
"""Has the parameters of `postprocess.label_image`."""


def label_painter(device: torch.device, most_bytes: int | None = None) -> LabelPainter:
    """Return who makes label images fastest beside a network on a device."""
    if device.type != "cuda":
        return label_image
    allowed = min(PAINTED_BYTES, most_bytes or PAINTED_BYTES)
    return partial(painted_labels, device=device, most_bytes=allowed)


@torch.inference_mode()
def painted_labels(  # noqa: PLR0913 - those of label_image, and where
    object_ids: Sequence[int],
    logits: np.ndarray,
    frame_shape: tuple[int, int],
    dtype: DTypeLike = np.uint16,
    windows: Sequence[Window] | None = None,
    within: Window | None = None,
    *,
    device: torch.device,
    most_bytes: int = PAINTED_BYTES,
) -> np.ndarray:
    """Give each pixel to the object with the highest positive logit there.

    Parameters
    ----------
    object_ids, logits, frame_shape, dtype, windows, within
        As `postprocess.label_image` has them, on the host.
    most_bytes
        At most so many are taken there, but for one row of one object.

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
    height, width = frame_shape
    order = np.argsort(object_ids)
    groups: dict[Window, list[int]] = {}
    for index in order.tolist():
        window = tuple(windows[index]) if windows else (0, 0, height, width)
        groups.setdefault(window, []).append(index)
    # Places in the order of ids, not ids: they may be larger than a device counts.
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(1, len(order) + 1)
    per_object = 8 * (width + logits.shape[2])
    rows = max(1, most_bytes // (BYTES_PER_PIXEL * width + per_object))
    rows = min(rows, height)
    at_once = max(1, (most_bytes // rows - BYTES_PER_PIXEL * width) // per_object)
    covered = within if within and windows else (0, 0, height, width)
    bands = []
    for top in range(0, height, rows):
        band = _Band(top, min(rows, height - top), width, device)
        for window, members in groups.items():
            for start in range(0, len(members), at_once):
                chunk = members[start : start + at_once]
                band.add(rank[chunk], logits[chunk], window, covered)
        bands.append(Arrival([band.labels]))
    ranked = np.concatenate([band.arrays()[0] for band in bands])
    known = np.asarray([0, *(object_ids[index] for index in order)], dtype)
    labels: np.ndarray = known[ranked]
    return labels


class _Band:
    """Some rows of a label image, as far as they are painted.

    Parameters
    ----------
    top, rows, width
        Where it begins in the frame, and how large it is.

    Attributes
    ----------
    labels
        ``(rows, width)`` int32: 0, or the rank of an object.
    """

    def __init__(self, top: int, rows: int, width: int, device: torch.device) -> None:
        self.top, self.rows, self.device = top, rows, device
        self.best = torch.zeros(rows, width, device=device)
        self.labels = torch.zeros(rows, width, dtype=torch.int32, device=device)

    def add(
        self, ranks: np.ndarray, logits: np.ndarray, window: Window, covered: Window
    ) -> None:
        """Let some objects of a window compete, those of lower ranks first."""
        y, x, height, width = window
        bottom = min(self.top + self.rows, y + height, covered[0] + covered[2])
        rows = slice(max(self.top, y), bottom)
        columns = slice(x, min(x + width, covered[1] + covered[3]))
        if rows.stop <= rows.start or columns.stop <= columns.start:
            return
        values = to_device(logits, self.device)
        for dim, part, start, length in ((1, rows, y, height), (2, columns, x, width)):
            taps = _taps_on(self.device, values.shape[dim], length)
            chosen = [tap[part.start - start : part.stop - start] for tap in taps]
            values = _blend(values, chosen, dim)
        highest, which = values.max(dim=0)  # of equals the first
        number = to_device(ranks, self.device)[which]
        here = (slice(rows.start - self.top, rows.stop - self.top), columns)
        best, labels = self.best[here], self.labels[here]
        is_lower = (highest == best) & (highest > 0) & (number < labels)
        is_better = is_lower.logical_or_(highest > best)
        best.copy_(torch.where(is_better, highest, best))
        labels.copy_(torch.where(is_better, number, labels))


@lru_cache(maxsize=8)
def _taps_on(device: torch.device, source: int, target: int) -> tuple[Tensor, ...]:
    """Return `Taps` on a device: first, second, and how much each of them counts."""
    taps = Taps(source, target)
    values = (taps.first, taps.second, 1 - taps.weight, taps.weight)
    return tuple(to_device(one, device) for one in values)


def _blend(values: Tensor, taps: Sequence[Tensor], dim: int) -> Tensor:
    """Interpolate an axis of ``(objects, h, w)`` logits at some output pixels."""
    first, second, rest, weight = taps
    if dim == 1:
        rest, weight = rest[:, None], weight[:, None]
    blended = values.index_select(dim, first).mul_(rest)
    return blended.add_(values.index_select(dim, second).mul_(weight))
