"""Fit the trust model of a network and store it with the weights.

    python tools/fit_trust.py runs/nano/nano.safetensors --recipe RECIPE.toml

Clips come from simulated movies and from the pictures that the recipe, the one by which
the network was trained, holds out: clusters of like pictures (``clusters-NAME.csv``
beside the recipe) are dealt between fit and report. Other movies are simulated for the
report. Nothing is stored if the report misses its aims and --store is not given.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from napari_sam2.model.checkpoints.checkpoint import load_model, save_notes
from napari_sam2.model.checkpoints.notes import TRUST_NOTE
from napari_sam2.train.data.examples import Corpus, Example
from napari_sam2.train.data.simulated import simulated_examples
from napari_sam2.train.recipe.config import read_config
from napari_sam2.train.trainer.run import split
from napari_sam2.train.validation.trust import assess_trust, fit_trust, judge

CALIBRATION_ERROR, AUROC = 0.05, 0.85
"""What trust must reach on clips that it was not fitted to."""

FIT_SEED, REPORT_SEED = 5_000, 6_000
MOVIES = 24
FRAMES = 12


def held_out(recipe: Path) -> list[tuple[list[Example], list[Example]]]:
    """Return the held-out pictures of each folder of a recipe, dealt in two halves."""
    config = read_config(recipe)
    halves = []
    for source in config.sources:
        if source.kind == "folder" and source.holdout:
            clusters = read_clusters(recipe.parent / f"clusters-{source.name}.csv")
            halves.append(dealt(split(source, recipe.parent)[1], clusters))
    return halves


def read_clusters(path: Path) -> dict[str, str]:
    """Return the cluster of each picture."""
    with path.open(newline="") as file:
        return {row["name"]: row["cluster"] for row in csv.DictReader(file)}


def dealt(
    pictures: Sequence[Example], clusters: Mapping[str, str]
) -> tuple[list[Example], list[Example]]:
    """Deal whole clusters into two halves, the largest first, each to the smaller."""
    together: dict[str, list[Example]] = {}
    for picture in pictures:
        together.setdefault(clusters[picture.name], []).append(picture)
    halves: tuple[list[Example], list[Example]] = ([], [])
    for cluster in sorted(together.values(), key=len, reverse=True):
        min(halves, key=len).extend(cluster)
    return halves


def corpora(recipe: Path) -> tuple[Corpus, Corpus]:
    """Return what the model is fitted to, and what it is tried on."""
    halves = held_out(recipe)
    fitted = _mixed(FIT_SEED, [fit for fit, _ in halves])
    return fitted, _mixed(REPORT_SEED, [report for _, report in halves])


def _mixed(seed: int, folders: Sequence[list[Example]]) -> Corpus:
    """Return simulated movies and, in equal parts, pictures of the folders."""
    pictures = [folder for folder in folders if folder]
    share = [0.5 / len(pictures)] * len(pictures) if pictures else []
    return Corpus((simulated_examples(MOVIES, seed), *pictures), (0.5, *share))


def main() -> None:
    """Fit, report, store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", type=Path)
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=150)
    parser.add_argument("--store", action="store_true", help="even if it misses")
    options = parser.parse_args()
    if not options.weights.is_file():
        parser.error(f"{options.weights} is no file")
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
