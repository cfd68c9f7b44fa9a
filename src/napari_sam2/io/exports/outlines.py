"""Outlines of the objects of a label image, along the borders of pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def outlines(labels: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield id, number of the piece, and ``(points, 2)`` float32 of y, x.

    Coordinates are ImageJ's: the corner of the first pixel is ``(0, 0)``. Outlines run
    along the border of pixels, so that filling them gives the mask back. Pixels that
    meet at a corner alone are pieces apart; the largest piece comes first; holes are
    left out.
    """
    padded = np.pad(labels, 1)
    flat, width = padded.ravel(), padded.shape[1]
    sides, follows = _border(flat, width)
    pixels, side = np.divmod(sides, 4)
    # Clockwise around a pixel: its top side begins at its upper left corner, and so on.
    corners = np.stack(np.divmod(pixels, width), 1) - 1
    corners += np.array([[0, 0], [0, 1], [1, 1], [1, 0]])[side]
    turns = np.zeros(len(sides), bool)
    turns[follows[side[follows] != side]] = True
    pieces: dict[int, list[tuple[float, np.ndarray]]] = {}
    for ring in _rings(follows):
        line = corners[ring[turns[ring]]]
        area = _area(line)
        if area > 0:
            object_id = int(flat[pixels[ring[0]]])
            pieces.setdefault(object_id, []).append((area, line.astype(np.float32)))
    for object_id, found in sorted(pieces.items()):
        found.sort(key=lambda piece: piece[0], reverse=True)
        for number, (_, line) in enumerate(found):
            yield object_id, number, line


def _border(flat: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sides of pixels at which objects end, and which follows on which.

    Parameters
    ----------
    flat
        ``(Y * X,)`` labels with a margin of background.

    Returns
    -------
    numpy.ndarray
        Four times the pixel, plus 0 for its top, and so on clockwise; ascending.
    numpy.ndarray
        For each of them the place of the one that goes on where it ends.
    """
    steps = np.array([1, width, -1, -width])
    inside = np.flatnonzero(flat)
    ends = [inside[flat[inside + steps[side - 1]] != flat[inside]] for side in range(4)]
    sides = np.sort(
        np.concatenate([4 * found + side for side, found in enumerate(ends)])
    )
    pixels, side = np.divmod(sides, 4)
    ahead = pixels + steps[side]
    beyond = ahead + steps[side - 1]
    goes_on = flat[ahead] == flat[pixels]
    bends_out = goes_on & (flat[beyond] == flat[pixels])
    next_pixels = np.where(bends_out, beyond, np.where(goes_on, ahead, pixels))
    next_side = np.where(bends_out, side - 1, np.where(goes_on, side, side + 1)) % 4
    return sides, np.searchsorted(sides, 4 * next_pixels + next_side)


def _rings(follows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the closed ways along ``follows``, each as the places on it."""
    after = follows.tolist()
    is_new = bytearray(b"\1") * len(after)
    for first in range(len(after)):
        ring, place = [], first
        while is_new[place]:
            is_new[place] = 0
            ring.append(place)
            place = after[place]
        if ring:
            yield np.array(ring)


def _area(line: np.ndarray) -> float:
    """Return the signed area of a closed line; holes run the other way round."""
    y, x = line.T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)
