"""Forward passes of training: a prompted image, and a clip with memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from napari_sam2.model.mask_decoder import upsample_logits
from napari_sam2.model.prompt_encoder import PromptTensors
from napari_sam2.model.sam2 import Decoded, ImageEmbedding, Sam2
from napari_sam2.train.data.batches import Batch
from napari_sam2.train.data.corrections import correct
from napari_sam2.train.data.prompts import PromptGroup
from napari_sam2.train.passes.clip_memory import ClipMemory
from napari_sam2.train.passes.dense import DenseHead, dense_loss, dense_targets
from napari_sam2.train.passes.losses import pixel_weights, soft_targets
from napari_sam2.train.passes.tally import Tally
from napari_sam2.train.recipe.loss_weights import LossWeights


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Loss of a batch and what it was like.

    Attributes
    ----------
    loss
        Mean over objects, frames and clicks.
    values
        Name → mean, such as ``"iou_click"`` or ``"iou_frame3"``.
    logits, object_score
        ``(T, objects, S/4, S/4)`` and ``(T, objects)``: the last answers, detached.
    """

    loss: torch.Tensor
    values: Mapping[str, float]
    logits: torch.Tensor
    object_score: torch.Tensor


def run_batch(
    model: Sam2, batch: Batch, weights: LossWeights, head: DenseHead | None = None
) -> Scores:
    """Run a batch of single images or of clips and score it.

    Prompted frames are answered first, each from its prompts alone; then the clip is
    tracked from its first to its last frame. With a head the loss of the dense task is
    added, times ``weights.dense``.
    """
    tally = Tally(weights)
    embedding = model.embed(batch.frames.flatten(0, 1))
    if head is not None:
        every = batch.labels.reshape(-1, *batch.labels.shape[2:])
        tally.dense = dense_loss(
            head(embedding), dense_targets(every).to(batch.frames.device)
        )
    stride = 1 if weights.full_size else 4
    targets = soft_targets(batch.masks, stride)
    factors = _pixel_weights(batch, targets, weights, stride)
    clip = _Clip(model, batch, embedding, (targets, factors), tally)
    for frame in batch.anchors:
        clip.prompt(frame)
    for frame in range(len(batch.masks)):
        clip.track(frame)
    logits, object_score = clip.answers()
    return Scores(*tally.total(), logits, object_score)


def _pixel_weights(
    batch: Batch, targets: torch.Tensor, weights: LossWeights, stride: int
) -> Sequence[torch.Tensor | None]:
    """Return for each frame what `pixel_weights` says of its objects."""
    labelled = torch.from_numpy(batch.labels > 0).to(targets.device)
    cells = soft_targets(labelled, stride)[:, batch.clip_of_row]
    return [
        pixel_weights(own, (any_cell - own).clamp(min=0), weights)
        for own, any_cell in zip(targets, cells, strict=True)
    ]


class _Clip:
    """A batch on its way through the network."""

    def __init__(
        self,
        model: Sam2,
        batch: Batch,
        embedding: ImageEmbedding,
        truth: tuple[torch.Tensor, Sequence[torch.Tensor | None]],
        tally: Tally,
    ) -> None:
        self.model, self.batch, self.embedding = model, batch, embedding
        self.targets, self.factors = truth
        self.tally = tally
        self.memory = ClipMemory(batch.masks.shape[1])
        self.answered: dict[int, list[tuple[torch.Tensor, Decoded]]] = {}

    def prompt(self, frame: int) -> None:
        """Answer the prompts of a frame, correct the answers, and remember them."""
        for group in self.batch.anchors[frame]:
            seen = self._predict(frame, group.rows)
            if group.prompts is None:
                masks = self.batch.masks[frame, group.rows, None].float()
                decoded = self.model.decode_mask(seen, masks)
            else:
                decoded = self._answer_prompts(frame, group, group.prompts, seen)
            self._keep(frame, group.rows, seen, decoded, anchor=True)

    def _answer_prompts(
        self,
        frame: int,
        group: PromptGroup,
        prompts: PromptTensors,
        seen: ImageEmbedding,
    ) -> Decoded:
        features = self.model.condition(seen, None)
        decoded = self.model.decode(features, seen, prompts)
        name = f"iou_{group.kind}" if frame == 0 else f"iou_again_{group.kind}"
        self._score(name, frame, group.rows, (decoded, prompts))
        if frame not in self.batch.corrections.frames:
            return decoded
        return self._correct(frame, group.rows, features, seen, (decoded, prompts))

    def track(self, frame: int) -> None:
        """Follow the objects that were not prompted on a frame, and remember them."""
        rows = self._unanswered(frame)
        if not len(rows):
            return
        seen = self._predict(frame, rows)
        features = self.model.condition(seen, self.memory.select(frame, rows))
        empty = PromptTensors.empty(len(rows), features.device)
        decoded = self.model.decode(features, seen, empty)
        self._score(f"iou_frame{frame}", frame, rows, (decoded, empty))
        corrected = frame in self.batch.corrections.frames
        if corrected:
            answer = (decoded, empty)
            decoded = self._correct(frame, rows, features, seen, answer)
        self._keep(frame, rows, seen, decoded, anchor=corrected)

    def answers(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the last ``logits`` and ``object_score`` of all frames and rows."""
        logits, scores = [], []
        for frame in range(len(self.batch.masks)):
            rows, decoded = zip(*self.answered[frame], strict=True)
            order = torch.argsort(torch.cat(rows))
            logits.append(torch.cat([part.logits.detach() for part in decoded])[order])
            score = torch.cat([part.object_score.detach() for part in decoded])
            scores.append(score[order])
        return torch.stack(logits), torch.stack(scores)

    def _correct(
        self,
        frame: int,
        rows: torch.Tensor,
        features: torch.Tensor,
        seen: ImageEmbedding,
        answer: tuple[Decoded, PromptTensors],
    ) -> Decoded:
        plan, decoded = self.batch.corrections, answer[0]
        truth = self.batch.masks[frame, rows].cpu().numpy()
        steps = correct(self.model, features, seen, answer, truth, plan)
        for click, (decoded, prompts) in enumerate(steps, 1):
            last = click == plan.clicks
            name = "iou_corrected" if last else "iou_correcting"
            self._score(name, frame, rows, (decoded, prompts))
        return decoded

    def _unanswered(self, frame: int) -> torch.Tensor:
        rows = torch.arange(self.memory.rows, device=self.batch.masks.device)
        done: Sequence[torch.Tensor] = [r for r, _ in self.answered.get(frame, ())]
        if done:
            rows = rows[~torch.isin(rows, torch.cat(list(done)))]
        return rows

    def _predict(self, frame: int, rows: torch.Tensor) -> ImageEmbedding:
        clips = self.batch.frames.shape[1]
        return self.embedding.select(frame * clips + self.batch.clip_of_row[rows])

    def _score(
        self,
        name: str,
        frame: int,
        rows: torch.Tensor,
        answer: tuple[Decoded, PromptTensors],
    ) -> None:
        factors = self.factors[frame]
        if factors is not None:
            factors = factors[rows]
        self.tally.add(name, answer[0], self.targets[frame, rows], answer[1], factors)

    def _keep(
        self,
        frame: int,
        rows: torch.Tensor,
        seen: ImageEmbedding,
        decoded: Decoded,
        *,
        anchor: bool,
    ) -> None:
        """Note an answer; where others follow, remember it, anchors as certain."""
        self.answered.setdefault(frame, []).append((rows, decoded))
        if len(self.batch.masks) == 1:
            return
        masks = upsample_logits(decoded.logits, self.batch.masks.shape[-1])[:, None]
        spatial = self.model.remember(
            seen, masks, decoded.object_score, binarize=anchor
        )
        memory = (spatial, decoded.pointer)
        self.memory.add(frame, rows, memory, anchor=anchor)
