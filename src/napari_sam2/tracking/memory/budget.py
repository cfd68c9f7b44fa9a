"""What objects cost in memory, and how many a budget holds. Integers; no tensors.

The dock shows these numbers before torch is loaded, so nothing here may import it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from napari_sam2.errors import InputError
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

FASTEST_BATCH = 2**33
"""Bytes, as `bytes_per_object` counts them, beyond which larger batches are no faster.
On a GPU, of SAM 2.1 tiny at 1024, 16 objects at once took 9.1 ms each, and 64 took 9.5
and four times the memory."""


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


def bytes_remembered(config: Sam2Config, image_size: int) -> int:
    """Return what one object's row of the memory bank takes on the device.

    Rings have one slot more than takes part in attention; see `memory_budget`.
    """
    spatial = MEMORY_BYTES * config.memory_dim * prod(config.memory_grid(image_size))
    pointer = POINTER_BYTES * config.hidden_dim
    return (RECENT_MEMORIES + 1 + GAP_BOUNDS) * spatial + (
        MAX_POINTERS + GAP_BOUNDS
    ) * pointer


def bytes_answered(config: Sam2Config, image_size: int) -> int:
    """Return what one object's mask and pointer take until the frame is done."""
    return 4 * ((image_size // LOGIT_STRIDE) ** 2 + config.hidden_dim)


def bytes_embedded(config: Sam2Config, image_size: int) -> int:
    """Return what the embedding of a frame, or of a tile, is kept in, in float32."""
    fine, coarse = config.high_res_dims
    numbers = (
        config.hidden_dim * (image_size // STRIDE) ** 2
        + fine * (image_size // LOGIT_STRIDE) ** 2
        + coarse * (image_size // LOGIT_STRIDE // 2) ** 2
    )
    return 4 * numbers


def bytes_staged(config: Sam2Config, image_size: int) -> int:
    """Estimate what a frame, or a tile, takes while it is embedded, in float32.

    Most is wanted where the map is finest: what comes in, three projections, the four
    times wider layer before and after its activation, and the map for the decoder.
    """
    finest = (image_size // LOGIT_STRIDE) ** 2
    trunk = finest * (10 * config.trunk.channels[0] + 2 * config.hidden_dim)
    return 4 * (trunk + 2 * 3 * image_size**2)


@dataclass(frozen=True, slots=True)
class BudgetPlan:
    """What a memory budget allows on the device, known before the first frame.

    Of frames and tiles one at a time is embedded, however many there are; objects are
    computed after that.

    Attributes
    ----------
    model_bytes
        What the weights take of it.
    remembered_bytes
        What one object is remembered in, and its answer until the frame is done.
    computed_bytes
        What one object takes while it is computed.
    staged_bytes
        What a frame, or a tile, takes while it is embedded.
    embedded_bytes
        What its embedding takes.
    """

    total_bytes: int
    model_bytes: int
    remembered_bytes: int
    computed_bytes: int
    staged_bytes: int = 0
    embedded_bytes: int = 0

    @property
    def spare_bytes(self) -> int:
        """What is left for objects; negative if not even a frame can be embedded."""
        return self.total_bytes - self.model_bytes - self.embedded_bytes

    @property
    def objects(self) -> int:
        """How many objects can be remembered while at least one is computed."""
        working = max(self.computed_bytes, self.staged_bytes)
        blocks = (self.spare_bytes - working) // self.remembered_bytes
        return max(0, blocks // ROW_BLOCK * ROW_BLOCK)

    def check(self, objects: int) -> None:
        """Refuse so many objects where they take more than the budget.

        Raises
        ------
        InputError
            Saying what would be enough.
        """
        total = f"a memory of {self.total_bytes / 1e9:.3g} GB"
        working = max(self.computed_bytes, self.staged_bytes)
        rows = -(-max(objects, 1) // ROW_BLOCK) * ROW_BLOCK
        needed = working - self.spare_bytes + self.total_bytes
        needed += rows * self.remembered_bytes
        if self.objects == 0:
            raise InputError(
                f"{total}: one object on one frame takes {needed / 1e9:.3g} GB; allow "
                "more, or choose a smaller model or input size"
            )
        if objects > self.objects:
            raise InputError(
                f"{total} holds {self.objects} objects, and {objects} take "
                f"{needed / 1e9:.3g} GB; allow more, track the objects in parts, or "
                "choose a smaller model or input size"
            )

    def at_once(self, objects: int) -> int:
        """Return how many of so many remembered objects can be computed at once.

        At least one, because the tracker cannot do with less, and no more than is fast.
        """
        working = min(self._free(objects), FASTEST_BATCH)
        return max(1, min(objects, working // self.computed_bytes))

    def cached_bytes(self, objects: int) -> int:
        """Return what embeddings may be kept in beside so many remembered objects.

        At least the one in hand.
        """
        working = max(self.at_once(objects) * self.computed_bytes, self.staged_bytes)
        return self.embedded_bytes + max(0, self._free(objects) - working)

    def _free(self, objects: int) -> int:
        rows = -(-objects // ROW_BLOCK) * ROW_BLOCK
        return self.spare_bytes - rows * self.remembered_bytes


def plan_budget(
    config: Sam2Config, image_size: int, *, total_bytes: int, model_bytes: int
) -> BudgetPlan:
    """Say what a budget of bytes allows with a network, at two anchors per object."""
    return BudgetPlan(
        total_bytes,
        model_bytes,
        bytes_remembered(config, image_size) + bytes_answered(config, image_size),
        bytes_per_object(config, image_size, GAP_BOUNDS),
        bytes_staged(config, image_size),
        bytes_embedded(config, image_size),
    )
