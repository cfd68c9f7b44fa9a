"""Choose how sure a network must be that an object is there, and store it.

    python tools/fit_presence.py WEIGHTS.safetensors [--store]

Training shows objects that come back soon; in a movie a cell that left is gone, and one
wrong "here" puts the masklet on another cell for good. So the presence head's bias is
chosen on simulated movies whose cells leave the picture (seeds that neither training
nor the benchmarks use): the best balanced accuracy that costs next to no J where the
cells are there.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from napari_sam2.metrics.clicks import deepest_pixel
from napari_sam2.metrics.masks import region_similarity
from napari_sam2.model.checkpoints.checkpoint import load_model, save_model
from napari_sam2.model.checkpoints.notes import read_notes
from napari_sam2.model.sam2 import Sam2
from napari_sam2.prompts import FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.synthetic.config import PRESETS, MovieConfig
from napari_sam2.synthetic.movie import SimulatedMovie
from napari_sam2.tracking.postprocess import label_image
from napari_sam2.tracking.predictor import StreamingPredictor

BIASES = (0.0, 0.5, 1.0, -0.5, -1.0)
SEED, MOVIES, FRAMES, SPEED = 7_000, 6, 60, 4.0
SMALLEST = 40
"""Pixels that a cell shows on frame 0 to be prompted."""
ALLOWED_LOSS = 0.01
"""Of J on the frames that show a cell, in which a missed cell counts as 0."""
NOTE = "presence_bias"


@dataclass(frozen=True, slots=True)
class Found:
    """What a bias gives: right answers where cells are, and are not, and J."""

    bias: float
    recall_present: float
    recall_absent: float
    region: float

    @property
    def balanced(self) -> float:
        """Balanced accuracy of presence."""
        return (self.recall_present + self.recall_absent) / 2


def restless(number: int) -> MovieConfig:
    """Return a movie whose cells leave; the kinds take turns."""
    base = list(PRESETS.values())[number % len(PRESETS)]
    return replace(
        base,
        seed=SEED + number,
        speed=SPEED,
        frame_count=FRAMES,
        bit_depth=8,
        division_rate=0.0,
    )


def follow(model: Sam2, config: MovieConfig, *, clicks: bool) -> np.ndarray:
    """Return ``(frames · cells, 3)``: is there, is said to be, J."""
    movie = SimulatedMovie(config)
    first = movie.labels(0)
    ids, areas = np.unique(first, return_counts=True)
    ids = ids[(ids > 0) & (areas > SMALLEST)]
    prompts = [_prompt(int(one), first == one, clicks=clicks) for one in ids]
    predictor = StreamingPredictor(
        model, frame_shape=first.shape, frame_count=FRAMES, device="cpu"
    )
    rows = []
    for index in range(FRAMES):
        frame = np.repeat(movie.frame(index)[..., None], 3, axis=-1)
        step = predictor.step(index, frame, prompts if index == 0 else ())
        guess = label_image(
            step.object_ids, step.logits, first.shape, np.dtype(np.uint16)
        )
        truth = movie.labels(index)
        for one, said in zip(step.object_ids, step.object_score > 0, strict=True):
            mask = truth == one
            region = region_similarity(mask, guess == one)
            rows.append((mask.any(), said, region))
    return np.array(rows[len(ids) :], float)


def judge(model: Sam2, bias: float) -> Found:
    """Track all movies with the presence logit moved by ``bias``."""
    last = _last_layer(model)
    before = last.bias.data.clone()
    last.bias.data += bias
    parts = [
        follow(model, restless(number), clicks=bool(number // 3 % 2))
        for number in range(MOVIES)
    ]
    last.bias.data = before
    there, said, region = np.concatenate(parts).T
    here = there > 0
    right = said[here].mean(), (1 - said[~here]).mean()
    return Found(bias, float(right[0]), float(right[1]), float(region[here].mean()))


def best(found: list[Found]) -> Found:
    """Return the best presence that costs little J; the first has no bias."""
    least = found[0].region - ALLOWED_LOSS
    cheap = [one for one in found if one.region >= least]
    return max(cheap, key=lambda one: one.balanced)


def _prompt(object_id: int, mask: np.ndarray, *, clicks: bool) -> FramePrompt:
    if not clicks:
        return FramePrompt(object_id, 0, mask=MaskPrompt(mask))
    y, x = deepest_pixel(mask)
    return FramePrompt(object_id, 0, points=(PointPrompt(float(y), float(x)),))


def _last_layer(model: Sam2) -> torch.nn.Linear:
    layers = model.mask_decoder.pred_obj_score_head.modules()
    return [layer for layer in layers if isinstance(layer, torch.nn.Linear)][-1]


def main() -> None:
    """Try all biases; print them; store the best if asked to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", type=Path)
    parser.add_argument("--store", action="store_true")
    options = parser.parse_args()
    if not options.weights.is_file():
        parser.error(f"{options.weights} is no file")
    model = load_model(options.weights)
    found = []
    for bias in BIASES:
        found.append(judge(model, bias))
        print(found[-1], flush=True)
    chosen = best(found)
    print("chosen:", chosen)
    if options.store:
        notes = read_notes(options.weights)
        total = float(notes.get(NOTE, "0")) + chosen.bias
        _last_layer(model).bias.data += chosen.bias
        notes[NOTE] = f"{total:g}"
        save_model(model, options.weights, dtype=torch.float16, notes=notes)
        print(f"stored with {options.weights}")


if __name__ == "__main__":
    main()
