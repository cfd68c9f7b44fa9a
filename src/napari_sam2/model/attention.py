"""Attention between token sequences, plain and with rotary positions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam2.model.config import Pooling
from napari_sam2.model.pooled_attention import attend_pooled
from napari_sam2.model.position import rotate
from napari_sam2.model.weighted_sums import weighted_means


class Attention(nn.Module):
    """Scaled dot-product attention with projections, optionally to fewer channels.

    Parameters
    ----------
    dim
        Channels of queries and of the output.
    inner_dim
        Channels of all heads together; ``dim`` unless told otherwise.
    key_dim
        Channels of keys and values; ``dim`` unless told otherwise.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        inner_dim: int | None = None,
        key_dim: int | None = None,
    ) -> None:
        super().__init__()
        inner = inner_dim or dim
        self.heads = heads
        self.q_proj = nn.Linear(dim, inner)
        self.k_proj = nn.Linear(key_dim or dim, inner)
        self.v_proj = nn.Linear(key_dim or dim, inner)
        self.out_proj = nn.Linear(inner, dim)

    def forward(
        self,
        q: Float[Tensor, "b queries dim"],
        k: Float[Tensor, "b keys key_dim"],
        v: Float[Tensor, "b keys key_dim"],
    ) -> Float[Tensor, "b queries dim"]:
        """Attend from queries to keys."""
        heads = (self._split(self.q_proj(q)), self._split(self.k_proj(k)))
        out = F.scaled_dot_product_attention(*heads, self._split(self.v_proj(v)))
        return self._merge(out)

    def _split(self, x: Tensor) -> Tensor:
        batch, tokens, channels = x.shape
        x = x.reshape(batch, tokens, self.heads, channels // self.heads)
        return x.transpose(1, 2)  # (b, heads, tokens, channels / heads)

    def _merge(self, x: Tensor) -> Tensor:
        merged: Tensor = self.out_proj(x.transpose(1, 2).flatten(2))
        return merged


@dataclass(frozen=True)
class Rotation:
    """Rotary angles of one embedding's tokens, see `position.rotary_angles`.

    Attributes
    ----------
    cosine, sine
        ``(tokens, C/2)``.
    of_keys
        The angles of one map of the keys, where they are others.
    """

    cosine: Tensor
    sine: Tensor
    of_keys: Rotation | None = None

    def behind(self, tokens: int) -> Rotation:
        """Return the same behind so many tokens that are not turned."""
        still = (0, 0, tokens, 0)
        return Rotation(F.pad(self.cosine, still, value=1.0), F.pad(self.sine, still))

    def turn(self, x: Float[Tensor, "b heads n c"]) -> Float[Tensor, "b heads n c"]:
        """Turn the tokens of maps that lie one after the other."""
        batch, heads, tokens, channels = x.shape
        each = len(self.cosine)
        maps = x.reshape(batch, heads, tokens // each, each, channels)
        return rotate(maps, self.cosine, self.sine).flatten(2, 3)

    def turn_in_place(self, x: Float[Tensor, "b n c"]) -> None:
        """Turn float32 tokens on a CPU, of one head, where they lie."""
        pairs = x.shape[-1] // 2
        maps = x.view(len(x), -1, len(self.cosine), pairs, 2)
        torch.view_as_complex(maps).mul_(self._turns)

    @cached_property
    def _turns(self) -> Tensor:
        return torch.complex(self.cosine, self.sine)


class RotaryAttention(Attention):
    """Attention whose queries and map keys are turned by their position.

    Keys may hold several maps of the queries' size, one after the other, and end with
    tokens that have no position (object pointers).

    Parameters
    ----------
    dim, heads, key_dim
        As in `Attention`.
    free_order, pooling
        See `napari_sam2.model.config.Sam2Config`.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        key_dim: int | None = None,
        *,
        free_order: bool = False,
        pooling: Pooling = "none",
    ) -> None:
        super().__init__(dim, heads, key_dim=key_dim)
        self.free_order, self.pooling = free_order, pooling

    def forward(
        self,
        q: Float[Tensor, "#b queries dim"],
        k: Float[Tensor, "b keys key_dim"],
        v: Float[Tensor, "b keys key_dim"],
        rotation: Rotation | None = None,
        unplaced_keys: int = 0,
        key_mask: Bool[Tensor, "b keys"] | None = None,
    ) -> Float[Tensor, "b queries dim"]:
        """Attend with rotary positions.

        Parameters
        ----------
        q, k, v
            Tokens; queries may have one row for all.
        rotation
            Angles of the queries and of each map of the keys; required.
        unplaced_keys
            How many keys at the end are not turned.
        key_mask
            True for keys that exist; None when all do.
        """
        if rotation is None:
            raise ValueError("rotary attention needs the rotation of its queries")
        of_keys = rotation.of_keys or rotation
        queries, placed = self.q_proj(q), k.shape[1] - unplaced_keys
        in_place = self._in_place(queries)
        if in_place:
            rotation.turn_in_place(queries)
        if in_place and self.free_order:
            scaled = (queries * queries.shape[-1] ** -0.5).expand(len(k), -1, -1)
            each = self._turned_keys(k, of_keys, placed)
            means = weighted_means(scaled, each, v, key_mask)
            summed: Tensor = self.out_proj(self.v_proj(means))
            return summed
        keys = self.k_proj(k)
        if in_place:
            of_keys.turn_in_place(keys[:, :placed])
            queries, keys = self._split(queries), self._split(keys)
        else:
            queries, keys = rotation.turn(self._split(queries)), self._split(keys)
            turned = of_keys.turn(keys[:, :, :placed])
            keys = torch.cat((turned, keys[:, :, placed:]), dim=2)
        queries = queries.expand(len(keys), -1, -1, -1)
        values = self._split(self.v_proj(v))
        if self.pooling != "none":
            return self._merge(
                attend_pooled(
                    queries,
                    keys,
                    values,
                    placed,
                    key_mask,
                    in_keys=self.pooling == "keys",
                )
            )
        mask = None if key_mask is None else key_mask[:, None, None, :]
        out = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        return self._merge(out)

    def _turned_keys(
        self, k: Tensor, rotation: Rotation, placed: int
    ) -> Iterator[Tensor]:
        """Yield the ``(keys, dim)`` of each row; all lie in the same memory."""
        keys = k.new_empty(k.shape[1], self.k_proj.out_features)
        for row in k:
            torch.addmm(self.k_proj.bias, row, self.k_proj.weight.t(), out=keys)
            rotation.turn_in_place(keys[None, :placed])
            yield keys

    def _in_place(self, queries: Tensor) -> bool:
        """Whether to go the way that was measured to be faster on CPUs in float32."""
        return (
            self.heads == 1
            and queries.is_cpu
            and queries.dtype == torch.float32
            and not torch.is_grad_enabled()
            and not torch.compiler.is_compiling()
        )
