"""Batches: several clips, their objects in rows, and what is done to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from napari_sam2.train.data.clips import SMALLEST_AREA, Clip, make_clip
from napari_sam2.train.data.corrections import CorrectionPlan
from napari_sam2.train.data.examples import Corpus
from napari_sam2.train.data.motion import CropStyle
from napari_sam2.train.data.prompts import PromptGroup, click_outside, draw_groups
from napari_sam2.train.recipe.config import PromptMix, Stage


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
    later
        Prompts of other frames: of the rows that are seen there.
    corrections
        Which frames are corrected, and how.
    """

    frames: torch.Tensor
    clip_of_row: torch.Tensor
    masks: torch.Tensor
    groups: tuple[PromptGroup, ...]
    labels: np.ndarray
    later: Mapping[int, tuple[PromptGroup, ...]] = field(default_factory=dict)
    corrections: CorrectionPlan = field(default_factory=CorrectionPlan)

    @property
    def anchors(self) -> Mapping[int, tuple[PromptGroup, ...]]:
        """All prompted frames with their prompts."""
        return {0: self.groups, **self.later}

    def to(self, device: torch.device) -> Batch:
        """Return the batch with its tensors on a device."""
        if device.type == "cpu":
            return self
        return replace(
            self,
            frames=self.frames.to(device),
            clip_of_row=self.clip_of_row.to(device),
            masks=self.masks.to(device),
            groups=tuple(group.to(device) for group in self.groups),
            later={
                frame: tuple(group.to(device) for group in groups)
                for frame, groups in self.later.items()
            },
        )


def make_batch(
    corpus: Corpus, stage: Stage, random: np.random.Generator, *, still: bool
) -> Batch:
    """Draw the batch of a step.

    Parameters
    ----------
    still
        Single images rather than clips.
    """
    frames = 1 if still else stage.frames
    in_clips = still and stage.frames > 1
    crops = stage.image_crops if in_clips else stage.crops
    objects = stage.image_objects if in_clips else stage.objects
    style = CropStyle(
        frames,
        stage.size,
        stage.diameter,
        stage.motion,
        stage.absence,
        stage.reverse,
        stage.division,
        stage.deformation,
        stage.touching,
    )
    clips = [make_clip(corpus, style, objects, random) for _ in range(crops)]
    batch = collate(clips, stage.prompts, random)
    if frames > 1 and stage.anchors > 1:
        batch = with_later_prompts(batch, stage, random)
    if stage.corrections and random.random() < stage.correcting:
        batch = replace(batch, corrections=_corrections(batch, stage, random))
    return batch


def with_later_prompts(
    batch: Batch, stage: Stage, random: np.random.Generator
) -> Batch:
    """Prompt up to ``stage.anchors`` − 1 further frames, as if for the first time."""
    count = len(batch.masks)
    # At least one frame stays that is tracked.
    more = int(random.integers(min(stage.anchors, count - 1)))
    mix = _possible(stage.prompts, count)
    later = {}
    for frame in sorted(random.choice(np.arange(1, count), more, replace=False)):
        masks = batch.masks[int(frame)]
        rows = np.flatnonzero(masks.flatten(1).sum(dim=1).numpy() >= SMALLEST_AREA)
        if len(rows):
            later[int(frame)] = draw_groups(masks, rows, mix, random)
    return replace(batch, later=later)


def _corrections(
    batch: Batch, stage: Stage, random: np.random.Generator
) -> CorrectionPlan:
    """Draw frames and clicks; a single image is corrected on its only frame."""
    count = len(batch.masks)
    frames = min(int(random.integers(1, stage.corrections + 1)), count)
    chosen = random.choice(count, frames, replace=False)
    return CorrectionPlan(
        frames=tuple(sorted(int(frame) for frame in chosen)),
        clicks=int(random.integers(1, stage.correction_clicks + 1)),
        returned=str(random.choice(["last", "first" if count > 1 else "none"])),
        seed=int(random.integers(2**31)),
    )


def collate(
    clips: Sequence[Clip], mix: PromptMix, random: np.random.Generator
) -> Batch:
    """Put clips of equal shape into one batch and simulate the prompts of frame 0."""
    masks = torch.cat([clip.masks for clip in clips], dim=1)
    clip_of_row = np.repeat(np.arange(len(clips)), [c.masks.shape[1] for c in clips])
    mix = _possible(mix, len(masks))
    nowhere: dict[int, tuple[int, int]] = {}
    for row in np.flatnonzero(random.random(len(clip_of_row)) < mix.nothing):
        place = click_outside(clips[clip_of_row[row]].labels[0], random)
        if place is not None:
            nowhere[int(row)] = place
    rows = np.setdiff1d(np.arange(len(clip_of_row)), list(nowhere))
    groups = draw_groups(masks[0], rows, mix, random, nowhere)
    masks[:, list(nowhere)] = False
    frames = torch.stack([clip.frames for clip in clips], dim=1)
    labels = np.stack([clip.labels for clip in clips], axis=1)
    return Batch(frames, torch.from_numpy(clip_of_row), masks, groups, labels)


def _possible(mix: PromptMix, frames: int) -> PromptMix:
    """Return shares of the kinds that single images, or clips, can have.

    A mask as an anchor has nothing to teach without further frames; a coarse mask is no
    prompt that a person gives to a movie.
    """
    if frames == 1:
        kept = replace(mix, mask=0.0)
    else:
        kept = replace(mix, coarse=0.0, nothing=0.0)
    total = kept.click + kept.clicks + kept.box + kept.coarse + kept.mask + kept.nothing
    return replace(kept, nothing=kept.nothing / total)
