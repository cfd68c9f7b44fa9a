"""The decoder's two-way transformer in fewer and larger products.

Sums are taken in another order than `mask_decoder.TwoWayTransformer` takes them:

- What comes of the positions of image and tokens is added to projections, not projected
  again: that of the image is the same for all objects and frames, that of tokens comes
  of one product for all layers.
- Keys, queries and values of the image come of one product.
- Heads are kept apart by zeros: each token is spread over as many rows as there are
  heads, with the channels of one head in each. So no map is laid out by heads.
- Masks of weights sum to one, so what is added to a value may be added to the sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam2.model.attention import Attention
from napari_sam2.model.mask_decoder import HEADS, TwoWayLayer, TwoWayTransformer


@dataclass(frozen=True, slots=True)
class _Projection:
    """Projections of one input, side by side.

    Attributes
    ----------
    weight
        ``(dim, channels)``.
    placed
        The same, with zeros where the position of the input does not count.
    bias
        ``(channels,)``.
    """

    weight: Tensor
    placed: Tensor
    bias: Tensor


def _query(attention: Attention, *, placed: bool = True) -> _Projection:
    """Return the projection of queries whose products with keys are scores."""
    scale = (attention.q_proj.out_features // HEADS) ** -0.5
    return _of(attention.q_proj, placed=placed, scale=scale)


def _of(linear: nn.Linear, *, placed: bool, scale: float = 1.0) -> _Projection:
    weight = linear.weight.detach().t() * scale
    bias = cast(Tensor, linear.bias).detach() * scale
    return _Projection(weight, weight if placed else torch.zeros_like(weight), bias)


def _beside(*projections: _Projection) -> _Projection:
    weights, placed, biases = (
        torch.cat([getattr(each, name) for each in projections], dim=-1).contiguous()
        for name in ("weight", "placed", "bias")
    )
    return _Projection(weights, placed, biases)


def _heads(channels: int) -> Float[Tensor, "heads channels"]:
    """Return which channels belong to each head."""
    return torch.eye(HEADS).repeat_interleave(channels // HEADS, dim=1)


class _Own:
    """Tokens look at each other."""

    def __init__(self, attention: Attention, *, placed: bool) -> None:
        self.projection = _beside(
            _query(attention, placed=placed),
            _of(attention.k_proj, placed=placed),
            _of(attention.v_proj, placed=False),
        )
        self.out = attention.out_proj

    def __call__(self, tokens: Tensor, placed: Tensor) -> Tensor:
        objects, count, dim = tokens.shape
        each = torch.addmm(placed, tokens.view(-1, dim), self.projection.weight)
        each = each.view(objects, count, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        query, key, value = each.unbind()
        seen = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        seen = seen.transpose(1, 2).reshape(objects, count, dim)
        return F.linear(seen, self.out.weight, self.out.bias)


class _Look:
    """Tokens look at the image."""

    def __init__(self, attention: Attention) -> None:
        self.projection = _query(attention)
        self.heads = _heads(len(self.projection.bias))
        self.out = attention.out_proj

    def __call__(
        self, tokens: Tensor, placed: Tensor, keys: Tensor, values: Tensor
    ) -> Tensor:
        objects, count, dim = tokens.shape
        query = torch.addmm(placed, tokens.view(-1, dim), self.projection.weight)
        spread = query.view(objects, count, 1, -1) * self.heads
        scores = torch.bmm(spread.view(objects, count * HEADS, -1), keys.mT)
        seen = torch.bmm(scores.softmax(-1), values)
        seen = seen.view(spread.shape).mul_(self.heads).sum(2)
        return F.linear(seen, self.out.weight, self.out.bias)


class _Tell:
    """The image looks at tokens."""

    def __init__(self, attention: Attention) -> None:
        self.projection = _beside(
            _of(attention.k_proj, placed=True), _of(attention.v_proj, placed=False)
        )
        self.heads = _heads(attention.k_proj.out_features).repeat(1, 2)[:, None]
        self.out = attention.out_proj.weight.detach().t().contiguous()[None]
        bias = cast(Tensor, attention.out_proj.bias).detach()
        self.bias = bias / HEADS  # the weights of each head sum to one

    def __call__(
        self, image: Tensor, queries: Tensor, tokens: Tensor, placed: Tensor
    ) -> Tensor:
        objects, count, dim = tokens.shape
        both = torch.addmm(placed, tokens.view(-1, dim), self.projection.weight)
        spread = both.view(objects, 1, count, -1) * self.heads
        keys, values = spread.view(objects, HEADS * count, -1).chunk(2, dim=2)
        scores = torch.bmm(queries, keys.mT).view(objects, -1, HEADS, count)
        weights = scores.softmax(-1).view(objects, -1, HEADS * count)
        told = torch.baddbmm(self.bias, values, self.out.expand(objects, -1, -1))
        return torch.baddbmm(image, weights, told)


class _Layer:
    """One layer: what tokens do, and how the image is projected for it."""

    def __init__(self, layer: TwoWayLayer) -> None:
        look, tell = layer.cross_attn_token_to_image, layer.cross_attn_image_to_token
        self.layer = layer
        self.own = _Own(layer.self_attn, placed=not layer.is_first)
        self.look, self.tell = _Look(look), _Tell(tell)
        self.image = _beside(
            _of(look.k_proj, placed=True),
            _of(look.v_proj, placed=False),
            _query(tell),
        )

    def __call__(
        self,
        tokens: Tensor,
        image: Tensor,
        placed: Sequence[Tensor],
        projected: Tensor,
    ) -> tuple[Tensor, Tensor]:
        layer, (for_own, for_look, for_tell) = self.layer, placed
        keys, values, queries = projected.chunk(3, dim=2)
        seen = self.own(tokens, for_own)
        tokens = layer.norm1(seen if layer.is_first else seen.add_(tokens))
        seen = self.look(tokens, for_look, keys, values)
        tokens = layer.norm2(seen.add_(tokens))
        tokens = layer.norm3(layer.mlp(tokens).add_(tokens))
        return tokens, layer.norm4(self.tell(image, queries, tokens, for_tell))


class PreparedTransformer:
    """Compute what a `TwoWayTransformer` does, with the weights that it has now."""

    def __init__(self, transformer: TwoWayTransformer) -> None:
        layers = [cast(TwoWayLayer, layer) for layer in transformer.layers]
        last = transformer.final_attn_token_to_image
        self._layers = [_Layer(layer) for layer in layers]
        self._last, self._norm = _Look(last), transformer.norm_final_attn
        self._images = [layer.image for layer in self._layers]
        self._images.append(
            _beside(_of(last.k_proj, placed=True), _of(last.v_proj, placed=False))
        )
        parts = [p for each in self._layers for p in (each.own, each.look, each.tell)]
        projections = [part.projection for part in (*parts, self._last)]
        places = [
            _Projection(each.placed, each.placed, each.bias) for each in projections
        ]
        self._places = _beside(*places)
        self._widths = [len(each.bias) for each in places]
        self._tables: dict[int, list[Tensor]] = {}

    def __call__(
        self,
        pixels: Float[Tensor, "b hw dim"],
        position: Float[Tensor, "1 dim h w"],
        tokens: Float[Tensor, "b n dim"],
    ) -> tuple[Float[Tensor, "b n dim"], Float[Tensor, "b hw dim"]]:
        """Return updated tokens and image; the tokens are their own positions."""
        places = self._places
        of_tokens = torch.addmm(places.bias, tokens.flatten(0, 1), places.weight)
        placed = torch.split(of_tokens, self._widths, dim=1)
        tables, out = self._tables_of(position), tokens
        for number, layer in enumerate(self._layers):
            seen = self._projected(pixels, number, tables)
            out, pixels = layer(out, pixels, placed[3 * number : 3 * number + 3], seen)
        keys, values = self._projected(pixels, -1, tables).chunk(2, dim=2)
        out = self._norm(self._last(out, placed[-1], keys, values).add_(out))
        return out, pixels

    def _projected(self, pixels: Tensor, number: int, tables: list[Tensor]) -> Tensor:
        weight = self._images[number].weight.expand(len(pixels), -1, -1)
        return torch.baddbmm(tables[number], pixels, weight)

    def _tables_of(self, position: Tensor) -> list[Tensor]:
        """Return what is added to the projections of an image of this size."""
        side = position.shape[-1]
        if side not in self._tables:
            places = position.flatten(2)[0].t()
            self._tables[side] = [
                torch.addmm(image.bias, places, image.placed) for image in self._images
            ]
        return self._tables[side]
