"""Losses and scores of one batch, added up."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from napari_sam2.model.mask_decoder import RawMasks
from napari_sam2.model.prompt_encoder import PromptTensors
from napari_sam2.model.sam2 import MULTIMASK_MAX_POINTS, Decoded
from napari_sam2.train.passes.losses import at_target_size, mask_iou, prompt_losses
from napari_sam2.train.recipe.loss_weights import LossWeights


class Tally:
    """Takes answers one by one; `total` is their mean."""

    def __init__(self, weights: LossWeights) -> None:
        self.weights = weights
        self.dense: torch.Tensor | None = None
        self._losses: list[torch.Tensor] = []
        self._named: dict[str, list[torch.Tensor]] = {}

    def add(
        self,
        name: str,
        decoded: Decoded,
        targets: torch.Tensor,
        prompts: PromptTensors,
        factors: torch.Tensor | None = None,
    ) -> None:
        """Add an answer to prompts, or to none.

        Parameters
        ----------
        name
            Under which the IoU of the objects that are there is listed.
        targets
            ``(objects, h, w)`` in 0…1, of the logits' size or larger.
        prompts
            More than one point asks for the single mask.
        factors
            Of each pixel's loss, of the targets' shape, or None.
        """
        if decoded.raw is None:
            raise ValueError("a given mask is no answer to learn from")
        single = prompts.points.shape[1] > MULTIMASK_MAX_POINTS
        loss = shape_losses(decoded.raw, targets, self.weights, single, factors)
        self._losses.append(loss)
        present = targets.flatten(1).amax(dim=1) > 0
        logits = at_target_size(decoded.logits.detach()[:, None], targets)
        self._list(name, mask_iou(logits, targets)[:, 0][present])
        said = decoded.object_score.detach() > 0
        self._list("recall_present", said[present])
        self._list("recall_absent", ~said[~present])

    def total(self) -> tuple[torch.Tensor, Mapping[str, float]]:
        """Return the loss and the means of everything listed."""
        loss = torch.cat(self._losses).mean()
        joined = {name: torch.cat(parts) for name, parts in self._named.items()}
        values = {n: float(part.mean()) for n, part in joined.items() if len(part)}
        values["loss"] = float(loss.detach())
        if self.dense is not None:
            values["dense"] = float(self.dense.detach())
            loss = loss + self.weights.dense * self.dense
        return loss, values

    def _list(self, name: str, values: torch.Tensor) -> None:
        self._named.setdefault(name, []).append(values.detach().float())


def shape_losses(
    raw: RawMasks,
    targets: torch.Tensor,
    weights: LossWeights,
    single: bool,
    factors: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return ``(objects,)``: loss of the chosen kind of mask, and less of the other."""
    logits = at_target_size(raw.logits, targets)
    kinds = [slice(0, 1), slice(1, None)]
    if not single:
        kinds.reverse()
    parts = zip(kinds, (1.0, weights.second), strict=True)
    losses = [
        share
        * prompt_losses(
            logits[:, kind],
            raw.predicted_iou[:, kind],
            raw.object_score,
            targets,
            weights,
            factors,
        )
        for kind, share in parts
        if share > 0
    ]
    return torch.stack(losses).sum(dim=0)
