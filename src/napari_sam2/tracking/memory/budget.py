"""What objects cost in memory, and how many a budget holds. Integers; no tensors.

The dock shows these numbers before torch is loaded, so nothing here may import it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from napari_sam2.model.config import (
    LOGIT_STRIDE,
    MAX_POINTERS,
    RECENT_MEMORIES,
    STRIDE,
    Sam2Config,
)
from napari_sam2.tracking.memory.slots import GAP_BOUNDS, ROW_BLOCK

MEMORY_BYTES = 2
"""Bytes of one number of a spatial memory: bf16."""

POINTER_BYTES = 4
"""Bytes of one number of an object pointer: float32."""


def bytes_per_object(config: Sam2Config, image_size: int, anchors: int) -> int:
    """Estimate what one object of a batch takes while it is computed, in float32."""
    tokens = (image_size // STRIDE) ** 2
    keys = prod(config.memory_grid(image_size)) * (RECENT_MEMORIES + anchors)
    attention = keys * (3 * config.memory_dim + 8 * config.hidden_dim)
    feedforward = tokens * (2 * config.feedforward_dim + 8 * config.hidden_dim)
    decoder = (image_size // LOGIT_STRIDE) ** 2 * (config.hidden_dim + 8)
    memory_encoder = 16 * image_size**2
    return 4 * (attention + feedforward + decoder + memory_encoder)


def bytes_per_point(config: Sam2Config, image_size: int, shape: tuple[int, int]) -> int:
    """Estimate what one point takes whose candidates are resized to ``(Y, X)`` pixels.

    In float32; three candidates, and as much again for what is compared with them.
    """
    tokens = (image_size // STRIDE) ** 2 * (2 * config.feedforward_dim)
    decoder = (image_size // LOGIT_STRIDE) ** 2 * (config.hidden_dim + 8)
    return 4 * (tokens + decoder + 2 * 3 * shape[0] * shape[1])


def bytes_remembered(
    config: Sam2Config, image_size: int, anchors: int = GAP_BOUNDS
) -> int:
    """Return what one object's row of the memory bank takes on the device.

    Rings have one slot more than takes part in attention; see `memory_budget`.
    """
    spatial = MEMORY_BYTES * config.memory_dim * prod(config.memory_grid(image_size))
    pointer = POINTER_BYTES * config.hidden_dim
    return (RECENT_MEMORIES + 1 + anchors) * spatial + (
        MAX_POINTERS + anchors
    ) * pointer


@dataclass(frozen=True, slots=True)
class BudgetPlan:
    """What a memory budget allows.

    Attributes
    ----------
    total_bytes
        The budget.
    model_bytes
        What the weights take of it.
    remembered_bytes
        What one object is remembered in.
    computed_bytes
        What one object takes while it is computed.
    """

    total_bytes: int
    model_bytes: int
    remembered_bytes: int
    computed_bytes: int

    @property
    def spare_bytes(self) -> int:
        """What is left for objects; negative if not even the weights fit."""
        return self.total_bytes - self.model_bytes

    @property
    def objects(self) -> int:
        """How many objects can be remembered while at least one is computed."""
        blocks = (self.spare_bytes - self.computed_bytes) // self.remembered_bytes
        return max(0, blocks // ROW_BLOCK * ROW_BLOCK)

    def at_once(self, objects: int) -> int:
        """Return how many of so many remembered objects can be computed at once.

        At least one, because the tracker cannot do with less.
        """
        rows = -(-objects // ROW_BLOCK) * ROW_BLOCK
        free = self.spare_bytes - rows * self.remembered_bytes
        return max(1, min(objects, free // self.computed_bytes))


def plan_budget(
    config: Sam2Config, image_size: int, *, total_bytes: int, model_bytes: int
) -> BudgetPlan:
    """Say what a budget of bytes allows with a network, at two anchors per object."""
    return BudgetPlan(
        total_bytes,
        model_bytes,
        bytes_remembered(config, image_size),
        bytes_per_object(config, image_size, GAP_BOUNDS),
    )
