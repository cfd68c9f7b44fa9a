"""What the objects of a training clip remember, as tracking would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from napari_sam2.model.config import MAX_POINTERS, RECENT_MEMORIES
from napari_sam2.model.memory_attention import ANCHOR_TIME, MemorySelection


@dataclass(slots=True, eq=False)
class _Kept:
    """One frame: ``(rows, M, h, w)``, ``(rows, C)``, and which rows were written."""

    spatial: torch.Tensor
    pointers: torch.Tensor
    valid: torch.Tensor


class ClipMemory:
    """Memories of every row of a batch, anchors apart from recent frames.

    Rows may have different anchors; those that lack one are padded and masked.

    Parameters
    ----------
    rows
        Objects of the batch.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.anchors: dict[int, _Kept] = {}
        self.recent: dict[int, _Kept] = {}

    def add(
        self,
        frame: int,
        rows: torch.Tensor,
        memory: tuple[torch.Tensor, torch.Tensor],
        *,
        anchor: bool,
    ) -> None:
        """Remember the spatial memory and the pointers of some rows on a frame."""
        spatial, pointers = memory
        kept = self.anchors if anchor else self.recent
        if frame not in kept:
            kept[frame] = _Kept(
                spatial.new_zeros(self.rows, *spatial.shape[1:]),
                pointers.new_zeros(self.rows, *pointers.shape[1:]),
                torch.zeros(self.rows, dtype=torch.bool, device=spatial.device),
            )
        entry = kept[frame]
        entry.spatial = entry.spatial.index_copy(0, rows, spatial)
        entry.pointers = entry.pointers.index_copy(0, rows, pointers)
        entry.valid = entry.valid.index_fill(0, rows, True)

    def select(self, frame: int, rows: torch.Tensor) -> MemorySelection:
        """Return what some rows remember of other frames than this one.

        All their anchors, up to six recent memories, and the pointers of the past that
        are in reach.
        """
        anchors = [f for f in sorted(self.anchors) if f != frame]
        near = range(frame - RECENT_MEMORIES, frame)
        recent = [f for f in near if f in self.recent]
        past = [f for f in anchors if f < frame]
        reach = range(frame - MAX_POINTERS + 1, frame)
        pointing = [f for f in reach if f in self.recent]
        spatial = _chosen(self.anchors, anchors) + _chosen(self.recent, recent)
        pointers = _chosen(self.anchors, past) + _chosen(self.recent, pointing)
        device = spatial[0].spatial.device
        index = [ANCHOR_TIME] * len(anchors) + [frame - f - 1 for f in recent]
        distance = [(frame - f) / (MAX_POINTERS - 1) for f in (*past, *pointing)]
        return MemorySelection(
            spatial=torch.stack([kept.spatial[rows] for kept in spatial], dim=1),
            time_index=torch.tensor(index, device=device).expand(len(rows), -1),
            spatial_valid=torch.stack([kept.valid[rows] for kept in spatial], dim=1),
            pointers=torch.stack([kept.pointers[rows] for kept in pointers], dim=1),
            pointer_distance=torch.tensor(distance, device=device).expand(
                len(rows), -1
            ),
            pointer_valid=torch.stack([kept.valid[rows] for kept in pointers], dim=1),
        )


def _chosen(kept: Mapping[int, _Kept], frames: Sequence[int]) -> list[_Kept]:
    return [kept[frame] for frame in frames]
