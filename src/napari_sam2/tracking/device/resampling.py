"""Pillow's bicubic resizing of bytes, on any device, equal to the last bit.

Pillow resizes rows, then columns; weights are whole multiples of 2⁻²², and sums are
rounded to bytes after each. So in whole numbers nothing depends on the device.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil

import numpy as np
import torch
from torch import Tensor

from napari_sam2.tracking.device.transfer import to_device

BITS = 22
"""Of the weights' fraction."""

SUPPORT = 2.0
"""Source pixels that a bicubic kernel reaches to each side, before it is stretched."""


def resized(pixels: Tensor, side: int) -> Tensor:
    """Resize ``(Y, X, C)`` uint8 pixels to ``(side, side, C)`` uint8."""
    for dim in (1, 0):
        if pixels.shape[dim] != side:
            pixels = _resized_along(pixels, side, dim)
    return pixels


def _resized_along(pixels: Tensor, target: int, dim: int) -> Tensor:
    """Resize one axis: a few source pixels, weighted, for each of the target."""
    places, weights = _kernel(pixels.device, pixels.shape[dim], target)
    shape = (-1, 1, 1) if dim == 0 else (-1, 1)
    total = None
    for place, weight in zip(places, weights, strict=True):
        product = pixels.index_select(dim, place).int().mul_(weight.view(shape))
        total = product.add_(1 << (BITS - 1)) if total is None else total.add_(product)
    assert total is not None, "a kernel reaches somewhere"
    return (total >> BITS).clamp_(0, 255).to(torch.uint8)


@lru_cache(maxsize=8)
def _kernel(device: torch.device, source: int, target: int) -> tuple[Tensor, Tensor]:
    """Return ``(taps, target)`` source pixels int64, and their weights int32."""
    scale = source / target
    stretch = max(scale, 1.0)
    centre = (np.arange(target) + 0.5) * scale
    reach = SUPPORT * stretch
    first = np.maximum((centre - reach + 0.5).astype(np.int64), 0)
    stop = np.minimum((centre + reach + 0.5).astype(np.int64), source)
    places = first + np.arange(2 * ceil(reach) + 1)[:, None]
    weights = _bicubic((places - centre + 0.5) * (1.0 / stretch))
    weights[places >= stop] = 0.0
    weights /= np.cumsum(weights, axis=0)[-1]  # one after the other, as Pillow sums
    whole = np.trunc(weights * (1 << BITS) + np.copysign(0.5, weights))
    places = np.minimum(places, source - 1)
    whole[weights == 0.0] = 0.0
    return to_device(places, device), to_device(whole.astype(np.int32), device)


def _bicubic(x: np.ndarray) -> np.ndarray:
    """Return Pillow's kernel, of a = −½."""
    x, a = np.abs(x), -0.5
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1.0, near, np.where(x < SUPPORT, far, 0.0))
