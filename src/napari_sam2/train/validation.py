"""Scores on held-out pictures: IoU from a click, a box, and over a clip."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import torch

from napari_sam2.model.sam2 import Sam2
from napari_sam2.train.batches import make_batch
from napari_sam2.train.config import PromptMix, Stage
from napari_sam2.train.examples import Corpus
from napari_sam2.train.losses import LossWeights
from napari_sam2.train.passes import run_batch

BATCHES = 6
SEED = 20_000


@torch.no_grad()
def validate(model: Sam2, corpus: Corpus, stage: Stage) -> dict[str, float]:
    """Return mean scores over the same crops every time.

    Still crops are prompted by clicks, boxes and coarse masks in equal parts; in a
    stage of clips also clips are tracked, by clicks and masks in equal parts.

    Returns
    -------
    dict
        ``iou_click``, ``iou_box`` …, and ``iou_frame1`` … of tracked clips.
    """
    model.eval()
    stills = replace(
        stage, frames=1, crops=4, objects=12, prompts=PromptMix(1, 1, 1, 0, 0.1)
    )
    values = _mean(model, corpus, stills)
    if stage.frames > 1:
        clips = replace(stage, crops=3, objects=6, prompts=PromptMix(0, 0, 0, 1, 0))
        tracked = _mean(model, corpus, clips)
        values |= {k: v for k, v in tracked.items() if "frame" in k or "recall" in k}
    return values


def _mean(model: Sam2, corpus: Corpus, stage: Stage) -> dict[str, float]:
    collected = defaultdict(list)
    for index in range(BATCHES):
        random = np.random.default_rng((SEED, index))
        batch = make_batch(corpus, stage, random, still=stage.frames == 1)
        for name, value in run_batch(model, batch, LossWeights()).values.items():
            collected[name].append(value)
    return {name: float(np.mean(values)) for name, values in collected.items()}
