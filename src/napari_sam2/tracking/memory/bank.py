"""The owner of what is remembered of each object: bounded, however long the movie.

Per object there is a ring of recent spatial memories, a ring of recent pointers, the
mask last tracked, and its anchors. Anchors are never lost: all of them lie in host
memory, and the few that take part in attention have a copy on the device. Which frames
these are is counted in `memory_budget`; here are the tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from napari_sam2.interfaces import StoredAnchor
from napari_sam2.model.config import MAX_POINTERS, RECENT_MEMORIES, Sam2Config
from napari_sam2.model.memory_attention import ANCHOR_TIME, MemorySelection
from napari_sam2.tiles import TileLayout
from napari_sam2.tracking.device.transfer import HOST, to_device, together_to_device
from napari_sam2.tracking.memory.handover import (
    logits_in_tile,
    moved,
    moved_memories,
    tile_shifts,
)
from napari_sam2.tracking.memory.object_table import ObjectTable
from napari_sam2.tracking.memory.slots import (
    AnchorSlots,
    FrameRing,
    Recall,
    choose_anchors,
    grown_rows,
    padded,
    recall,
)
from napari_sam2.tracking.memory.stage import Stage
from napari_sam2.tracking.memory.tensors import STORAGE, RowTensors
from napari_sam2.tracking.postprocess import OUTSIDE_LOGIT


@dataclass(frozen=True, slots=True, eq=False)
class Anchor:
    """An anchor as the bank keeps it, in host memory.

    Attributes
    ----------
    stored
        What the person saw.
    memory
        ``(M, h, w)`` bf16 spatial memory.
    """

    stored: StoredAnchor
    memory: Tensor

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return (
            self.memory.nbytes + self.stored.logits.nbytes + self.stored.pointer.nbytes
        )


@dataclass(frozen=True, slots=True)
class LastTracked:
    """Which frame the stream last computed for an object, which way, in which tile."""

    frame_index: int
    reverse: bool
    tile: int = 0


class MemoryBank:
    """What is remembered of each object.

    Parameters
    ----------
    config, image_size
        Decide the shapes.
    device, dtype
        Where the tensors live, and what memories are cast to when they are used.
    frame_count
        Length of the movie; it matters below 16 frames (spec §1.5). None: 16 or more.
    max_anchors
        How many anchors of an object take part in attention; None for all.
    """

    def __init__(  # noqa: PLR0913
        self,
        config: Sam2Config,
        image_size: int,
        *,
        layout: TileLayout,
        device: torch.device,
        dtype: torch.dtype,
        frame_count: int | None,
        max_anchors: int | None,
    ) -> None:
        self.table, self.layout, self.stage = ObjectTable(), layout, Stage()
        self.device, self.dtype, self.max_anchors = device, dtype, max_anchors
        self.pointer_reach = max(min(frame_count or MAX_POINTERS, MAX_POINTERS) - 1, 1)
        self.spatial_ring = FrameRing(RECENT_MEMORIES)
        self.pointer_ring = FrameRing(MAX_POINTERS - 1)
        self.anchor_slots = AnchorSlots(max_anchors)
        self.tensors = RowTensors(config, image_size, device, self.anchor_slots.slots)
        self.last_tracked: dict[int, LastTracked] = {}
        self._anchors: dict[int, dict[int, Anchor]] = {}

    # --- Questions

    @property
    def nbytes(self) -> int:
        """Bytes of everything remembered; constant in the number of frames."""
        kept = (
            anchor for frames in self._anchors.values() for anchor in frames.values()
        )
        return self.tensors.nbytes + sum(anchor.nbytes for anchor in kept)

    @property
    def grid(self) -> tuple[int, int]:
        """Tokens down and across of a spatial memory."""
        height, width = self.tensors.spatial.shape[-2:]
        return height, width

    def anchors(self, object_id: int) -> dict[int, Anchor]:
        """Return an object's anchors by frame, in the order of their arrival."""
        return dict(self._anchors.get(object_id, {}))

    def anchor(self, object_id: int, frame_index: int) -> Anchor | None:
        """Return the object's anchor on a frame, if there is one."""
        return self._anchors.get(object_id, {}).get(frame_index)

    def tracked_logits(self, object_ids: Sequence[int], tile: int = 0) -> Tensor:
        """Return the ``(objects, S/4, S/4)`` float32 logits of the frames last tracked.

        They lie in host memory: only corrections need them. They are seen in a tile.
        """
        tracked = [
            logits_in_tile(
                self._tracked(one), (self.last_tracked[one].tile, tile), self.layout
            )
            for one in object_ids
        ]
        return torch.from_numpy(np.stack(tracked))

    def nearest_logits(
        self, object_ids: Sequence[int], frame_index: int, tile: int = 0
    ) -> np.ndarray:
        """Return ``(objects, S/4, S/4)`` float32 masks of the frames nearest in time.

        Of each object the mask last tracked, or an anchor on another frame that is
        nearer, seen in a tile. Each object needs an anchor there.
        """
        side = np.asarray(self.tensors.logits.shape[1:])
        nearest = []
        for object_id in object_ids:
            logits, source, frame = self._nearest(object_id, frame_index)
            here = logits_in_tile(logits, (source, tile), self.layout)
            down, right = self._stage_shifts(np.asarray(frame), frame_index, side)
            if down or right:
                here = moved(here, (int(down), int(right)), fill=OUTSIDE_LOGIT)
            nearest.append(here)
        return np.stack(nearest)

    def tile_of(self, object_id: int, frame_index: int) -> int | None:
        """Return the tile that an object has come to by the frame nearest in time.

        One that is not seen there is waited for where it was seen. None where nothing
        is known of other frames.
        """
        others = self._anchors.get(object_id, {}).keys() - {frame_index}
        if not others:
            return None
        if self.layout.is_whole:
            return 0
        logits, tile, _ = self._nearest(object_id, frame_index)
        box = self.layout.box_of(logits > 0, tile)
        return tile if box is None else self.layout.following(box, tile)

    def _nearest(self, object_id: int, frame_index: int) -> tuple[np.ndarray, int, int]:
        """Return the nearest mask of an object, the tile that it covers, its frame."""

        def distance(frame: int) -> int:
            return abs(frame - frame_index)

        anchors = self._anchors[object_id]
        nearest = min((one for one in anchors if one != frame_index), key=distance)
        last = self.last_tracked.get(object_id)
        if last is None or distance(nearest) < distance(last.frame_index):
            stored = anchors[nearest].stored
            return stored.logits, stored.tile, nearest
        return self._tracked(object_id), last.tile, last.frame_index

    def _tracked(self, object_id: int) -> np.ndarray:
        tracked: np.ndarray = self.tensors.logits[self.table.row(object_id)].numpy()
        return tracked

    # --- Recalling

    def select(
        self,
        object_ids: Sequence[int],
        frame_index: int,
        *,
        reverse: bool,
        tile: int = 0,
    ) -> MemorySelection:
        """Return what the objects remember of other frames than this one.

        Each object needs an anchor on another frame. Anchors come first, then recent
        frames, old to recent, as in the official implementation. What was seen in other
        tiles is moved to where it lies in this one.
        """
        rows = self.table.rows(object_ids)
        anchor_frames = [
            choose_anchors([*self._anchors[i]], frame_index, self.max_anchors)
            for i in object_ids
        ]
        self._load_anchors(object_ids, rows, anchor_frames)
        recalled = recall(
            (self.spatial_ring, self.pointer_ring),
            rows,
            anchor_frames,
            frame_index,
            pointer_reach=self.pointer_reach,
            reverse=reverse,
        )
        selection = self._gather(rows, recalled, frame_index, reverse)
        shifts = np.zeros((*selection.spatial_valid.shape, 2), np.int64)
        if not self.layout.is_whole:
            shifts += self._tile_shifts(object_ids, rows, recalled, tile)
        if not self.stage.is_still:
            ring_frames = self.spatial_ring.seen[rows[:, None], recalled.ring_slots]
            anchored = padded(anchor_frames, fill=frame_index)
            frames = np.concatenate((anchored, ring_frames), axis=1)
            grid = np.asarray(self.grid)
            shifts += self._stage_shifts(frames, frame_index, grid)
        return moved_memories(selection, shifts)

    def _stage_shifts(
        self, frames: np.ndarray, frame_index: int, grid: np.ndarray
    ) -> np.ndarray:
        """Return ``(…, 2)`` cells of a grid that the stage moved since other frames."""
        pixels = self.stage.shifts(frames, frame_index)
        cells: np.ndarray = np.round(pixels * grid / self.layout.tile_shape)
        return cells.astype(np.int64)

    def _tile_shifts(
        self, object_ids: Sequence[int], rows: np.ndarray, recalled: Recall, tile: int
    ) -> np.ndarray:
        """Return ``(objects, memories, 2)`` tokens from tile to tile."""
        anchor_tiles = [
            [self._anchors[object_id][frame].stored.tile for frame in frames]
            for object_id, frames in zip(
                object_ids, recalled.anchor_frames, strict=True
            )
        ]
        ring_tiles = self.spatial_ring.tiles[rows[:, None], recalled.ring_slots]
        tiles = np.concatenate((padded(anchor_tiles, fill=tile), ring_tiles), axis=1)
        return tile_shifts(tile, tiles, self.layout)

    def _gather(
        self, rows: np.ndarray, recalled: Recall, frame_index: int, reverse: bool
    ) -> MemorySelection:
        """Fetch the tensors that the accountant selected."""
        tensors, frames = self.tensors, recalled.anchor_frames
        slots = padded(
            [
                [self.anchor_slots.slot(row, frame) for frame in chosen]
                for row, chosen in zip(rows.tolist(), frames, strict=True)
            ],
            fill=0,
        )
        is_anchor = padded([[1] * len(chosen) for chosen in frames], fill=0) > 0
        age = (frame_index - padded(frames, fill=frame_index)) * (-1 if reverse else 1)
        is_past = is_anchor & (age > 0)  # only the past has pointers
        past_columns = np.flatnonzero(is_past.any(axis=0))
        times = np.full_like(slots, ANCHOR_TIME), recalled.ring_distances - 1
        ages = age[:, past_columns], recalled.pointer_distances
        indices = (
            rows[:, None],
            slots,
            recalled.ring_slots,
            recalled.pointer_slots,
            slots[:, past_columns],
            _joined(*times),
            _joined(*ages),
        )
        row, slot, ring_slot, pointer_slot, past_slot, time_index, distance = (
            together_to_device(indices, self.device)
        )
        maps = (tensors.anchor_spatial[row, slot], tensors.spatial[row, ring_slot])
        pointers = (
            tensors.anchor_pointers[row, past_slot],
            tensors.pointers[row, pointer_slot],
        )
        is_past = is_past[:, past_columns]
        return MemorySelection(
            spatial=torch.cat(maps, dim=1).to(self.dtype),
            time_index=time_index,
            spatial_valid=torch.from_numpy(_joined(is_anchor, recalled.ring_valid)),
            pointers=torch.cat(pointers, dim=1).to(self.dtype),
            pointer_distance=distance.float() / self.pointer_reach,
            pointer_valid=torch.from_numpy(_joined(is_past, recalled.pointer_valid)),
        )

    def _load_anchors(
        self,
        object_ids: Sequence[int],
        rows: np.ndarray,
        wanted: Sequence[Sequence[int]],
    ) -> None:
        """Bring the anchors that take part to the device; most often they are there."""
        for object_id, row, frames in zip(
            object_ids, rows.tolist(), wanted, strict=True
        ):
            for frame_index, slot in self.anchor_slots.place(row, frames):
                self.tensors.grow_anchor_slots(self.anchor_slots.slots)
                anchor = self._anchors[object_id][frame_index]
                pointer = torch.from_numpy(anchor.stored.pointer)
                memory = to_device(anchor.memory, self.device)
                self.tensors.anchor_spatial[row, slot] = memory
                self.tensors.anchor_pointers[row, slot] = to_device(
                    pointer, self.device
                )

    # --- Remembering

    def add_tracked(
        self,
        object_ids: Sequence[int],
        last: LastTracked,
        *,
        memory: Tensor,
        pointers: Tensor,
        logits: np.ndarray,
    ) -> None:
        """Remember a frame that the stream computed without prompts.

        Parameters
        ----------
        object_ids
            Objects with anchors.
        memory, pointers
            ``(objects, M, h, w)`` and ``(objects, C)``.
        logits
            ``(objects, S/4, S/4)`` float32.
        """
        self._record(object_ids, last.frame_index, last.tile, memory, pointers)
        self.assume_tracked(object_ids, last, logits)

    @torch.inference_mode()
    def assume_tracked(
        self, object_ids: Sequence[int], last: LastTracked, logits: np.ndarray
    ) -> None:
        """Take given masks for those that the stream computed on a frame.

        A prompt there is a correction of what the person sees, then.

        Parameters
        ----------
        object_ids
            Objects with anchors.
        logits
            ``(objects, S/4, S/4)`` float32.
        """
        rows = torch.from_numpy(self.table.rows(object_ids))
        self.tensors.logits[rows] = torch.from_numpy(logits)
        self.last_tracked.update(dict.fromkeys(object_ids, last))

    def wait(self, object_ids: Sequence[int], *, reverse: bool) -> None:
        """Let time stand still for objects: all that is recent stays as far behind.

        What was tracked last stays so too: the frame in hand tells nothing of them.
        """
        if not object_ids:
            return
        rows, step = self.table.rows(object_ids), -1 if reverse else 1
        row, tensors = to_device(rows, self.device), self.tensors
        self.spatial_ring.wait(rows, step)
        self.pointer_ring.wait(rows, step)
        tensors.spatial[row] = tensors.spatial[row].roll(step, dims=1)
        tensors.pointers[row] = tensors.pointers[row].roll(step, dims=1)

    def add_objects(self, object_ids: Iterable[int]) -> np.ndarray:
        """Return the rows of objects, making room for new ones."""
        rows = [self.table.add(object_id) for object_id in object_ids]
        allocated = grown_rows(self.tensors.rows, self.table.row_count)
        self.tensors.grow(allocated)
        self.spatial_ring.grow(allocated)
        self.pointer_ring.grow(allocated)
        return np.asarray(rows, dtype=np.int64)

    def add_anchor(self, anchor: Anchor) -> None:
        """Remember what a person prompted, instead of what was tracked there."""
        rows = self.put_anchor(anchor)
        for ring in (self.spatial_ring, self.pointer_ring):
            ring.drop(rows, anchor.stored.frame_index)

    def put_anchor(self, anchor: Anchor) -> np.ndarray:
        """Keep an anchor, replacing the object's anchor there; return its row."""
        object_id, frame_index = anchor.stored.object_id, anchor.stored.frame_index
        rows = self.add_objects([object_id])
        self._anchors.setdefault(object_id, {})[frame_index] = anchor
        self.anchor_slots.drop(int(rows[0]), frame_index)
        return rows

    def pass_anchor(self, object_id: int, frame_index: int) -> None:
        """Note that the stream passed an anchor: it is a recent frame, too.

        That matters only where it is not among the anchors that take part.
        """
        anchor = self._anchors[object_id][frame_index]
        pointer, tile = torch.from_numpy(anchor.stored.pointer), anchor.stored.tile
        self._record([object_id], frame_index, tile, anchor.memory[None], pointer[None])

    def _record(
        self,
        object_ids: Sequence[int],
        frame_index: int,
        tile: int,
        memory: Tensor,
        pointers: Tensor,
    ) -> None:
        """Write one frame of several objects into the rings."""
        rows = self.table.rows(object_ids)
        spatial_slot = self.spatial_ring.record(rows, frame_index, tile)
        pointer_slot = self.pointer_ring.record(rows, frame_index)
        row, tensors = to_device(rows, self.device), self.tensors
        memory, pointers = (to_device(one, self.device) for one in (memory, pointers))
        tensors.spatial[row, spatial_slot] = memory.to(STORAGE)
        tensors.pointers[row, pointer_slot] = pointers.float()

    # --- Forgetting

    def forget_recent(self, object_ids: Iterable[int] | None = None) -> None:
        """Forget the recent frames of some objects, or of all; anchors stay."""
        chosen = self.table.object_ids if object_ids is None else tuple(object_ids)
        rows = self.table.rows(chosen)
        self.spatial_ring.forget(rows)
        self.pointer_ring.forget(rows)
        for object_id in chosen:
            self.last_tracked.pop(object_id, None)

    def remove_anchor(self, object_id: int, frame_index: int) -> None:
        """Forget an anchor, and the recent frames that followed from it."""
        del self._anchors[object_id][frame_index]
        self.anchor_slots.drop(self.table.row(object_id), frame_index)
        self.forget_recent([object_id])

    def remove(self, object_id: int) -> None:
        """Forget an object; its row is free for the next."""
        self.forget_recent([object_id])
        self.anchor_slots.drop(self.table.row(object_id))
        self.table.remove(object_id)
        self._anchors.pop(object_id, None)

    def clear(self) -> None:
        """Forget all objects; the allocated rows stay."""
        self.forget_recent()
        self.anchor_slots.clear()
        self.table.clear()
        self._anchors.clear()
        self.stage.clear()


def _joined(anchors: np.ndarray, recent: np.ndarray) -> np.ndarray:
    """Put columns of anchors before those of recent frames."""
    rows = np.broadcast_to(recent, (len(anchors), recent.shape[-1]))
    return np.concatenate((anchors, rows), axis=1)


def to_host(memory: Tensor) -> Tensor:
    """Return a spatial memory as an anchor keeps it: bf16, in host memory."""
    return memory.to(HOST, STORAGE, copy=True)
