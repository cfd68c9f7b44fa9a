"""SAM 2 in four verbs: embed a frame, condition it, decode masks, remember them.

Tensors in, tensors out. The network knows objects as rows of a batch; which object a
row is, which frame it is and what stays in memory is decided in `napari_sam2.tracking`.
Numbers equal the official implementation in float32 (sam2-spec §1).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam2.interfaces import ABSENT_LOGIT
from napari_sam2.model.config import LOGIT_STRIDE, Sam2Config
from napari_sam2.model.encoders.image_encoder import ImageEncoder
from napari_sam2.model.encoders.memory_compressor import MemoryCompressor
from napari_sam2.model.encoders.memory_encoder import MemoryEncoder
from napari_sam2.model.layers import MLP, learned_embedding
from napari_sam2.model.mask_decoder import (
    ChosenMasks,
    MaskDecoder,
    RawMasks,
    choose_masks,
)
from napari_sam2.model.memory_attention import (
    MemoryAttention,
    MemorySelection,
    MemoryTokenizer,
)
from napari_sam2.model.prompt_encoder import PromptEncoder, PromptTensors

MASK_SCALE, MASK_BIAS = 20.0, -10.0
"""A mask probability p is remembered, and a given mask answered, as 20 p − 10."""

MULTIMASK_MAX_POINTS = 1
"""Up to this many points the best of three masks is taken, beyond it the single one."""


@dataclass(frozen=True, slots=True)
class ImageEmbedding:
    """What the image encoder says of frames (or, after `expand`, of objects' frames).

    Attributes
    ----------
    features
        ``(frames, C, S/16, S/16)``.
    high_res
        ``(frames, C/8, S/4, S/4)`` and ``(frames, C/4, S/8, S/8)`` for the decoder, or
        none where the trunk gives none.
    """

    features: Float[Tensor, "frames dim h w"]
    high_res: tuple[Tensor, ...]

    @property
    def grid(self) -> int:
        """Side of the token grid, S / 16."""
        return self.features.shape[-1]

    def expand(self, objects: int) -> ImageEmbedding:
        """One frame seen by many objects, without copying it."""
        features, *high_res = (
            x.expand(objects, -1, -1, -1) for x in (self.features, *self.high_res)
        )
        return ImageEmbedding(features, tuple(high_res))

    def select(self, rows: Tensor) -> ImageEmbedding:
        """Frame ``rows[i]`` for each object i."""
        high_res = tuple(x[rows] for x in self.high_res)
        return ImageEmbedding(self.features[rows], high_res)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the network says about each object of a batch.

    Attributes
    ----------
    logits
        ``(objects, S/4, S/4)`` float32, the chosen mask; −1024 where it is absent.
    predicted_iou
        ``(objects,)`` in 0…1.
    object_score
        ``(objects,)`` presence logit.
    pointer
        ``(objects, C)``.
    raw
        All candidates before the choice and the presence rule; None for given masks.
    """

    logits: Float[Tensor, "objects h w"]
    predicted_iou: Float[Tensor, " objects"]
    object_score: Float[Tensor, " objects"]
    pointer: Float[Tensor, "objects dim"]
    raw: RawMasks | None = None


class Sam2(nn.Module):
    """Segment Anything Model 2, built with random weights from a `Sam2Config`."""

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        dim, memory_dim = config.hidden_dim, config.memory_dim
        self.config = config
        self.image_encoder = ImageEncoder(config)
        self.prompt_encoder = PromptEncoder(dim)
        self.mask_decoder = MaskDecoder(config)
        self.memory_tokenizer = MemoryTokenizer(config)
        self.memory_attention = MemoryAttention(config)
        self.memory_encoder = MemoryEncoder(config)
        self.memory_compressor = (
            MemoryCompressor(memory_dim, config.latents) if config.latents else None
        )
        self.mask_downsample = nn.Conv2d(1, 1, LOGIT_STRIDE, stride=LOGIT_STRIDE)
        self.pointer_projection = MLP(dim, dim, dim, dim)
        self.no_memory = learned_embedding(1, 1, dim)
        # In every checkpoint, used by none: without memory nothing is attended to.
        self.no_memory_position = learned_embedding(1, 1, dim)
        self.absent_pointer = learned_embedding(1, dim)
        self.absent_memory = (
            learned_embedding(1, memory_dim) if config.absent_memory else None
        )

    def embed(self, images: Float[Tensor, "frames 3 S S"]) -> ImageEmbedding:
        """Encode normalised frames; S is a multiple of 32."""
        narrowing = self.mask_decoder.narrowing
        return ImageEmbedding(*self.image_encoder(images, narrowing))

    def condition(
        self, embedding: ImageEmbedding, memory: MemorySelection | None
    ) -> Float[Tensor, "rows dim h w"]:
        """Let each object's frame attend to what is remembered of the object.

        Parameters
        ----------
        embedding
            One row per object, or one row for all.
        memory
            What the objects remember; None for objects seen for the first time.
        """
        if memory is None:
            return embedding.features + self.no_memory[..., None].transpose(1, 2)
        tokens = self.memory_tokenizer(memory)
        conditioned: Tensor = self.memory_attention(embedding.features, tokens)
        return conditioned

    def decode(
        self,
        features: Float[Tensor, "objects dim h w"],
        embedding: ImageEmbedding,
        prompts: PromptTensors,
    ) -> Decoded:
        """Predict each object's mask from conditioned features and prompts.

        All objects of a batch have the same number of points. With at most one point
        the best of three candidates is taken, with more (a box is two) the single mask.
        """
        raw = self._predict(features, embedding, prompts)
        multimask = prompts.points.shape[1] <= MULTIMASK_MAX_POINTS
        chosen = choose_masks(raw, multimask, fallback=not self.training)
        is_present = raw.object_score > 0
        logits = torch.where(
            is_present[:, None, None], chosen.logits, ABSENT_LOGIT
        ).float()
        return Decoded(
            logits=logits,
            predicted_iou=chosen.predicted_iou,
            object_score=raw.object_score,
            pointer=self._pointer(chosen, is_present),
            raw=raw,
        )

    def decode_mask(
        self, embedding: ImageEmbedding, masks: Float[Tensor, "objects 1 S S"]
    ) -> Decoded:
        """Take given masks (0 or 1) as the answer; only the pointer is predicted.

        Memory plays no part, not even in the pointer (spec §1.9).
        """
        side = masks.shape[-1] // LOGIT_STRIDE
        given = masks * MASK_SCALE + MASK_BIAS
        logits = F.interpolate(
            given, (side, side), mode="bilinear", align_corners=False, antialias=True
        )[:, 0]
        is_present = (masks > 0).flatten(1).any(dim=1)
        empty = PromptTensors.empty(len(masks), masks.device)
        prompts = PromptTensors(empty.points, empty.labels, self.mask_downsample(masks))
        raw = self._predict(embedding.features, embedding, prompts)
        chosen = choose_masks(raw, multimask=False, fallback=False)
        pointer = self._pointer(chosen, raw.object_score > 0)
        return Decoded(
            logits=logits.float(),
            predicted_iou=torch.ones_like(raw.object_score),
            object_score=is_present.to(logits.dtype) * MASK_SCALE + MASK_BIAS,
            pointer=self._gate_pointer(pointer, is_present),
        )

    def remember(
        self,
        embedding: ImageEmbedding,
        mask_logits: Float[Tensor, "objects 1 S S"],
        object_score: Float[Tensor, " objects"],
        *,
        binarize: bool,
    ) -> Float[Tensor, "objects mem rows columns"]:
        """Encode masks on their frame as spatial memories, compressed where they are.

        Parameters
        ----------
        embedding
            One row per object, or one row for all.
        mask_logits
            At the model's input size, in float32.
        object_score
            Presence logits; absent objects are marked (2.1).
        binarize
            True on frames that a person prompted: the mask counts as certain.
        """
        masks = (mask_logits > 0).float() if binarize else mask_logits.sigmoid()
        masks = masks * MASK_SCALE + MASK_BIAS
        # The trunk's maps lie channels last. Convolutions sum those in another order
        # than official; rounding to bf16, over many frames, would make that grow.
        features = embedding.features.contiguous()
        memory: Tensor = self.memory_encoder(features, masks.to(features.dtype))
        if self.absent_memory is not None:
            is_absent = (object_score <= 0).to(memory.dtype)[:, None, None, None]
            memory = memory + is_absent * self.absent_memory[..., None, None]
        if self.memory_compressor is not None:
            memory = self.memory_compressor(memory)
        return memory

    def _predict(
        self, features: Tensor, embedding: ImageEmbedding, prompts: PromptTensors
    ) -> RawMasks:
        """Run prompt encoder and mask decoder."""
        grid = embedding.grid
        sparse, dense = self.prompt_encoder(prompts, grid)
        raw: RawMasks = self.mask_decoder(
            features + dense,
            self.prompt_encoder.dense_position(grid),
            sparse,
            embedding.high_res,
        )
        return raw

    def _pointer(self, chosen: ChosenMasks, is_present: Tensor) -> Tensor:
        """Project the mask token to a pointer; absent objects have their own."""
        return self._gate_pointer(self.pointer_projection(chosen.token), is_present)

    def _gate_pointer(
        self, pointer: Tensor, is_present: Bool[Tensor, " objects"]
    ) -> Tensor:
        present = is_present.to(pointer.dtype)[:, None]
        return present * pointer + (1 - present) * self.absent_pointer
