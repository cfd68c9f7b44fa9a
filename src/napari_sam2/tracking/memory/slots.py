"""The accountant of the memory bank: which frames stay, which take part. No tensors.

Frame f lies in slot ``f mod slots`` of a ring. So a ring needs no head and no shifting,
forward and backward passes use it alike, and storing a frame twice replaces it. Rings
have one slot more than take part in attention: the frame in hand may be corrected after
it was remembered, and must not have pushed out the oldest memory that it still needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

EMPTY = np.iinfo(np.int64).min
"""Frame index of a slot that holds nothing; no distance leads to it."""

GAP_BOUNDS = 2
"""Anchors that bound a gap: one before it, one after it."""

ROW_BLOCK = 8
"""Rows are added in blocks of at least this many."""


def grown_rows(rows: int, needed: int) -> int:
    """Return how many rows to allocate when ``needed`` no longer fit into ``rows``."""
    if needed <= rows:
        return rows
    wanted = max(needed, rows + rows // 4)
    return -(-wanted // ROW_BLOCK) * ROW_BLOCK


class FrameRing:
    """Which frame each slot of each row's ring holds, and which tile of it.

    Parameters
    ----------
    reach
        The largest distance in frames that takes part in attention.

    Attributes
    ----------
    frames, seen
        ``(rows, slots)`` int64: which frame a slot counts as, and is. They are the same
        but for rows that waited.
    tiles
        ``(rows, slots)`` int64.
    """

    def __init__(self, reach: int) -> None:
        self.reach = reach
        self.slots = reach + 1
        self.frames = np.full((0, self.slots), EMPTY, dtype=np.int64)
        self.seen = self.frames.copy()
        self.tiles = np.zeros((0, self.slots), dtype=np.int64)

    def grow(self, rows: int) -> None:
        """Have at least so many rows; new ones are empty."""
        missing = rows - len(self.frames)
        if missing > 0:
            new = np.full((missing, self.slots), EMPTY, dtype=np.int64)
            self.frames = np.concatenate((self.frames, new))
            self.seen = np.concatenate((self.seen, new))
            self.tiles = np.concatenate((self.tiles, np.zeros_like(new)))

    def slot(self, frame_index: int) -> int:
        """Return the slot that belongs to a frame."""
        return frame_index % self.slots

    def record(self, rows: np.ndarray, frame_index: int, tile: int = 0) -> int:
        """Note that rows now hold a tile of a frame; return the slot to write it to."""
        slot = self.slot(frame_index)
        self.frames[rows, slot] = self.seen[rows, slot] = frame_index
        self.tiles[rows, slot] = tile
        return slot

    def wait(self, rows: np.ndarray, step: int) -> None:
        """Let what rows hold count as one frame later, or earlier for a step of −1."""
        frames = self.frames[rows]
        frames[frames != EMPTY] += step
        self.frames[rows] = np.roll(frames, step, axis=1)
        self.seen[rows] = np.roll(self.seen[rows], step, axis=1)
        self.tiles[rows] = np.roll(self.tiles[rows], step, axis=1)

    def waited(self, rows: np.ndarray) -> bool:
        """Tell whether what rows hold counts as other frames than it is."""
        is_other = self.frames[rows] != self.seen[rows]
        return bool((is_other & (self.frames[rows] != EMPTY)).any())

    def drop(self, rows: np.ndarray, frame_index: int) -> None:
        """Note that rows no longer hold a frame, if they did."""
        slot = self.slot(frame_index)
        holds_it = self.frames[rows, slot] == frame_index
        self.frames[rows[holds_it], slot] = EMPTY

    def forget(self, rows: np.ndarray) -> None:
        """Empty the rings of rows."""
        self.frames[rows] = EMPTY

    def held(self, rows: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """Return ``(rows, frames)`` bool, whether rows hold frames."""
        held: np.ndarray = self.frames[rows[:, None], frames % self.slots] == frames
        return held


def choose_anchors(
    frames: Sequence[int], frame_index: int, limit: int | None
) -> list[int]:
    """Choose the anchors that take part in attention (spec §1.5).

    Parameters
    ----------
    frames
        Frames of all anchors of an object, in the order in which they were added.
    frame_index
        Frame that is being computed; an anchor on it never takes part in itself.
    limit
        How many may take part; None for all, as in the released weights. Up to two
        are the bounds of the frame's gap alone, so that an anchor changes nothing
        beyond its neighbours.

    Returns
    -------
    list
        The closest before, the closest after, then the nearest of the others; all, in
        their order, where a limit above two allows.
    """
    others = [frame for frame in frames if frame != frame_index]
    if limit is None or (limit > GAP_BOUNDS and len(others) <= limit):
        return others
    chosen = [
        *sorted((f for f in others if f < frame_index), reverse=True)[:1],
        *sorted(f for f in others if f > frame_index)[:1],
    ]
    if limit <= GAP_BOUNDS:
        return chosen[:limit]
    remaining = (f for f in others if f not in chosen)
    chosen += sorted(remaining, key=lambda f: abs(f - frame_index))
    return chosen[:limit]


class AnchorSlots:
    """Which of an object's anchors lie in which of its row's device slots.

    Parameters
    ----------
    limit
        Slots per row; None lets them grow with the anchors.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.slots = 2 if limit is None else limit
        self._resident: dict[int, dict[int, int]] = {}

    def place(self, row: int, wanted: Sequence[int]) -> list[tuple[int, int]]:
        """Make room for the wanted anchors of a row.

        Returns
        -------
        list
            ``(frame_index, slot)`` of the anchors that must be loaded now.
        """
        resident = self._resident.setdefault(row, {})
        missing = [frame for frame in wanted if frame not in resident]
        if not missing:
            return []
        if len(wanted) > self.slots:
            self.slots = max(len(wanted), 2 * self.slots)
        spare = [frame for frame in resident if frame not in wanted]
        free = sorted(set(range(self.slots)) - set(resident.values()))
        while len(free) < len(missing):
            free.append(resident.pop(spare.pop(0)))
        loads = list(zip(missing, free, strict=False))
        resident.update(loads)
        return loads

    def slot(self, row: int, frame_index: int) -> int:
        """Return where a resident anchor lies."""
        return self._resident[row][frame_index]

    def drop(self, row: int, frame_index: int | None = None) -> None:
        """Forget one anchor of a row, or all of them."""
        if frame_index is None:
            self._resident.pop(row, None)
        else:
            self._resident.get(row, {}).pop(frame_index, None)

    def clear(self) -> None:
        """Forget all rows."""
        self._resident.clear()


@dataclass(frozen=True, slots=True, eq=False)
class Recall:
    """What takes part in attention for a batch of rows: slots, times and validity.

    Attributes
    ----------
    anchor_frames
        Chosen anchors of each row, in order.
    ring_slots, ring_distances, ring_valid
        ``(memories,)`` slots of the spatial ring and their distance in frames, old to
        recent; ``(rows, memories)`` whether each row has them. Columns that no row has
        are left out.
    pointer_slots, pointer_distances, pointer_valid
        The same for pointers, recent to old.
    """

    anchor_frames: list[list[int]]
    ring_slots: np.ndarray
    ring_distances: np.ndarray
    ring_valid: np.ndarray
    pointer_slots: np.ndarray
    pointer_distances: np.ndarray
    pointer_valid: np.ndarray


def padded(rows: Sequence[Sequence[int]], fill: int) -> np.ndarray:
    """Return ``(rows, longest)`` int64, short rows filled up at their end."""
    longest = max((len(row) for row in rows), default=0)
    filled = [[*row, *([fill] * (longest - len(row)))] for row in rows]
    return np.asarray(filled, dtype=np.int64).reshape(len(rows), longest)


def recall(
    rings: tuple[FrameRing, FrameRing],
    rows: np.ndarray,
    anchor_frames: list[list[int]],
    frame_index: int,
    *,
    pointer_reach: int,
    reverse: bool,
) -> Recall:
    """Select what each row remembers of the frames behind ``frame_index``.

    A chosen anchor that the stream has also passed is not attended to twice; one that
    was not chosen counts as any other recent frame.

    Parameters
    ----------
    rings
        Of spatial memories and of pointers.
    rows
        ``(rows,)`` int64.
    anchor_frames
        Chosen anchors of each row.
    pointer_reach
        Largest distance of a pointer that takes part.
    reverse
        Whether the pass comes from later frames.
    """
    chosen = padded(anchor_frames, EMPTY)

    def look(ring: FrameRing, distances: np.ndarray) -> tuple[np.ndarray, ...]:
        frames = frame_index + (distances if reverse else -distances)
        valid = ring.held(rows, frames)
        seen = ring.seen[rows[:, None], frames % ring.slots]
        valid &= ~(chosen[:, :, None] == seen[:, None]).any(axis=1)
        has_any = valid.any(axis=0)
        return frames[has_any] % ring.slots, distances[has_any], valid[:, has_any]

    spatial, pointers = rings
    maps = look(spatial, np.arange(spatial.reach, 0, -1))
    points = look(pointers, np.arange(1, min(pointer_reach, pointers.reach) + 1))
    return Recall(
        anchor_frames=anchor_frames,
        ring_slots=maps[0],
        ring_distances=maps[1],
        ring_valid=maps[2],
        pointer_slots=points[0],
        pointer_distances=points[1],
        pointer_valid=points[2],
    )
