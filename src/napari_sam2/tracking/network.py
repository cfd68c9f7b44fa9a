"""The network's four verbs for batches of objects, on a device, in a precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from napari_sam2.errors import ModelError
from napari_sam2.interfaces import StoredAnchor
from napari_sam2.model.checkpoints.checkpoint import in_free_order
from napari_sam2.model.config import Sam2Config
from napari_sam2.model.mask_decoder import CANDIDATES, upsample_logits
from napari_sam2.model.memory_attention import MemorySelection
from napari_sam2.model.prepared import prepared
from napari_sam2.model.prompt_encoder import PromptTensors
from napari_sam2.model.sam2 import Decoded, ImageEmbedding, Sam2
from napari_sam2.tiles import TileLayout
from napari_sam2.tracking.batching import (
    Batch,
    BatchKind,
    is_out_of_memory,
    not_enough_memory,
)
from napari_sam2.tracking.device.sister_masks import sisters
from napari_sam2.tracking.device.transfer import Arrival, to_device
from napari_sam2.tracking.division_evidence import division_evidence, unknown_evidence
from napari_sam2.tracking.embedding_cache import EmbeddingCache
from napari_sam2.tracking.postprocess import fill_holes
from napari_sam2.tracking.precision import FREE_ORDER, Precision
from napari_sam2.tracking.preprocess import FrameGeometry, check_frame
from napari_sam2.tracking.step_result import Heard, Prediction

CORRECTED_LOGIT_LIMIT = 32.0
"""Logits given back to the network as a mask prompt are clamped to ± this."""

CACHED_FRAMES = 3

CACHED_TILE_BYTES = 2**28
"""Of embeddings of tiles that are kept: prompts are answered, then tracked from."""


def fitted(layout: TileLayout, config: Sam2Config) -> TileLayout:
    """Return a layout as frames lie in the square input of a network."""
    return layout.squared() if config.frame_fit == "pad" else layout


def ready(model: Sam2, precision: Precision) -> Sam2:
    """Return a network, on its device and set to evaluate, as quick as numbers allow.

    It has the weights of now: those that change afterwards it may not follow.
    """
    if precision.name == FREE_ORDER:
        model = in_free_order(model)
    is_plain = precision.device.type == "cpu" and precision.dtype == torch.float32
    return prepared(model) if is_plain else model


class Network:
    """A model between numpy and its tensors.

    Parameters
    ----------
    model
        The network, as `ready` returns it.
    hole_area
        Holes up to so many low-resolution pixels are filled.
    lent
        Embeddings that somebody else keeps; they are used and never changed.
    layout
        Where the tiles lie; None where the frame is the one tile.
    """

    def __init__(
        self,
        model: Sam2,
        geometry: FrameGeometry,
        precision: Precision,
        hole_area: int,
        lent: EmbeddingCache | None = None,
        layout: TileLayout | None = None,
    ) -> None:
        self.model, self.geometry = model, geometry
        self.layout = layout or TileLayout.whole(geometry.frame_shape)
        self.precision, self.hole_area = precision, hole_area
        self.embeddings, self._lent = EmbeddingCache(CACHED_FRAMES), lent
        if not self.layout.is_whole:
            self.embeddings = EmbeddingCache(max_bytes=CACHED_TILE_BYTES)

    def embed(
        self, frame_index: int, frame: np.ndarray, tile: int = 0
    ) -> ImageEmbedding:
        """Embed a tile of a ``(Y, X, 3)`` uint8 frame, once however often it is shown.

        Raises
        ------
        InputError
            If the frame has another shape or dtype.
        """
        check_frame(frame, self.layout.frame_shape)
        frame = self.layout.crop(frame, tile)
        known = None if self._lent is None else self._lent.find(frame_index, frame)
        if known is not None:
            return known

        def compute() -> ImageEmbedding:
            try:
                image = self.geometry.frame_on(frame, self.precision.device)
                with self.precision.context():
                    return self.model.embed(image)
            except RuntimeError as error:
                if is_out_of_memory(error):
                    raise not_enough_memory(self.precision.device) from error
                raise

        return self.embeddings.get(frame_index, frame, compute)

    def predict(
        self,
        embedding: ImageEmbedding,
        batch: Batch,
        memory: MemorySelection | None,
        tracked_logits: Tensor | None,
    ) -> Prediction:
        """Predict the masks of a batch: condition and decode.

        Parameters
        ----------
        embedding
            Of one frame.
        memory
            What they remember; None where prompts alone decide.
        tracked_logits
            ``(objects, S/4, S/4)`` masks that are corrected, or None.
        """
        each = embedding.expand(len(batch))
        with self.precision.context():
            if batch.kind is BatchKind.MASKED:
                decoded = self.model.decode_mask(each, self._given_masks(batch))
            else:
                features = self.model.condition(embedding, memory)
                features = features.expand(len(batch), -1, -1, -1)
                prompts = self._prompt_tensors(batch, tracked_logits)
                decoded = self.model.decode(features, each, prompts)
        return self._seen(batch, decoded)

    def encode_tracked(self, embedding: ImageEmbedding, seen: Prediction) -> Tensor:
        """Encode tracked masks as ``(objects, M, h, w)`` memories, holes and all."""
        decoded = seen.decoded
        candidates = 1 if self.model.config.free_order else CANDIDATES
        masks = upsample_logits(
            decoded.logits, self.geometry.image_size, candidates=candidates
        )[:, None]
        with self.precision.context():
            return self.model.remember(
                embedding, masks, decoded.object_score, binarize=False
            )

    def encode_anchors(
        self, embedding: ImageEmbedding, anchors: Sequence[StoredAnchor]
    ) -> Tensor:
        """Encode what a person saw as ``(anchors, M, h, w)`` memories.

        Each alone, so that a replayed anchor has the bits of the first time whatever
        else was on the frame.
        """
        memories = []
        for anchor in anchors:
            logits = self._on_device(torch.from_numpy(anchor.logits))[None]
            masks = upsample_logits(logits, self.geometry.image_size)[:, None]
            score = self._on_device(torch.tensor([anchor.object_score]))
            with self.precision.context():
                memory = self.model.remember(embedding, masks, score, binarize=True)
            memories.append(memory)
        return torch.cat(memories)

    def _seen(self, batch: Batch, decoded: Decoded) -> Prediction:
        """Send to the host what it is told; nothing is waited for."""
        told = [
            decoded.logits,
            decoded.object_score.float(),
            decoded.predicted_iou.float(),
            decoded.pointer.float(),
        ]
        if batch.kind is BatchKind.TRACKED and decoded.raw is not None:
            beside = sisters(decoded.logits > 0, decoded.raw)
            told += [beside.iou, beside.pixels]
        arrive = partial(self._heard, batch, Arrival(told))
        # The candidates that were not chosen would only fill the memory.
        return Prediction(batch, replace(decoded, raw=None), arrive)

    def _heard(self, batch: Batch, arrival: Arrival) -> Heard:
        logits, score, predicted_iou, pointers, *beside = arrival.arrays()
        _check_numbers(batch, logits, score)
        division = unknown_evidence(len(batch))
        (window,) = self.layout.windows([batch.tile])
        if beside:
            division = division_evidence(logits, beside[0], beside[1], window)
        logits = fill_holes(logits, self.hole_area)
        return Heard(logits, score, predicted_iou, pointers, division, window)

    def _given_masks(self, batch: Batch) -> Tensor:
        masks = [
            self.geometry.prompt_mask(prompt.mask)
            for prompt in batch.prompts
            if prompt.mask is not None
        ]
        return self._on_device(torch.stack(masks))  # (objects, 1, S, S)

    def _prompt_tensors(
        self, batch: Batch, tracked_logits: Tensor | None
    ) -> PromptTensors:
        if batch.kind is BatchKind.TRACKED:
            return PromptTensors.empty(len(batch), self.precision.device)
        points, labels = zip(
            *(self.geometry.prompt_points(prompt) for prompt in batch.prompts),
            strict=True,
        )
        mask_logits = None
        if tracked_logits is not None:
            limit = CORRECTED_LOGIT_LIMIT
            clamped = tracked_logits.clamp(-limit, limit)
            mask_logits = self._on_device(clamped)[:, None]
        return PromptTensors(
            self._on_device(torch.from_numpy(np.stack(points))),
            self._on_device(torch.from_numpy(np.stack(labels))),
            mask_logits,
        )

    def _on_device(self, tensor: Tensor) -> Tensor:
        return to_device(tensor, self.precision.device)


def _check_numbers(batch: Batch, logits: np.ndarray, score: np.ndarray) -> None:
    """Refuse answers that are no numbers; they would look like absent objects."""
    is_number = np.isfinite(score) & np.isfinite(logits).all(axis=(1, 2))
    if not is_number.all():
        object_id = batch.object_ids[int(np.argmin(is_number))]
        raise ModelError(
            f"frame {batch.frame_index}, object {object_id}: the network's answer is "
            "not finite: use --precision fp32, or other weights"
        )
