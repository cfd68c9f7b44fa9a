"""The tensors of the memory bank: one row per object, allocated ahead."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_sam2.model.config import (
    LOGIT_STRIDE,
    MAX_POINTERS,
    RECENT_MEMORIES,
    Sam2Config,
)
from napari_sam2.tracking.device.transfer import HOST

STORAGE = torch.bfloat16
"""Memories are stored rounded to this, also in float32 runs, as the official ones are
(spec §1.5): unrounded, masks would drift from the official ones."""


class RowTensors:
    """What the rows remember, unaware of ids and frames.

    Attributes
    ----------
    spatial
        ``(rows, slots, M, h, w)`` bf16 ring of spatial memories, h = w = S/16 where
        they are not compressed.
    pointers
        ``(rows, slots, C)`` float32 ring of object pointers.
    anchor_spatial, anchor_pointers
        The same for the anchors that take part in attention.
    logits
        ``(rows, S/4, S/4)`` float32 on the host: the mask of the frame last tracked.

    Parameters
    ----------
    config, image_size
        Decide the shapes.
    device
        Where all but the logits live.
    anchor_slots
        Anchors per row to begin with.
    """

    def __init__(
        self,
        config: Sam2Config,
        image_size: int,
        device: torch.device,
        anchor_slots: int,
    ) -> None:
        side = image_size // LOGIT_STRIDE
        memory = config.memory_dim, *config.memory_grid(image_size)
        pointer = (config.hidden_dim,)
        self.spatial = torch.empty(
            (0, RECENT_MEMORIES + 1, *memory), dtype=STORAGE, device=device
        )
        self.pointers = torch.empty((0, MAX_POINTERS, *pointer), device=device)
        self.anchor_spatial = torch.empty(
            (0, anchor_slots, *memory), dtype=STORAGE, device=device
        )
        self.anchor_pointers = torch.empty((0, anchor_slots, *pointer), device=device)
        self.logits = torch.empty((0, side, side), device=HOST)

    @property
    def rows(self) -> int:
        """Allocated rows."""
        return len(self.spatial)

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.nbytes for tensor in self._all().values())

    def grow(self, rows: int) -> None:
        """Have at least so many rows."""
        for name, tensor in self._all().items():
            if rows > len(tensor):
                new = tensor.new_zeros((rows, *tensor.shape[1:]))
                new[: len(tensor)] = tensor
                setattr(self, name, new)

    def grow_anchor_slots(self, slots: int) -> None:
        """Have at least so many anchors per row."""
        for name in ("anchor_spatial", "anchor_pointers"):
            tensor: Tensor = getattr(self, name)
            held = tensor.shape[1]
            if slots > held:
                new = tensor.new_zeros((len(tensor), slots, *tensor.shape[2:]))
                new[:, :held] = tensor
                setattr(self, name, new)

    def _all(self) -> dict[str, Tensor]:
        return dict(vars(self))
