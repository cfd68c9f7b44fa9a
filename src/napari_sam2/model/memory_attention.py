"""Memory attention: a frame looks at what is remembered of an object (spec §1.4, §1.5).

Each object has its own spatial memories and pointers. Objects of one batch may
remember differently much: the shorter ones are padded and masked, which gives the same
result as running them alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam2.model.attention import RotaryAttention, Rotation
from napari_sam2.model.config import RECENT_MEMORIES, Sam2Config
from napari_sam2.model.layers import learned_embedding
from napari_sam2.model.position import rotary_angles, sine_distance, sine_position

ANCHOR_TIME = RECENT_MEMORIES
"""Time index of anchors; a recent memory of distance d has index d − 1."""

POSITION_SCALE = 0.1


@dataclass(frozen=True, slots=True)
class MemorySelection:
    """What a batch of objects remembers of other frames.

    Attributes
    ----------
    spatial
        ``(objects, memories, M, h, w)``, anchors first, then old to recent.
    time_index
        ``(objects, memories)`` integer: distance in frames − 1 for recent memories,
        `ANCHOR_TIME` for anchors.
    spatial_valid
        ``(objects, memories)``, False for padding. This and `pointer_valid` may lie on
        the host, where asking whether all are valid lets no device wait.
    pointers
        ``(objects, pointers, C)`` object pointers.
    pointer_distance
        ``(objects, pointers)`` signed distance in frames over the largest distance in
        use (spec §1.5).
    pointer_valid
        ``(objects, pointers)``, False for padding.
    known
        ``(objects, memories, h, w)``, False for places of which a memory does not tell;
        None where each tells of all.
    """

    spatial: Float[Tensor, "objects memories mem h w"]
    time_index: Int[Tensor, "objects memories"]
    spatial_valid: Bool[Tensor, "objects memories"]
    pointers: Float[Tensor, "objects pointers dim"]
    pointer_distance: Float[Tensor, "objects pointers"]
    pointer_valid: Bool[Tensor, "objects pointers"]
    known: Bool[Tensor, "objects memories h w"] | None = None


@dataclass(frozen=True, slots=True)
class MemoryTokens:
    """Keys of the cross-attention: map tokens first, pointer tokens last.

    Attributes
    ----------
    keys, values
        ``(objects, keys, M)`` each: what is remembered with its place and time, and
        without.
    pointer_count
        How many keys at the end come from pointers.
    mask
        ``(objects, keys)``, True for keys that exist; None when all do.
    """

    keys: Tensor
    values: Tensor
    pointer_count: int
    mask: Tensor | None


class MemoryTokenizer(nn.Module):
    """Turn a `MemorySelection` into the keys of the cross-attention."""

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        self.memory_dim, self.latents = config.memory_dim, config.latents
        self.tokens_per_pointer = config.hidden_dim // config.memory_dim
        self.time = learned_embedding(ANCHOR_TIME + 1, 1, 1, config.memory_dim)
        self.pointer_time = (
            nn.Linear(config.hidden_dim, config.memory_dim)
            if config.pointer_time
            else None
        )

    def forward(self, memory: MemorySelection) -> MemoryTokens:
        """Lay out maps and pointers as tokens with their place and time."""
        maps, map_positions = self._map_tokens(memory)
        pointers, pointer_positions = self._pointer_tokens(memory)
        values = torch.cat((maps, pointers), dim=1)
        positions = torch.cat((map_positions, pointer_positions), dim=1)
        return MemoryTokens(
            keys=values + positions,
            values=values,
            pointer_count=pointers.shape[1],
            mask=self._mask(memory),
        )

    def _map_tokens(self, memory: MemorySelection) -> tuple[Tensor, Tensor]:
        height, width = memory.spatial.shape[-2:]
        rows = self.latents or height
        place = sine_position(self.memory_dim, rows, width, memory.spatial.device)
        # Latents that know all of a memory lie above the others, and have no place.
        place = F.pad(place, (0, 0, height - rows, 0))
        place = place.flatten(2).transpose(1, 2)  # (1, h·w, M)
        time = self.time[memory.time_index, 0]  # (objects, memories, 1, M)
        content = memory.spatial.flatten(3).transpose(2, 3)
        position = place + time  # (objects, memories, h·w, M)
        return content.flatten(1, 2), position.flatten(1, 2)

    def _pointer_tokens(self, memory: MemorySelection) -> tuple[Tensor, Tensor]:
        objects, pointers, dim = memory.pointers.shape
        split = self.tokens_per_pointer
        content = memory.pointers.reshape(objects, pointers * split, self.memory_dim)
        if self.pointer_time is None:
            return content, torch.zeros_like(content)
        time = self.pointer_time(sine_distance(memory.pointer_distance, dim))
        return content, time.repeat_interleave(split, dim=1)

    def _mask(self, memory: MemorySelection) -> Tensor | None:
        is_full = memory.known is None and bool(memory.spatial_valid.all())
        if is_full and bool(memory.pointer_valid.all()):
            return None
        height, width = memory.spatial.shape[-2:]
        maps = memory.spatial_valid.repeat_interleave(height * width, dim=1)
        pointers = memory.pointer_valid.repeat_interleave(
            self.tokens_per_pointer, dim=1
        )
        mask = torch.cat((maps, pointers), dim=1).to(memory.spatial.device)
        if memory.known is not None:
            mask[:, : maps.shape[1]] &= memory.known.flatten(1)
        return mask


class MemoryAttentionLayer(nn.Module):
    """Self-attention, cross-attention to the memory, feed-forward; pre-norm."""

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        dim = config.hidden_dim
        self.self_attn = RotaryAttention(dim, heads=1)
        self.cross_attn_image = RotaryAttention(
            dim,
            heads=1,
            key_dim=config.memory_dim,
            free_order=config.free_order,
            pooling=config.pooling,
        )
        self.linear1 = nn.Linear(dim, config.feedforward_dim)
        self.linear2 = nn.Linear(config.feedforward_dim, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.norm3 = nn.LayerNorm(dim)

    def forward(
        self, x: Tensor, memory: MemoryTokens, within: Rotation, across: Rotation
    ) -> Tensor:
        """Update the ``(objects or 1, tokens, C)`` tokens of the current frame."""
        normed = self.norm1(x)
        x = x + self.self_attn(normed, normed, normed, within)
        x = x + self.cross_attn_image(
            self.norm2(x),
            memory.keys,
            memory.values,
            across,
            unplaced_keys=memory.pointer_count,
            key_mask=memory.mask,
        )
        wide = F.relu(self.linear1(self.norm3(x)), inplace=True)
        out: Tensor = x + self.linear2(wide)
        return out


class MemoryAttention(nn.Module):
    """Condition an embedding on the memory of each object."""

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            MemoryAttentionLayer(config) for _ in range(config.memory_attention_layers)
        )
        self.norm = nn.LayerNorm(config.hidden_dim)
        self.latents = config.latents

    def forward(
        self, features: Float[Tensor, "#objects dim h w"], memory: MemoryTokens
    ) -> Float[Tensor, "objects dim h w"]:
        """Return features that know what the objects looked like.

        Given one row, all objects share it up to the first look at their memories.
        """
        dim, height, width = features.shape[1:]
        place = sine_position(dim, height, width, features.device)
        x = (features + POSITION_SCALE * place).flatten(2).transpose(1, 2)
        rotation = Rotation(*rotary_angles(dim, height, width, features.device))
        across = rotation
        if (side := self.latents) is not None:
            angles = rotary_angles(dim, side, side, features.device)
            of_keys = Rotation(*angles).behind(side**2)
            across = replace(rotation, of_keys=of_keys)
        for layer in self.layers:
            x = layer(x, memory, rotation, across)
        x = self.norm(x)
        out: Tensor = x.transpose(1, 2).reshape(-1, dim, height, width)
        return out
