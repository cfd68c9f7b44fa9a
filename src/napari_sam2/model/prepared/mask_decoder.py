"""The mask decoder with few and large products, its maps laid out by tokens.

A token of the embedding becomes two by two places, and each of these two by two again:
they stay side by side until the masks are done, and only these are laid out by rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam2.model.layers import MLP, LayerNorm2d
from napari_sam2.model.mask_decoder import MASK_TOKENS, MaskDecoder, RawMasks
from napari_sam2.model.prepared.two_way import PreparedTransformer

OWN_TOKENS = 2 + MASK_TOKENS
"""Of presence, of quality, of masks; each has an MLP of its own, in this order."""


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
        norm, channels = self._norm, (coarse.shape[1],)
        x = self._to_coarse(pixels, _by_token(coarse, 1))
        x = x.view(len(x), -1, *channels)
        x = F.gelu(F.layer_norm(x, channels, norm.weight, norm.bias, norm.eps))
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
