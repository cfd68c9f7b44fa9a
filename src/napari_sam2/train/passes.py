"""Forward passes of training: a prompted image, and a clip with memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from napari_sam2.model.config import MAX_POINTERS, RECENT_MEMORIES
from napari_sam2.model.mask_decoder import RawMasks, upsample_logits
from napari_sam2.model.memory_attention import ANCHOR_TIME, MemorySelection
from napari_sam2.model.prompt_encoder import PromptTensors
from napari_sam2.model.sam2 import Decoded, ImageEmbedding, Sam2
from napari_sam2.train.batches import Batch, PromptGroup
from napari_sam2.train.dense import DenseHead, dense_loss, dense_targets
from napari_sam2.train.losses import LossWeights, mask_iou, prompt_losses, soft_targets

SECOND_OPINION = 0.3
"""Weight of the masks that a prompt of this kind would not choose from."""


@dataclass(slots=True)
class Scores:
    """Loss of a batch and what it was like.

    Attributes
    ----------
    loss
        Mean over objects and frames.
    values
        Name → mean, such as ``"iou_click"`` or ``"iou_frame3"``.
    """

    loss: torch.Tensor
    values: Mapping[str, float]


@dataclass(slots=True)
class _Tally:
    losses: list[torch.Tensor] = field(default_factory=list)
    named: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    dense: torch.Tensor | None = None

    def add(self, name: str, values: torch.Tensor) -> None:
        self.named.setdefault(name, []).append(values.detach().float())

    def scores(self, dense_weight: float) -> Scores:
        loss = torch.cat(self.losses).mean()
        joined = {name: torch.cat(parts) for name, parts in self.named.items()}
        values = {n: float(part.mean()) for n, part in joined.items() if len(part)}
        values["loss"] = float(loss.detach())
        if self.dense is not None:
            values["dense"] = float(self.dense.detach())
            loss = loss + dense_weight * self.dense
        return Scores(loss, values)


def run_batch(
    model: Sam2, batch: Batch, weights: LossWeights, head: DenseHead | None = None
) -> Scores:
    """Run a batch of single images or of clips and score it.

    With a head the loss of the dense task is added, times ``weights.dense``.
    """
    count, clips = batch.frames.shape[:2]
    targets = soft_targets(batch.masks)
    embedding = model.embed(batch.frames.flatten(0, 1))
    tally = _Tally()
    if head is not None:
        every = batch.labels.reshape(-1, *batch.labels.shape[2:])
        tally.dense = dense_loss(head(embedding), dense_targets(every))
    memory = _ClipMemory()
    for frame in range(count):
        seen = embedding.select(frame * clips + batch.clip_of_row)
        if frame == 0:
            decoded = _prompted(model, batch, seen, targets[0], weights, tally)
        else:
            features = model.condition(seen, memory.select(frame))
            empty = PromptTensors.empty(len(targets[0]), features.device)
            decoded = model.decode(features, seen, empty)
            _score_tracked(decoded, targets[frame], frame, weights, tally)
        if frame + 1 < count:
            memory.add(_remember(model, seen, decoded, batch, frame), decoded.pointer)
    return tally.scores(weights.dense)


class _ClipMemory:
    """What the objects of a clip remember; frame 0 is the only anchor."""

    def __init__(self) -> None:
        self.spatial: list[torch.Tensor] = []
        self.pointers: list[torch.Tensor] = []

    def add(self, spatial: torch.Tensor, pointer: torch.Tensor) -> None:
        self.spatial.append(spatial)
        self.pointers.append(pointer)

    def select(self, frame: int) -> MemorySelection:
        """Return the anchor, up to six recent memories, and all pointers in reach."""
        recent = range(max(1, frame - RECENT_MEMORIES), frame)
        spatial = torch.stack([self.spatial[i] for i in (0, *recent)], dim=1)
        objects, memories = spatial.shape[:2]
        device = spatial.device
        index = torch.tensor([ANCHOR_TIME, *(frame - i - 1 for i in recent)])
        near = [0, *range(max(1, frame - MAX_POINTERS + 1), frame)]
        distance = torch.tensor([float(frame - i) for i in near]) / (MAX_POINTERS - 1)
        return MemorySelection(
            spatial=spatial,
            time_index=index.to(device).expand(objects, -1),
            spatial_valid=torch.ones(objects, memories, dtype=torch.bool),
            pointers=torch.stack([self.pointers[i] for i in near], dim=1),
            pointer_distance=distance.to(device).expand(objects, -1),
            pointer_valid=torch.ones(objects, len(near), dtype=torch.bool),
        )


def _prompted(
    model: Sam2,
    batch: Batch,
    seen: ImageEmbedding,
    targets: torch.Tensor,
    weights: LossWeights,
    tally: _Tally,
) -> Decoded:
    """Decode frame 0 by kind of prompt; return all rows in order."""
    parts = []
    for group in batch.groups:
        part = seen.select(group.rows)
        decoded = _decode_group(model, batch, part, group)
        parts.append(decoded)
        if decoded.raw is not None:
            single = group.kind in ("box", "clicks")
            losses = shape_losses(decoded.raw, targets[group.rows], weights, single)
            tally.losses.append(losses)
            _tally_iou(tally, f"iou_{group.kind}", decoded, targets[group.rows])
    order = torch.argsort(torch.cat([group.rows for group in batch.groups]))
    return Decoded(
        logits=torch.cat([part.logits for part in parts])[order],
        predicted_iou=torch.cat([part.predicted_iou for part in parts])[order],
        object_score=torch.cat([part.object_score for part in parts])[order],
        pointer=torch.cat([part.pointer for part in parts])[order],
    )


def _decode_group(
    model: Sam2, batch: Batch, part: ImageEmbedding, group: PromptGroup
) -> Decoded:
    if group.prompts is None:
        return model.decode_mask(part, batch.masks[0, group.rows, None].float())
    return model.decode(model.condition(part, None), part, group.prompts)


def shape_losses(
    raw: RawMasks, targets: torch.Tensor, weights: LossWeights, single: bool
) -> torch.Tensor:
    """Return ``(objects,)``: loss of the chosen kind of mask, and less of the other."""
    score = raw.object_score
    one = prompt_losses(
        raw.logits[:, :1], raw.predicted_iou[:, :1], score, targets, weights
    )
    three = prompt_losses(
        raw.logits[:, 1:], raw.predicted_iou[:, 1:], score, targets, weights
    )
    first, second = (one, three) if single else (three, one)
    return first + SECOND_OPINION * second


def _score_tracked(
    decoded: Decoded,
    targets: torch.Tensor,
    frame: int,
    weights: LossWeights,
    tally: _Tally,
) -> None:
    if decoded.raw is None:
        raise ValueError("a tracked frame has candidates")
    tally.losses.append(shape_losses(decoded.raw, targets, weights, single=False))
    _tally_iou(tally, f"iou_frame{frame}", decoded, targets)


def _tally_iou(
    tally: _Tally, name: str, decoded: Decoded, targets: torch.Tensor
) -> None:
    present = targets.flatten(1).amax(dim=1) > 0
    iou = mask_iou(decoded.logits[:, None].detach(), targets)[:, 0]
    tally.add(name, iou[present])
    said = decoded.object_score.detach() > 0
    tally.add("recall_present", said[present])
    tally.add("recall_absent", ~said[~present])


def _remember(
    model: Sam2, seen: ImageEmbedding, decoded: Decoded, batch: Batch, frame: int
) -> torch.Tensor:
    """Encode the memory of a frame; on frame 0, the anchor, masks count as certain."""
    logits = upsample_logits(decoded.logits, batch.masks.shape[-1])
    return model.remember(
        seen, logits[:, None], decoded.object_score, binarize=frame == 0
    )
