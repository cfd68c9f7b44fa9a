"""Tiles: overlapping windows of a frame, each of which the network sees by itself.

Arithmetic on pixels; numpy alone. Tiles are numbered row by row. All have one shape,
and neighbours lie whole tokens of the network apart, so that what is remembered of an
object in one of them can be moved to the next. Where one tile covers the frame it is
the frame, number 0, whatever its shape. A region of interest is a layout of one tile.
Either may be filled up to a square, for networks that are not shown squashed frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil
from typing import Any, Self

import numpy as np

from napari_sam2.errors import InputError

Box = tuple[float, float, float, float]
"""``(y0, x0, y1, x1)``: first and last row and column, in pixels of the frame."""

Window = tuple[int, int, int, int]
"""``(y, x, height, width)`` in pixels: first pixel of a tile, and its shape."""

OVERLAP = 0.25
"""Of a tile's side, at least; an object that is smaller lies whole in some tile."""

LEAST_REGION = 16
"""Pixels across a region of interest, at least."""

STAY = 1 / 16
"""Of a tile's side: how much better another one must hold an object to take it over."""


@dataclass(frozen=True, slots=True)
class TileLayout:
    """Where the tiles of a frame lie.

    Attributes
    ----------
    frame_shape, tile_shape
        ``(Y, X)`` in pixels. Tiles at the end of a frame may reach beyond it.
    token
        Pixels across of one token of the network's memory; 0 for a whole frame or a
        region, in which nothing is ever moved.
    rows, columns
        First pixel of each row and of each column of tiles.
    bounds
        The part of the frame that many tiles cover; None for all of it.
    shown
        ``(Y, X)`` of what is looked at in the one tile, from its first pixel, where the
        rest is filled up with black; None where nothing is.
    """

    frame_shape: tuple[int, int]
    tile_shape: tuple[int, int]
    token: int = 0
    rows: tuple[int, ...] = (0,)
    columns: tuple[int, ...] = (0,)
    shown: tuple[int, int] | None = None
    bounds: Window | None = None

    @classmethod
    def whole(cls, frame_shape: tuple[int, int]) -> Self:
        """Return the one tile that is the frame."""
        height, width = frame_shape
        return cls((int(height), int(width)), (int(height), int(width)))

    @classmethod
    def of_region(cls, frame_shape: tuple[int, int], region: Window) -> Self:
        """Return the one tile that is a region of interest.

        Raises
        ------
        InputError
            If it does not lie in the frame, or is too small to see anything in.
        """
        shape = int(frame_shape[0]), int(frame_shape[1])
        y, x, height, width = (int(part) for part in region)
        is_inside = 0 <= y <= shape[0] - height and 0 <= x <= shape[1] - width
        if not is_inside or min(height, width) < min(LEAST_REGION, *shape):
            raise InputError(
                f"a region of {height} × {width} pixels from row {y}, column {x} of "
                f"frames of {shape[0]} × {shape[1]}: choose one that lies in the frame "
                f"and is at least {LEAST_REGION} pixels across"
            )
        return cls(shape, (height, width), 0, (y,), (x,))

    @classmethod
    def of_side(
        cls,
        frame_shape: tuple[int, int],
        side: int,
        grid: int,
        region: Window | None = None,
    ) -> Self:
        """Return square tiles that cover the frame, or a region as if it were one.

        Parameters
        ----------
        frame_shape
            ``(Y, X)`` in pixels.
        side
            Pixels across a tile.
        grid
            Tokens across the network's input, which must divide the side.
        region
            What of the frame is covered; None for all of it.

        Raises
        ------
        InputError
            If it does not, or the region does not suit the frame.
        """
        if region is not None:
            one = cls.of_region(frame_shape, region)
            many = cls.of_side(one.tile_shape, side, grid)
            (y, x), shape = one.origin(0), one.frame_shape
            if len(many) == 1:
                return one
            rows = tuple(y + start for start in many.rows)
            columns = tuple(x + start for start in many.columns)
            many = replace(many, frame_shape=shape, bounds=one.region)
            return replace(many, rows=rows, columns=columns)
        height, width = (int(length) for length in frame_shape)
        if side < 1 or side % grid:
            raise InputError(
                f"tiles of {side} pixels: give a multiple of {grid} for this input size"
            )
        if side >= height and side >= width:
            return cls.whole((height, width))
        token = side // grid
        rows, columns = (_starts(length, side, token) for length in (height, width))
        return cls((height, width), (side, side), token, rows, columns)

    def squared(self) -> Self:
        """Return the layout whose one tile is filled up with black to a square."""
        side = max(self.tile_shape)
        if self.tile_shape == (side, side):
            return self
        return replace(self, tile_shape=(side, side), shown=self.tile_shape)

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """Return the layout that `as_json` described."""
        lists: dict[str, Any] = {
            name: tuple(value) for name, value in facts.items() if name != "token"
        }
        return cls(token=int(facts["token"]), **lists)

    def as_json(self) -> dict[str, Any]:
        """Return the layout as a JSON-able mapping."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if value is not None
        }

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    @property
    def is_whole(self) -> bool:
        """Whether the one tile is the frame."""
        return self.tile_shape == self.frame_shape

    @property
    def side(self) -> int | None:
        """Pixels across each of many tiles; None for one tile."""
        return self.tile_shape[0] if len(self) > 1 else None

    @property
    def region(self) -> Window | None:
        """What of the frame is looked at, in one tile or many; None for all of it."""
        shown = self.shown or self.tile_shape
        if len(self) > 1 or shown == self.frame_shape:
            return self.bounds
        return (*self.origin(0), *shown)

    @property
    def covered(self) -> Window:
        """What of the frame is looked at."""
        return self.region or (0, 0, *self.frame_shape)

    def origin(self, tile: int) -> tuple[int, int]:
        """Return the ``(y, x)`` of a tile's first pixel."""
        row, column = divmod(tile, len(self.columns))
        return self.rows[row], self.columns[column]

    def windows(self, tiles: Sequence[int] | np.ndarray) -> list[Window]:
        """Return where tiles lie."""
        return [(*self.origin(int(tile)), *self.tile_shape) for tile in tiles]

    def crop(self, frame: np.ndarray, tile: int) -> np.ndarray:
        """Return a tile of a ``(Y, X, …)`` frame, the edge of what is covered repeated.

        A tile that is filled up is black there.

        Raises
        ------
        ValueError
            If the frame has another shape than the layout is for.
        """
        if self.is_whole:
            return frame
        if frame.shape[:2] != self.frame_shape:
            raise ValueError(f"a frame of {frame.shape[:2]}, not {self.frame_shape}")
        starts = self.origin(tile)
        inside = tuple(
            slice(start, min(start + side, first + length))
            for start, side, first, length in zip(
                starts, self.tile_shape, self.covered[:2], self.covered[2:], strict=True
            )
        )
        found = frame[inside]
        missing = [
            (0, side - length)
            for side, length in zip(self.tile_shape, found.shape[:2], strict=True)
        ]
        if not any(behind for _, behind in missing):
            return found
        missing += [(0, 0)] * (frame.ndim - 2)
        if self.shown:
            return np.pad(found, missing)
        return np.pad(found, missing, mode="edge")

    def shift(self, source: int, target: int) -> tuple[int, int]:
        """Return how many tokens what lies in one tile is further on in another."""
        if source == target:
            return 0, 0
        (y0, x0), (y1, x1) = self.origin(source), self.origin(target)
        return (y0 - y1) // self.token, (x0 - x1) // self.token

    def box_of(self, mask: np.ndarray, tile: int) -> Box | None:
        """Return the box of an ``(h, w)`` bool mask over a tile; None if it is empty.

        The mask may be coarser than the tile.
        """
        box = []
        for axis in (0, 1):
            inside = np.flatnonzero(mask.any(axis=1 - axis))
            if not len(inside):
                return None
            across = self.tile_shape[axis] / mask.shape[axis]
            start = self.origin(tile)[axis]
            box.append((start + inside[0] * across, start + (inside[-1] + 1) * across))
        (y0, y1), (x0, x1) = box
        return float(y0), float(x0), float(y1) - 1, float(x1) - 1

    def holds(self, tile: int, box: Box) -> bool:
        """Whether a box lies in a tile, and in the region."""
        windows = (*self.origin(tile), *(self.shown or self.tile_shape)), self.bounds
        return all(
            y - 0.5 <= box[0]
            and x - 0.5 <= box[1]
            and box[2] <= y + height - 0.5
            and box[3] <= x + width - 0.5
            for y, x, height, width in filter(None, windows)
        )

    def best(self, box: Box) -> int:
        """Return the tile in which a box lies farthest from what is cut off."""
        return self._chosen(box, None)

    def following(self, box: Box, tile: int) -> int:
        """Return the tile for a box that was in a tile before.

        It is handed over where another one holds it better by more than `STAY`, so that
        what lies between two of them does not go to and fro; what touches the border of
        its tile goes to any that holds it better.
        """
        return self._chosen(box, tile)

    def _chosen(self, box: Box, tile: int | None) -> int:
        if len(self) == 1:
            return 0
        before = (None, None) if tile is None else divmod(tile, len(self.columns))
        row, column = (
            self._on_axis(axis, (box[axis], box[axis + 2]), before[axis])
            for axis in (0, 1)
        )
        return row * len(self.columns) + column

    def _on_axis(self, axis: int, span: tuple[float, float], before: int | None) -> int:
        """Return which row, or which column, of tiles holds a span best."""
        starts = np.asarray((self.rows, self.columns)[axis])
        ends = starts + self.tile_shape[axis]
        first, length = self.covered[axis], self.covered[axis + 2]
        # Nothing is cut off where the frame, or the region, ends.
        low = np.where(starts == first, np.inf, span[0] - starts)
        at_end = ends >= first + length
        margins = np.minimum(low, np.where(at_end, np.inf, ends - 1 - span[1]))
        best = int(np.argmax(margins))
        if before is None:
            return best
        stay = STAY * self.tile_shape[axis] if margins[before] > 0 else 0
        return best if margins[best] > margins[before] + stay else before


def _starts(length: int, side: int, token: int) -> tuple[int, ...]:
    """Return where tiles begin on an axis: evenly, in whole tokens."""
    last = ceil(max(length - side, 0) / token)
    stride = max(1, int(side * (1 - OVERLAP)) // token)
    count = ceil(last / stride)
    return tuple(
        token * (number * last // max(count, 1)) for number in range(count + 1)
    )
