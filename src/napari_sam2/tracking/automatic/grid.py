"""Where the network is asked: points of a grid, on the frame and on crops of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_sam2.tiles import TileLayout


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a frame: rows ``y0`` to ``y1 − 1``, columns ``x0`` to ``x1 − 1``.

    Attributes
    ----------
    y0, x0, y1, x1
        In pixels of the frame.
    tier
        0 for a whole frame, region or tile; the crops of tier t are 4ᵗ.
    tile
        Number of the tile that it is, see `TileLayout`.
    """

    y0: int
    x0: int
    y1: int
    x1: int
    tier: int
    tile: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """``(Y, X)`` of the crop."""
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def area(self) -> int:
        """Pixels of the crop."""
        return self.shape[0] * self.shape[1]

    def of(self, frame: np.ndarray) -> np.ndarray:
        """Return this part of ``(Y, X, …)`` pixels, as a view."""
        return frame[self.y0 : self.y1, self.x0 : self.x1]


def point_grid(points_per_side: int, shape: tuple[int, int]) -> np.ndarray:
    """Return ``(n², 2)`` float ``(y, x)``: the centres of n × n equal fields.

    Parameters
    ----------
    points_per_side
        n.
    shape
        ``(Y, X)`` of what they cover, in pixels.
    """
    fractions = (np.arange(points_per_side) + 0.5) / points_per_side
    y, x = np.meshgrid(fractions * shape[0], fractions * shape[1], indexing="ij")
    return np.stack((y.ravel(), x.ravel()), axis=1)


def crops_of_tiles(layout: TileLayout) -> list[Crop]:
    """Return what lies in each tile of a frame, or of a region."""
    y, x, height, width = layout.covered
    crops = []
    for tile in range(len(layout)):
        y0, x0 = layout.origin(tile)
        y1 = min(y0 + layout.tile_shape[0], y + height)
        x1 = min(x0 + layout.tile_shape[1], x + width)
        crops.append(Crop(y0, x0, y1, x1, 0, tile))
    return crops


def crops_of(frame_shape: tuple[int, int], tiers: int, overlap: float) -> list[Crop]:
    """Return the whole frame, then the crops of each tier.

    Tier t cuts each side into 2ᵗ parts of equal length, which overlap by the same
    number of pixels along both sides: ``overlap`` times the short side in tier 1, half
    as much in each further one.

    Parameters
    ----------
    frame_shape
        ``(Y, X)`` in pixels.
    tiers
        How many tiers besides the frame itself.
    overlap
        Share of the frame's short side.
    """
    height, width = frame_shape
    crops = [Crop(0, 0, height, width, 0)]
    for tier in range(1, tiers + 1):
        parts = 2**tier
        common = int(overlap * min(frame_shape) * 2 / parts)
        rows, columns = (_parts(side, parts, common) for side in frame_shape)
        crops += [Crop(y0, x0, y1, x1, tier) for x0, x1 in columns for y0, y1 in rows]
    return crops


def _parts(side: int, parts: int, common: int) -> list[tuple[int, int]]:
    """Cut a side into overlapping parts; the last may reach the end early."""
    length = math.ceil((side + common * (parts - 1)) / parts)
    starts = [number * (length - common) for number in range(parts)]
    return [(start, min(start + length, side)) for start in starts]
