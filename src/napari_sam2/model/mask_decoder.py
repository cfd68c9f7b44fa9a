"""Mask decoder: tokens meet the image, and four masks with scores come out (§1.7)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam2.model.attention import Attention
from napari_sam2.model.config import Sam2Config
from napari_sam2.model.layers import MLP, LayerNorm2d

HEADS = 8
DEPTH = 2
"""Of the two-way transformer."""

CANDIDATES = 3
"""Masks that the decoder offers for an ambiguous prompt."""

MASK_TOKENS = 1 + CANDIDATES
STABILITY_DELTA = 0.05
STABILITY_THRESHOLD = 0.98


class TwoWayLayer(nn.Module):
    """Self-attention of tokens, tokens to image, MLP, image to tokens; post-norm.

    Parameters
    ----------
    dim, feedforward_dim
        Channels of tokens; width of the MLP.
    is_first
        The first layer's self-attention has no positions and replaces the tokens.
    """

    def __init__(self, dim: int, feedforward_dim: int, is_first: bool) -> None:
        super().__init__()
        self.self_attn = Attention(dim, HEADS)
        self.cross_attn_token_to_image = Attention(dim, HEADS, inner_dim=dim // 2)
        self.mlp = MLP(dim, feedforward_dim, dim)
        self.cross_attn_image_to_token = Attention(dim, HEADS, inner_dim=dim // 2)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.norm3 = nn.LayerNorm(dim)
        self.norm4 = nn.LayerNorm(dim)
        self.is_first = is_first

    def forward(
        self, tokens: Tensor, image: Tensor, token_position: Tensor, position: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Update ``(b, tokens, dim)`` tokens and ``(b, pixels, dim)`` image."""
        if self.is_first:
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            placed = tokens + token_position
            tokens = tokens + self.self_attn(placed, placed, tokens)
        tokens = self.norm1(tokens)

        placed, keys = tokens + token_position, image + position
        tokens = tokens + self.cross_attn_token_to_image(placed, keys, image)
        tokens = self.norm2(tokens)
        tokens = self.norm3(tokens + self.mlp(tokens))

        placed = tokens + token_position
        image = image + self.cross_attn_image_to_token(keys, placed, tokens)
        return tokens, self.norm4(image)


class TwoWayTransformer(nn.Module):
    """Tokens and image attend to each other: two layers, and a last look."""

    def __init__(self, dim: int, feedforward_dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayLayer(dim, feedforward_dim, is_first=depth == 0)
            for depth in range(DEPTH)
        )
        self.final_attn_token_to_image = Attention(dim, HEADS, inner_dim=dim // 2)
        self.norm_final_attn = nn.LayerNorm(dim)

    def forward(
        self,
        image: Float[Tensor, "b dim h w"],
        position: Float[Tensor, "#b dim h w"],
        tokens: Float[Tensor, "b n dim"],
    ) -> tuple[Float[Tensor, "b n dim"], Float[Tensor, "b dim h w"]]:
        """Return updated tokens and image; the tokens are their own positions."""
        pixels = image.flatten(2).transpose(1, 2)  # (b, h·w, dim)
        places = position.flatten(2).transpose(1, 2)
        out = tokens
        for layer in self.layers:
            out, pixels = layer(out, pixels, tokens, places)
        looked = self.final_attn_token_to_image(out + tokens, pixels + places, pixels)
        out = self.norm_final_attn(out + looked)
        return out, pixels.transpose(1, 2).reshape(image.shape)


@dataclass(frozen=True, slots=True)
class RawMasks:
    """All that the decoder says about each object, before anything is chosen.

    Attributes
    ----------
    logits
        ``(objects, 4, S/4, S/4)``: the single mask, then three candidates.
    predicted_iou
        ``(objects, 4)`` in 0…1.
    tokens
        ``(objects, 4, C)`` mask tokens.
    object_score
        ``(objects,)`` presence logit.
    """

    logits: Float[Tensor, "objects 4 h w"]
    predicted_iou: Float[Tensor, "objects 4"]
    tokens: Float[Tensor, "objects 4 dim"]
    object_score: Float[Tensor, " objects"]


class MaskDecoder(nn.Module):
    """Predict masks, their quality and the object's presence."""

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        dim = config.hidden_dim
        fine, coarse = config.high_res_dims
        self.transformer = TwoWayTransformer(dim, config.feedforward_dim)
        self.obj_score_token = nn.Embedding(1, dim)
        self.iou_token = nn.Embedding(1, dim)
        self.mask_tokens = nn.Embedding(MASK_TOKENS, dim)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(dim, coarse, 2, stride=2),
            LayerNorm2d(coarse),
            nn.GELU(),
            nn.ConvTranspose2d(coarse, fine, 2, stride=2),
            nn.GELU(),
        )
        if config.has_fine_maps:
            self.conv_s0 = nn.Conv2d(dim, fine, 1)
            self.conv_s1 = nn.Conv2d(dim, coarse, 1)
        self.has_fine_maps = config.has_fine_maps
        self.output_hypernetworks_mlps = nn.ModuleList(
            MLP(dim, dim, dim, fine) for _ in range(MASK_TOKENS)
        )
        self.iou_prediction_head = MLP(dim, dim, dim, MASK_TOKENS)
        self.pred_obj_score_head = MLP(dim, dim, dim, 1)

    @property
    def narrowing(self) -> tuple[nn.Conv2d, ...]:
        """What the maps at strides 4 and 8 go through, if there are any."""
        return (self.conv_s0, self.conv_s1) if self.has_fine_maps else ()

    def forward(
        self,
        image: Float[Tensor, "objects dim h w"],
        position: Float[Tensor, "1 dim h w"],
        sparse: Float[Tensor, "objects n dim"],
        high_res: tuple[Tensor, ...],
    ) -> RawMasks:
        """Decode one batch of objects.

        Parameters
        ----------
        image
            Memory-conditioned embedding plus the dense prompt.
        sparse
            Prompt tokens.
        high_res
            Stride-4 and stride-8 maps, ``(objects, C/8, 4h, 4w)`` and
            ``(objects, C/4, 2h, 2w)``, or none.
        """
        own = torch.cat(
            (
                self.obj_score_token.weight,
                self.iou_token.weight,
                self.mask_tokens.weight,
            )
        )
        tokens = torch.cat((own.expand(len(sparse), -1, -1), sparse), dim=1)
        tokens, image = self.transformer(image, position, tokens)
        score_token, iou_token = tokens[:, 0], tokens[:, 1]
        mask_tokens = tokens[:, 2 : 2 + MASK_TOKENS]
        return RawMasks(
            logits=self._masks(mask_tokens, self._upscale(image, high_res)),
            predicted_iou=self.iou_prediction_head(iou_token).sigmoid(),
            tokens=mask_tokens,
            object_score=self.pred_obj_score_head(score_token)[:, 0],
        )

    def _upscale(self, image: Tensor, high_res: tuple[Tensor, ...]) -> Tensor:
        upscaled: Tensor
        if not high_res:
            upscaled = self.output_upscaling(image)
            return upscaled
        fine, coarse = high_res
        to_coarse, norm, activation, to_fine, last_activation = self.output_upscaling
        image = activation(norm(to_coarse(image) + coarse))
        upscaled = last_activation(to_fine(image) + fine)
        return upscaled  # (objects, C/8, S/4, S/4)

    def _masks(self, mask_tokens: Tensor, upscaled: Tensor) -> Tensor:
        weights = torch.stack(
            [
                mlp(token)
                for mlp, token in zip(
                    self.output_hypernetworks_mlps, mask_tokens.unbind(1), strict=True
                )
            ],
            dim=1,
        )  # (objects, 4, C/8)
        height, width = upscaled.shape[-2:]
        masks = weights @ upscaled.flatten(2)  # (objects, 4, h·w)
        return masks.reshape(-1, MASK_TOKENS, height, width)


def stability(logits: Float[Tensor, "... h w"], delta: float) -> Float[Tensor, "..."]:
    """Area above ``+delta`` over area above ``-delta``; 1 where the latter is empty."""
    inner = (logits > delta).flatten(-2).sum(-1).float()
    outer = (logits > -delta).flatten(-2).sum(-1).float()
    return torch.where(outer > 0, inner / outer.clamp(min=1), torch.ones_like(inner))


@dataclass(frozen=True, slots=True)
class ChosenMasks:
    """One mask per object: logits ``(objects, h, w)``, IoU ``(objects,)``, token."""

    logits: Tensor
    predicted_iou: Tensor
    token: Tensor


def choose_masks(raw: RawMasks, multimask: bool, fallback: bool = True) -> ChosenMasks:
    """Choose one of each object's masks.

    Parameters
    ----------
    multimask
        True: the candidate with the best predicted IoU, and its token. False: the
        single mask; where that is unstable, the best candidate's mask and IoU but
        still the single mask's token.
    fallback
        Whether unstable single masks are replaced (off while training).
    """
    row = torch.arange(len(raw.logits), device=raw.logits.device)
    best = 1 + raw.predicted_iou[:, 1:].argmax(dim=1)
    if multimask:
        return ChosenMasks(
            raw.logits[row, best], raw.predicted_iou[row, best], raw.tokens[row, best]
        )
    choice = torch.zeros_like(best)
    if fallback:
        is_stable = stability(raw.logits[:, 0], STABILITY_DELTA) >= STABILITY_THRESHOLD
        choice = torch.where(is_stable, choice, best)
    return ChosenMasks(
        raw.logits[row, choice], raw.predicted_iou[row, choice], raw.tokens[:, 0]
    )


def upsample_logits(
    logits: Float[Tensor, "objects h w"], side: int, *, candidates: int = 1
) -> Float[Tensor, "objects side side"]:
    """Bilinear (pixel-centred) resize of mask logits, in float32.

    Parameters
    ----------
    logits
        One mask per object.
    side
        Side of the result in pixels.
    candidates
        How many masks per object the official implementation resizes here. torch's
        kernel, and with it the last bit, depends on that number.
    """
    # The kernel sees that many channels. Which object is in which changes no bit, so
    # objects lie beside each other in them, and only the last ones are filled up.
    objects = len(logits)
    missing = -objects % candidates
    stacked = F.pad(logits.float(), (0, 0, 0, 0, 0, missing))
    stacked = stacked.reshape(-1, candidates, *stacked.shape[1:])
    size = (side, side)
    resized = F.interpolate(stacked, size, mode="bilinear", align_corners=False)
    return resized.flatten(0, 1)[:objects]
