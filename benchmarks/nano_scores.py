"""Score a small SAM 2: a real movie, simulated movies, held-out pictures.

    python benchmarks/nano_scores.py [WEIGHTS] [--data ../shared/data] [--recipe R]

Prints a table in Markdown. The real movie is ``dev/t98g-phase``: mean J over frames 1
to 19 against the silver truth, over the inside tracks whose manual mask of frame 0
matches a silver one at IoU ≥ 0.6, from mask prompts and from one click each.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile

from napari_sam2.model.checkpoint import load_model
from napari_sam2.model.sam2 import Sam2
from napari_sam2.prompts import FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.synthetic.config import PRESETS
from napari_sam2.synthetic.movie import SimulatedMovie
from napari_sam2.tracking.postprocess import label_image
from napari_sam2.tracking.predictor import StreamingPredictor
from napari_sam2.train.config import PromptMix, Stage, read_config
from napari_sam2.train.prompt_simulation import deepest_pixel
from napari_sam2.train.run import open_sources
from napari_sam2.train.validation import validate

MATCH = 0.6


def stretched(movie: np.ndarray) -> np.ndarray:
    """Return ``(T, Y, X, 3)`` uint8 between the 0.1 and 99.9 percentiles."""
    low, high = np.percentile(movie, (0.1, 99.9))
    scaled = np.clip((movie.astype(np.float64) - low) / (high - low), 0, 1) * 255
    return np.repeat(np.rint(scaled).astype(np.uint8)[..., None], 3, axis=-1)


def iou(one: np.ndarray, two: np.ndarray) -> float:
    """Return overlap over union; 1 if both are empty."""
    union = np.count_nonzero(one | two)
    return np.count_nonzero(one & two) / union if union else 1.0


def track(
    model: Sam2, frames: Sequence[np.ndarray], masks: dict[int, np.ndarray], kind: str
) -> np.ndarray:
    """Return ``(T, Y, X)`` labels tracked forward from masks or clicks on frame 0."""
    predictor = StreamingPredictor(
        model, frame_shape=frames[0].shape[:2], frame_count=len(frames), device="cpu"
    )
    prompts = []
    for object_id, mask in masks.items():
        if kind == "mask":
            prompts.append(FramePrompt(object_id, 0, mask=MaskPrompt(mask)))
        else:
            point = PointPrompt(*map(float, deepest_pixel(mask)))
            prompts.append(FramePrompt(object_id, 0, points=(point,)))
    labels = []
    for index, frame in enumerate(frames):
        result = predictor.step(index, frame, prompts if index == 0 else ())
        labels.append(
            label_image(
                result.object_ids, result.logits, frame.shape[:2], np.dtype(np.uint16)
            )
        )
    return np.stack(labels)


def matched_tracks(folder: Path) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """Return manual masks by silver id (where they match), and the silver tracks."""
    silver = tifffile.imread(folder / "tracks-silver.tif")
    manual = tifffile.imread(folder / "frame0-manual.tif")
    inside = json.loads((folder / "meta.json").read_text())["tracks_fully_inside"]
    found = {}
    for object_id in inside:
        truth = silver[0] == object_id
        scores = {m: iou(manual == m, truth) for m in np.unique(manual[truth]) if m}
        best = max(scores, key=scores.__getitem__, default=0)
        if best and scores[best] >= MATCH:
            found[object_id] = manual == best
    return found, silver


def real_movie(model: Sam2, folder: Path) -> list[str]:
    """Return the lines about the real movie."""
    frames = stretched(tifffile.imread(folder / "movie.tif"))
    masks, silver = matched_tracks(folder)
    still = np.mean(
        [iou(m, s == i) for i, m in masks.items() for s in silver[1:]], dtype=float
    )
    lines = [f"| T98G, holding the first mask ({len(masks)} cells) | {still:.3f} |"]
    for kind in ("mask", "click"):
        labels = track(model, list(frames), masks, kind)
        per_cell = {
            object_id: np.mean(
                [
                    iou(labels[t] == object_id, silver[t] == object_id)
                    for t in range(1, len(frames))
                ]
            )
            for object_id in masks
        }
        cells = ", ".join(f"{i}: {score:.2f}" for i, score in per_cell.items())
        mean = np.mean(list(per_cell.values()))
        lines.append(f"| T98G, J on frames 1–19 from a {kind} ({cells}) | {mean:.3f} |")
    return lines


def simulated_movies(model: Sam2, frame_count: int) -> list[str]:
    """Return the lines about the three frozen simulated movies."""
    lines = []
    for name, config in PRESETS.items():
        movie = SimulatedMovie(replace(config, frame_count=frame_count, bit_depth=8))
        frames = [
            np.repeat(movie.frame(i)[..., None], 3, -1) for i in range(len(movie))
        ]
        truth = np.stack([movie.labels(i) for i in range(len(movie))])
        ids, areas = np.unique(truth[0], return_counts=True)
        masks = {
            int(i): truth[0] == i
            for i, a in zip(ids, areas, strict=True)
            if i and a > 40
        }
        last = {track.object_id: track.last_frame for track in movie.lineage}
        for kind in ("mask", "click"):
            labels = track(model, frames, masks, kind)
            scores = [
                iou(labels[t] == i, truth[t] == i)
                for i in masks
                for t in range(1, last[i] + 1)
            ]
            lines.append(
                f"| simulated {name}, {frame_count} frames, J from a {kind} "
                f"({len(masks)} cells) | {np.mean(scores):.3f} |"
            )
    return lines


def held_out_pictures(model: Sam2, recipe: Path) -> list[str]:
    """Return the lines about pictures that were never trained on."""
    _, held_out = open_sources(read_config(recipe), recipe.parent)
    size = model.config.image_size
    stage = Stage(
        "score",
        1,
        frames=5,
        size=size,
        diameter=(0.1 * size, 0.4 * size),
        prompts=PromptMix(1, 1, 1, 0, 0),
    )
    lines = []
    for name, corpus in held_out.items():
        scores = validate(model, corpus, stage)
        row = ", ".join(f"{key} {value:.3f}" for key, value in sorted(scores.items()))
        lines.append(f"| held-out {name} at {size} px | {row} |")
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", nargs="?", default="nano")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--recipe", type=Path)
    parser.add_argument("--frames", type=int, default=0, help="of simulated movies")
    options = parser.parse_args()
    model = load_model(options.weights)
    lines = ["| what | score |", "| --- | --- |"]
    if options.frames:
        lines += simulated_movies(model, options.frames)
    if options.recipe:
        lines += held_out_pictures(model, options.recipe)
    if options.data:
        lines += real_movie(model, options.data / "dev" / "t98g-phase")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
