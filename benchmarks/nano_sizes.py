"""IoU on the held-out pictures of the Data Science Bowl by the width of the cell.

    python benchmarks/nano_sizes.py [WEIGHTS …] --data ../shared/data

The cells and windows of ``nano_scores.py``. The width is the equivalent diameter as the
network sees it, in pixels of its input. Prints a table in Markdown for each model.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
from nano_scores import RECIPES
from nano_stills import scores_of, windows

from napari_sam2.io.training.images import LabelledImage, read_folder
from napari_sam2.model.checkpoints.checkpoint import load_model
from napari_sam2.model.sam2 import Sam2

NAME = "dsb2018"
EDGES = (0.0, 10.0, 14.0, 18.0, 24.0, 32.0, 48.0, np.inf)


def held_out(data: Path) -> list[LabelledImage]:
    """Return the pictures that no training saw."""
    names = set((RECIPES / f"held-out-{NAME}.txt").read_text().split("\n"))
    pictures = read_folder(data / "train" / NAME)
    return [picture for picture in pictures if picture.name in names]


def width_of(mask: np.ndarray) -> float:
    """Return the equivalent diameter of a mask in pixels."""
    return float(2.0 * np.sqrt(mask.sum() / np.pi))


def scores_by_width(model: Sam2, data: Path) -> tuple[np.ndarray, dict[str, list]]:
    """Return the width of each cell, and its IoU by kind of prompt."""
    side = model.config.image_size
    widths: list[float] = []
    scores: dict[str, list[float]] = {}
    for number, picture in enumerate(held_out(data)):
        for pixels, truth in windows(picture, side, number):
            widths.append(width_of(truth) * side / max(truth.shape))
            for kind, value in scores_of(model, pixels, truth):
                scores.setdefault(kind, []).append(value)
    return np.array(widths), scores


def main() -> None:
    """Print a table for each model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", nargs="*", default=["nano"])
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    for name in options.weights:
        widths, scores = scores_by_width(load_model(name), options.data)
        print(f"| {Path(name).stem}: width, px | cells | {' | '.join(scores)} |")
        print(f"|{' --- |' * (len(scores) + 2)}")
        for low, high in itertools.pairwise(EDGES):
            chosen = (widths >= low) & (widths < high)
            means = [np.array(values)[chosen].mean() for values in scores.values()]
            cells = " | ".join(f"{mean:.3f}" for mean in means)
            span = f"{low:g}–{high:g}" if np.isfinite(high) else f"from {low:g}"
            print(f"| {span} | {chosen.sum()} | {cells} |")


if __name__ == "__main__":
    main()
