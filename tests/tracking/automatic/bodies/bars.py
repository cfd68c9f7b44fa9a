"""Two bars that are followed, as labels and as a picture."""

from __future__ import annotations

import numpy as np

HOST, GUEST = 2, 1


def labels_of(host: slice, guest: slice, row: int = 10) -> np.ndarray:
    """Return ``(64, 64)`` labels of two bars, ten pixels high."""
    labels = np.zeros((64, 64), np.uint16)
    labels[10:20, host] = HOST
    labels[row : row + 10, guest] = GUEST
    return labels


def frame_of(shown: np.ndarray) -> np.ndarray:
    grey = np.where(shown, 50, 150).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


APART = labels_of(slice(10, 50), slice(10, 35), row=40)
