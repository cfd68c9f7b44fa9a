"""Fit the trust model of a network and store it with the weights.

    python tools/fit_trust.py WEIGHTS.safetensors [--recipe docs/recipes/nano.toml]

Clips come from simulated movies and from the recipe's held-out pictures: half of them
for the fit, the other half, and other movies, for the report. Nothing is stored if the
report misses its aims and --store is not given.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from napari_sam2.model.checkpoint import load_model, save_notes
from napari_sam2.model.notes import TRUST_NOTE
from napari_sam2.train.config import read_config
from napari_sam2.train.examples import Corpus, Example
from napari_sam2.train.run import split
from napari_sam2.train.simulated import simulated_examples
from napari_sam2.train.trust import assess_trust, fit_trust, judge

CALIBRATION_ERROR, AUROC = 0.05, 0.85
"""What trust must reach on clips that it was not fitted to."""

FIT_SEED, REPORT_SEED = 5_000, 6_000
MOVIES = 24
FRAMES = 12


def held_out(recipe: Path) -> list[list[Example]]:
    """Return the held-out pictures of each folder of a recipe."""
    config = read_config(recipe)
    folders = [source for source in config.sources if source.kind == "folder"]
    return [split(source, recipe.parent)[1] for source in folders]


def corpora(recipe: Path) -> tuple[Corpus, Corpus]:
    """Return what the model is fitted to, and what it is tried on."""
    pictures = held_out(recipe)
    weights = (0.5, *[0.5 / len(pictures)] * len(pictures))
    fitted = (simulated_examples(MOVIES, FIT_SEED), *(part[::2] for part in pictures))
    tried = (simulated_examples(MOVIES, REPORT_SEED), *(p[1::2] for p in pictures))
    return Corpus(fitted, weights), Corpus(tried, weights)


def main() -> None:
    """Fit, report, store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", type=Path)
    parser.add_argument("--recipe", type=Path, default=Path("docs/recipes/nano.toml"))
    parser.add_argument("--clips", type=int, default=150)
    parser.add_argument("--store", action="store_true", help="even if it misses")
    options = parser.parse_args()
    model = load_model(options.weights)
    fitted, tried = corpora(options.recipe)
    trust = fit_trust(
        judge(model, fitted, clips=options.clips, frames=FRAMES, seed=FIT_SEED)
    )
    report = assess_trust(
        trust,
        judge(model, tried, clips=options.clips, frames=FRAMES, seed=REPORT_SEED),
    )
    print(json.dumps(asdict(report), indent=2))
    good = report.calibration_error <= CALIBRATION_ERROR and report.auroc >= AUROC
    if good or options.store:
        save_notes(options.weights, {TRUST_NOTE: trust.to_json()})
        print(f"stored with {options.weights}")
    else:
        print("not stored: it misses its aims")


if __name__ == "__main__":
    main()
