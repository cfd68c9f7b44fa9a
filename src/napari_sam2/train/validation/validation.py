"""Scores on held-out pictures: masks from clicks and boxes, clips, presence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from napari_sam2.metrics.masks import boundary_similarity, region_similarity
from napari_sam2.model.mask_decoder import upsample_logits
from napari_sam2.model.prompt_encoder import PromptTensors
from napari_sam2.model.sam2 import ImageEmbedding, Sam2
from napari_sam2.train.data.batches import Batch, collate, make_batch
from napari_sam2.train.data.clips import make_clip
from napari_sam2.train.data.corrections import error_clicks
from napari_sam2.train.data.examples import Corpus
from napari_sam2.train.data.motion import CropStyle
from napari_sam2.train.data.prompts import draw_group
from napari_sam2.train.passes.losses import mask_iou, soft_targets
from napari_sam2.train.passes.passes import run_batch
from napari_sam2.train.recipe.config import PromptMix, Stage
from napari_sam2.train.recipe.loss_weights import PRESETS

BATCHES = 6
SEED = 20_000
STILL_CROPS, STILL_OBJECTS = 4, 12
CLIPS, CLIP_OBJECTS = 3, 6
ABSENCE = 0.3
MORE_CLICKS = 2

Collected = dict[str, list[np.ndarray]]


@torch.no_grad()
def validate(model: Sam2, corpus: Corpus, stage: Stage) -> dict[str, float]:
    """Return mean scores over the same crops every time.

    Parameters
    ----------
    model
        Set to evaluate.
    corpus
        Examples that were not trained on.
    stage
        Size of the crops, of objects, and strength of motion; clips are tracked only in
        a stage of clips.

    Returns
    -------
    dict
        ``iou_click``, ``iou_3clicks``, ``iou_box``, ``iou_coarse``: mean IoU of single
        images at the resolution of the logits, and with ``_full`` at that of the crop.
        Three clicks are given at once, as the viewer does: the first inside, the others
        in the middle of the largest error. ``j``, ``f``, ``j_and_f``: of clips from a
        click, box or mask, at the crop's resolution, frame 0 left out;
        ``iou_frame1`` …: of the frames that show the object. ``recall_present``,
        ``recall_absent``, ``presence_balanced``: of tracked frames; those of clicks on
        something and on nothing begin with ``still_``.
    """
    model.eval()
    found: Collected = {}
    for index in range(BATCHES):
        random = np.random.default_rng((SEED, index))
        _still(model, corpus, stage, random, found)
        if stage.frames > 1:
            _clips(model, corpus, stage, random, found)
    values = {name: float(np.mean(np.concatenate(v))) for name, v in found.items()}
    for kind in ("still_", ""):
        recalls = [values.get(f"{kind}recall_{side}") for side in ("present", "absent")]
        if all(recall is not None for recall in recalls):
            values[f"{kind}presence_balanced"] = float(np.mean(np.array(recalls)))
    if "j" in values:
        values["j_and_f"] = (values["j"] + values["f"]) / 2
    return values


def _still(
    model: Sam2,
    corpus: Corpus,
    stage: Stage,
    random: np.random.Generator,
    found: Collected,
) -> None:
    """Prompt every object of some crops in every way."""
    style = CropStyle(1, stage.size, stage.diameter, 0.0)
    clips = [
        make_clip(corpus, style, STILL_OBJECTS, random) for _ in range(STILL_CROPS)
    ]
    batch = collate(clips, PromptMix(click=1, box=0, coarse=0, nothing=0), random)
    seen = model.embed(batch.frames[0]).select(batch.clip_of_row)
    rows = np.arange(len(batch.clip_of_row))
    truth = batch.masks[0]
    for kind in ("click", "box", "coarse"):
        group = draw_group(kind, truth, rows, random)
        if group.prompts is None:
            continue
        logits, score = _answer(model, seen, group.prompts)
        _note_iou(found, f"iou_{kind}", logits, truth)
        if kind != "click":
            continue
        _note(found, "still_recall_present", score > 0)
        logits = _more_clicks(model, seen, (group.prompts, logits), truth)
        _note_iou(found, "iou_3clicks", logits, truth)
    nothing = collate(clips, PromptMix(click=0.01, box=0, coarse=0, nothing=1), random)
    absent = ~nothing.masks[0].flatten(1).any(dim=1)
    for part in nothing.groups:
        if part.prompts is not None:
            _, score = _answer(model, seen.select(part.rows), part.prompts)
            _note(found, "still_recall_absent", score[absent[part.rows]] <= 0)


def _more_clicks(
    model: Sam2,
    seen: ImageEmbedding,
    answer: tuple[PromptTensors, torch.Tensor],
    truth: torch.Tensor,
) -> torch.Tensor:
    prompts, logits = answer
    for _ in range(MORE_CLICKS):
        click = error_clicks(logits, truth.numpy(), None)
        points = torch.cat((prompts.points, click.points), dim=1)
        prompts = PromptTensors(points, torch.cat((prompts.labels, click.labels), 1))
        logits, _ = _answer(model, seen, prompts)
    return logits


def _answer(
    model: Sam2, seen: ImageEmbedding, prompts: PromptTensors
) -> tuple[torch.Tensor, torch.Tensor]:
    decoded = model.decode(model.condition(seen, None), seen, prompts)
    return decoded.logits, decoded.object_score


def _clips(
    model: Sam2,
    corpus: Corpus,
    stage: Stage,
    random: np.random.Generator,
    found: Collected,
) -> None:
    """Track some clips from clicks, boxes and masks in equal parts."""
    clips = replace(
        stage,
        crops=CLIPS,
        objects=CLIP_OBJECTS,
        prompts=PromptMix(click=1, box=1, coarse=0, mask=1, nothing=0),
        absence=ABSENCE,
        division=0.0,
        anchors=1,
        corrections=0,
    )
    batch = make_batch(corpus, clips, random, still=False)
    scores = run_batch(model, batch, PRESETS["nano"])
    targets = soft_targets(batch.masks)
    for frame in range(1, len(batch.masks)):
        present = targets[frame].flatten(1).amax(dim=1) > 0
        said = scores.object_score[frame] > 0
        iou = mask_iou(scores.logits[frame][:, None], targets[frame])[:, 0]
        _note(found, f"iou_frame{frame}", iou[present])
        _note(found, "recall_present", said[present])
        _note(found, "recall_absent", ~said[~present])
    for name, values in _similarities(batch, scores.logits).items():
        found.setdefault(name, []).append(values)


def _similarities(batch: Batch, logits: torch.Tensor) -> Mapping[str, np.ndarray]:
    """Return J and F of every object on every frame but the first."""
    side = batch.masks.shape[-1]
    regions, boundaries = [], []
    for truths, answers in zip(batch.masks[1:], logits[1:], strict=True):
        guesses = (upsample_logits(answers, side) > 0).numpy()
        for truth, guess in zip(truths.numpy(), guesses, strict=True):
            regions.append(region_similarity(truth, guess))
            boundaries.append(boundary_similarity(truth, guess))
    return {"j": np.array(regions), "f": np.array(boundaries)}


def _note_iou(
    found: Collected, name: str, logits: torch.Tensor, truth: torch.Tensor
) -> None:
    low = mask_iou(logits[:, None], soft_targets(truth))
    _note(found, name, low[:, 0])
    full = mask_iou(upsample_logits(logits, truth.shape[-1])[:, None], truth.float())
    _note(found, f"{name}_full", full[:, 0])


def _note(found: Collected, name: str, values: torch.Tensor) -> None:
    if len(values):
        found.setdefault(name, []).append(values.float().numpy())
