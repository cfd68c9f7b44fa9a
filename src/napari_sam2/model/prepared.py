"""A network that computes the same in fewer calls and passes, on CPUs.

Sums are taken in another order than official SAM 2 takes them:

- In the decoder's two-way transformer, what comes of the positions of image and tokens
  is added to projections, not projected again: that of the image is the same for all
  objects and frames, that of tokens comes of one product for all layers. Keys, queries
  and values of the image come of one product.
- Heads are kept apart by zeros: each token is spread over as many rows as there are
  heads, with the channels of one head in each. So no map is laid out by heads. Weights
  of attention sum to one, so what is added to a value may be added to the sum.
- The decoder's maps are laid out by tokens: one of the embedding becomes two by two
  places, and each of these two by two again. They stay side by side until the masks are
  done, and only these are laid out by rows.
- The memory encoder's maps lie channels last: norms and products are one call each.
  Behind a convolution of few channels the planes are kept, where that is faster.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam2.model.attention import Attention
from napari_sam2.model.encoders.memory_encoder import FuserLayer, MemoryEncoder
from napari_sam2.model.layers import MLP, LayerNorm2d
from napari_sam2.model.mask_decoder import (
    HEADS,
    MASK_TOKENS,
    MaskDecoder,
    RawMasks,
    TwoWayLayer,
    TwoWayTransformer,
)
from napari_sam2.model.prompt_encoder import PromptEncoder, PromptTensors
from napari_sam2.model.sam2 import Sam2

OWN_TOKENS = 2 + MASK_TOKENS
"""Of presence, of quality, of masks; each has an MLP of its own, in this order."""

LEAST_CHANNELS = 64
"""From so many on, maps lie channels last when they are normed."""


def prepared(model: Sam2) -> Sam2:
    """Return a network that computes the same in less time, without gradients.

    Weights that allow no other order of sums (`Sam2Config.free_order`) stay as they
    are. The result shares all weights; those that change later, or move elsewhere, it
    does not follow.

    Parameters
    ----------
    model
        On a CPU, in float32, set to evaluate.
    """
    if not model.config.free_order:
        return model
    parts: dict[str, nn.Module] = {
        "memory_encoder": PreparedMemoryEncoder(model.memory_encoder),
        "mask_decoder": PreparedMaskDecoder(model.mask_decoder),
        "prompt_encoder": PreparedPromptEncoder(model.prompt_encoder),
    }
    quick = copy(model)  # which has the very dictionary of the model's parts
    quick._modules = {**model._modules, **parts}
    return quick


# --- Prompts


class PreparedPromptEncoder(nn.Module):
    """A `PromptEncoder` that keeps what it says of places, and of no prompt at all."""

    def __init__(self, encoder: PromptEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self._places: dict[int, Tensor] = {}
        self._unprompted: dict[int, tuple[Tensor, Tensor]] = {}

    def forward(self, prompts: PromptTensors, grid: int) -> tuple[Tensor, Tensor]:
        """Encode the prompts of all objects."""
        objects, count, _ = prompts.points.shape
        if count or prompts.mask_logits is not None:
            sparse, dense = self.encoder(prompts, grid)
            return sparse, dense
        if grid not in self._unprompted:
            self._unprompted[grid] = self.encoder(
                PromptTensors.empty(1, prompts.points.device), grid
            )
        sparse, dense = self._unprompted[grid]
        return sparse.expand(objects, -1, -1), dense

    def dense_position(self, grid: int) -> Tensor:
        """Position encoding of the embedding's tokens."""
        if grid not in self._places:
            self._places[grid] = self.encoder.dense_position(grid)
        return self._places[grid]


# --- Masks


class PreparedMaskDecoder(nn.Module):
    """Compute what a `MaskDecoder` that reads finer maps does.

    Parameters
    ----------
    decoder
        With the weights it shall have for good: some are taken from it now.
    """

    def __init__(self, decoder: MaskDecoder) -> None:
        super().__init__()
        self.decoder = decoder
        self._transformer = PreparedTransformer(decoder.transformer)
        own = decoder.obj_score_token, decoder.iou_token, decoder.mask_tokens
        self._own = torch.cat([each.weight.detach() for each in own])[None]
        self._heads = list(
            _side_by_side(
                decoder.pred_obj_score_head,
                decoder.iou_prediction_head,
                *(cast(MLP, each) for each in decoder.output_hypernetworks_mlps),
            )
        )
        to_coarse, norm, _, to_fine, _ = decoder.output_upscaling
        self._norm = cast(LayerNorm2d, norm)
        self._to_coarse = _Doubling(cast(nn.ConvTranspose2d, to_coarse))
        self._to_fine = _Doubling(cast(nn.ConvTranspose2d, to_fine))

    @property
    def narrowing(self) -> tuple[nn.Conv2d, ...]:
        """What the maps at strides 4 and 8 go through."""
        return self.decoder.narrowing

    def forward(
        self,
        image: Float[Tensor, "objects dim h w"],
        position: Float[Tensor, "1 dim h w"],
        sparse: Float[Tensor, "objects n dim"],
        high_res: tuple[Tensor, ...],
    ) -> RawMasks:
        """Decode one batch of objects, see `MaskDecoder.forward`."""
        tokens = torch.cat((self._own.expand(len(sparse), -1, -1), sparse), dim=1)
        pixels = image.flatten(2).mT.contiguous()
        tokens, pixels = self._transformer(pixels, position, tokens)
        said = tokens[:, :OWN_TOKENS].transpose(0, 1)
        for weight, bias, is_last in self._heads:
            said = torch.baddbmm(bias, said, weight)
            said = said if is_last else said.relu_()
        return RawMasks(
            logits=self._masks(said[2:], self._upscale(pixels, *high_res)),
            predicted_iou=said[1, :, :MASK_TOKENS].sigmoid(),
            tokens=tokens[:, 2:OWN_TOKENS],
            object_score=said[0, :, 0],
        )

    def _upscale(self, pixels: Tensor, fine: Tensor, coarse: Tensor) -> Tensor:
        """Return ``(objects, places, C/8)``."""
        x = self._to_coarse(pixels, _by_token(coarse, 1))
        x = F.gelu(_normed(x.view(len(x), -1, coarse.shape[1]), self._norm))
        return F.gelu(self._to_fine(x, _by_token(fine, 2)))

    def _masks(self, weights: Tensor, upscaled: Tensor) -> Tensor:
        """Return ``(objects, 4, 4h, 4w)`` of ``(4, objects, width)`` weights."""
        objects, channels = len(upscaled), self._to_fine.channels
        places = upscaled.view(objects, -1, channels)
        masks = torch.bmm(weights[..., :channels].transpose(0, 1), places.mT)
        side = math.isqrt(places.shape[1] // 16)
        masks = masks.view(objects, MASK_TOKENS, side, side, 2, 2, 2, 2)
        rows = masks.permute(0, 1, 2, 4, 6, 3, 5, 7)
        return rows.reshape(objects, MASK_TOKENS, 4 * side, 4 * side)


class _Doubling:
    """A transposed convolution of stride 2 as a product: a place becomes four."""

    def __init__(self, conv: nn.ConvTranspose2d) -> None:
        weight = conv.weight.detach().permute(0, 2, 3, 1)  # (n_in, 2, 2, n_out)
        self.weight = weight.flatten(1).contiguous()
        self.bias = cast(Tensor, conv.bias).detach().repeat(4)
        self.channels = conv.out_channels

    def __call__(self, x: Tensor, beside: Tensor) -> Tensor:
        """Add what lies beside; ``(b, places, 4 · n_out)``."""
        objects = len(x)
        added = beside.view(len(beside), x.shape[1], -1) + self.bias
        return torch.baddbmm(
            added.expand(objects, -1, -1), x, self.weight.expand(objects, -1, -1)
        )


def _by_token(x: Tensor, doublings: int) -> Tensor:
    """Lay a map out by the tokens that its places come of, finer parts within coarser.

    One row for all, where all rows are one.
    """
    rows = x[:1] if x.stride(0) == 0 else x
    levels = 1 + doublings
    split = (x.shape[-1] >> doublings, *(2,) * doublings)
    places = rows.reshape(len(rows), x.shape[1], *split, *split)
    axes = [axis for at in range(2, 2 + levels) for axis in (at, at + levels)]
    return places.permute(0, *axes, 1).contiguous()


def _side_by_side(*mlps: MLP) -> Iterator[tuple[Tensor, Tensor, bool]]:
    """Yield weights, biases and whether they are the last, of each layer of MLPs.

    All have as many layers. The narrower ones of a layer are filled up with zeros.
    """
    depth = len(mlps[0].layers)
    for number in range(depth):
        layers = [cast(nn.Linear, mlp.layers[number]) for mlp in mlps]
        width = max(layer.out_features for layer in layers)
        weights, biases = [], []
        for layer in layers:
            missing = (0, width - layer.out_features)
            weights.append(F.pad(layer.weight.detach().t(), missing))
            biases.append(F.pad(cast(Tensor, layer.bias).detach(), missing))
        bias = torch.stack(biases)[:, None]
        yield torch.stack(weights), bias, number == depth - 1


# --- The two-way transformer


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


# --- Memories


class PreparedMemoryEncoder(nn.Module):
    """Compute what a `MemoryEncoder` does.

    Parameters
    ----------
    encoder
        With the weights it shall have for good: some are taken from it now.
    """

    def __init__(self, encoder: MemoryEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        *halvings, self._last = cast(list[nn.Module], list(encoder.mask_downsampler))
        self._halvings = [
            _Halving(cast(nn.Conv2d, halvings[at]), cast(LayerNorm2d, halvings[at + 1]))
            for at in range(0, len(halvings), 3)
        ]
        self._fuser = [_Fuser(cast(FuserLayer, layer)) for layer in encoder.fuser]

    def forward(
        self,
        features: Float[Tensor, "#objects dim h w"],
        masks: Float[Tensor, "objects 1 S S"],
    ) -> Float[Tensor, "objects mem h w"]:
        """Encode scaled masks (probability × 20 − 10) on a frame's raw embedding."""
        x = masks
        for halve in self._halvings:
            x = halve(x)
        fused = _pointwise(x, cast(nn.Conv2d, self._last))
        fused += _pointwise(features, self.encoder.pix_feat_proj)
        for fuse in self._fuser:
            fused = fuse(fused)
        return _pointwise(fused, self.encoder.out_proj).contiguous()


class _Halving:
    """A convolution that halves a map, a norm over channels, and GELU."""

    def __init__(self, conv: nn.Conv2d, norm: LayerNorm2d) -> None:
        self.conv, self.norm = conv, norm
        self.weight = conv.weight.detach()
        if conv.out_channels >= LEAST_CHANNELS:
            self.weight = self.weight.contiguous(memory_format=torch.channels_last)

    def __call__(self, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.weight, self.conv.bias, self.conv.stride, 1)
        if self.conv.out_channels < LEAST_CHANNELS:
            return F.gelu(self.norm(x))
        return F.gelu(_normed(x.permute(0, 2, 3, 1), self.norm)).permute(0, 3, 1, 2)


class _Fuser:
    """A `FuserLayer` whose last scale lies in its last product."""

    def __init__(self, layer: FuserLayer) -> None:
        self.layer = layer
        conv, last = layer.dwconv, layer.pwconv2
        weight, scale = conv.weight.detach(), layer.gamma.detach()
        self.weight = weight.contiguous(memory_format=torch.channels_last)
        self.last = (scale * last.weight.detach().t()).contiguous()
        self.last_bias = scale * cast(Tensor, last.bias).detach()

    def __call__(self, x: Tensor) -> Tensor:
        conv, channels = self.layer.dwconv, x.shape[1]
        rows = x.permute(0, 2, 3, 1).reshape(-1, channels)
        y = F.conv2d(x, self.weight, conv.bias, padding=3, groups=channels)
        y = _normed(y.permute(0, 2, 3, 1), self.layer.norm)
        y = F.gelu(self.layer.pwconv1(y.reshape(-1, channels)))
        y = torch.addmm(rows + self.last_bias, y, self.last)
        return y.view(len(x), *x.shape[2:], channels).permute(0, 3, 1, 2)


def _pointwise(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """Apply a 1 × 1 convolution; the result lies channels last."""
    rows = F.linear(x.permute(0, 2, 3, 1), conv.weight.flatten(1), conv.bias)
    return rows.permute(0, 3, 1, 2)


def _normed(x: Tensor, norm: LayerNorm2d) -> Tensor:
    """Norm what lies channels last over its channels, in one pass."""
    return F.layer_norm(x, x.shape[-1:], norm.weight, norm.bias, norm.eps)
