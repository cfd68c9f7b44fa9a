"""Batches: several clips, their objects in rows, and prompts grouped by kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from napari_sam2.model.prompt_encoder import PointLabel, PromptTensors
from napari_sam2.train.clips import Clip, make_clip
from napari_sam2.train.config import PromptMix, Stage
from napari_sam2.train.examples import Corpus
from napari_sam2.train.motion import CropStyle
from napari_sam2.train.prompt_simulation import (
    click_beside,
    click_inside,
    click_outside,
    coarse_logits,
    jittered_box,
)

KINDS = ("click", "clicks", "box", "coarse", "mask", "nothing")


@dataclass(frozen=True, slots=True, eq=False)
class PromptGroup:
    """Objects of a batch that are prompted in the same way on frame 0.

    Attributes
    ----------
    kind
        One of `KINDS`; clicks on nothing are in the group ``"click"``.
    rows
        ``(objects,)`` rows of the batch.
    prompts
        Their prompts; None for ``"mask"``, where the true mask is given.
    """

    kind: str
    rows: torch.Tensor
    prompts: PromptTensors | None


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one optimiser step sees.

    Attributes
    ----------
    frames
        ``(T, clips, 3, S, S)`` normalised.
    clip_of_row
        ``(objects,)`` which clip each object belongs to.
    masks
        ``(T, objects, S, S)`` bool, all False where an object is absent.
    groups
        Prompts of frame 0; every row is in exactly one group.
    labels
        ``(T, clips, S, S)`` int32 of all objects, prompted or not.
    """

    frames: torch.Tensor
    clip_of_row: torch.Tensor
    masks: torch.Tensor
    groups: tuple[PromptGroup, ...]
    labels: np.ndarray


def make_batch(
    corpus: Corpus, stage: Stage, random: np.random.Generator, *, still: bool
) -> Batch:
    """Draw the batch of a step.

    Parameters
    ----------
    corpus
        Where crops come from.
    stage
        Sizes, numbers and the prompt mix.
    random
        Decides everything.
    still
        Single images rather than clips.
    """
    frames = 1 if still else stage.frames
    in_clips = still and stage.frames > 1
    crops = stage.image_crops if in_clips else stage.crops
    objects = stage.image_objects if in_clips else stage.objects
    style = CropStyle(frames, stage.size, stage.diameter, stage.motion)
    clips = [make_clip(corpus, style, objects, random) for _ in range(crops)]
    return collate(clips, stage.prompts, random)


def collate(
    clips: Sequence[Clip], mix: PromptMix, random: np.random.Generator
) -> Batch:
    """Put clips of equal shape into one batch and simulate the prompts of frame 0."""
    masks = torch.cat([clip.masks for clip in clips], dim=1)
    clip_of_row = np.repeat(np.arange(len(clips)), [c.masks.shape[1] for c in clips])
    is_still = masks.shape[0] == 1
    weights = np.array(
        [
            mix.click,
            mix.clicks,
            mix.box,
            mix.coarse if is_still else 0.0,
            0.0 if is_still else mix.mask,
            mix.nothing if is_still else 0.0,
        ]
    )
    kinds = random.choice(KINDS, size=len(clip_of_row), p=weights / weights.sum())
    entries: dict[str, list[tuple[int, np.ndarray]]] = {}
    for row, kind in enumerate(kinds):
        first = masks[0, row].numpy()
        if kind == "nothing":
            place = click_outside(clips[clip_of_row[row]].labels[0], random)
            kind = "click"
            if place is None:
                place = click_inside(first, random)
            else:
                masks[:, row] = False
            entry = np.array([place[::-1]], np.float32)
        else:
            entry = _simulate(str(kind), first, random)
        entries.setdefault(str(kind), []).append((row, entry))
    groups = tuple(_group(kind, listed) for kind, listed in sorted(entries.items()))
    frames = torch.stack([clip.frames for clip in clips], dim=1)
    labels = np.stack([clip.labels for clip in clips], axis=1)
    return Batch(frames, torch.from_numpy(clip_of_row), masks, groups, labels)


def _simulate(kind: str, mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return points ``(n, 2)`` as x, y, or ``(S/4, S/4)`` logits, or nothing.

    Two clicks are ``(2, 3)``: x, y and the kind of point.
    """
    if kind == "click":
        return np.array([click_inside(mask, random)[::-1]], np.float32)
    if kind == "clicks":
        first = *click_inside(mask, random)[::-1], PointLabel.POSITIVE
        return np.array([first, _second_click(mask, random)], np.float32)
    if kind == "mask":
        return np.zeros((0, 2), np.float32)
    y0, x0, y1, x1 = jittered_box(mask, random)
    if kind == "box":
        return np.array([[x0, y0], [x1, y1]], np.float32)
    return coarse_logits((y0, x0, y1, x1), mask.shape[0])


def _second_click(
    mask: np.ndarray, random: np.random.Generator
) -> tuple[int, int, PointLabel]:
    """Return x, y and kind of a click elsewhere on an object, or close beside it."""
    y, x = click_beside(mask, random)
    if random.random() < 0.5:
        y, x = click_inside(mask, random)
        return x, y, PointLabel.POSITIVE
    return x, y, PointLabel.NEGATIVE


def _group(kind: str, entries: Sequence[tuple[int, np.ndarray]]) -> PromptGroup:
    rows = torch.tensor([row for row, _ in entries])
    values = torch.from_numpy(np.stack([value for _, value in entries]))
    if kind == "mask":
        return PromptGroup(kind, rows, None)
    if kind == "coarse":
        empty = PromptTensors.empty(len(rows), values.device)
        prompts = PromptTensors(empty.points, empty.labels, values[:, None])
        return PromptGroup(kind, rows, prompts)
    if kind == "clicks":
        prompts = PromptTensors(values[..., :2], values[..., 2].long())
        return PromptGroup(kind, rows, prompts)
    names = {
        "click": [PointLabel.POSITIVE],
        "box": [PointLabel.BOX_FIRST, PointLabel.BOX_LAST],
    }[kind]
    labels = torch.tensor([[int(name) for name in names]]).expand(len(rows), -1)
    return PromptGroup(kind, rows, PromptTensors(values, labels))
