"""Score a small SAM 2: held-out pictures, simulated movies, a real movie.

    python benchmarks/nano_scores.py [WEIGHTS …] [--data ../shared/data]

Prints one table in Markdown with a column for each model (the bundled one if none is
named) and for the baselines: holding the first mask, and Otsu's threshold linked by
overlap.

Pictures: the validation split of ``docs/recipes/held-out-*.txt``; every picture gives
up to twelve cells, each seen in a window of the model's input size at full
magnification (smaller pictures whole). Movies: the three simulated presets, which no
training uses, J&F over 20 and 60 frames; and ``dev/t98g-phase``, mean J over frames 1
to 19 against the silver truth, over the inside tracks whose manual mask of frame 0
matches a silver one at IoU ≥ 0.6.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile
from nano_stills import still_scores
from nano_tracking import KINDS, Masks, Tracked, hold, otsu_linked, track

from napari_sam2.io.training.images import read_folder
from napari_sam2.metrics import evaluate, last_frames_before_division
from napari_sam2.model.checkpoints.checkpoint import load_model
from napari_sam2.synthetic.config import PRESETS, MovieConfig
from napari_sam2.synthetic.movie import SimulatedMovie

RECIPES = Path(__file__).parents[1] / "docs" / "recipes"
COLLECTIONS = ("dsb2018", "usiigaci-phase")
MATCH = 0.6
LENGTHS = (20, 60)
RESTLESS = {
    name: replace(config, speed=4.0, seed=100 + config.seed, division_rate=0.0)
    for name, config in PRESETS.items()
}
"""Movies in which cells leave the picture: nobody leaves the presets."""
SMALLEST = 40
"""Pixels that a simulated cell shows on frame 0 to be prompted."""

Follow = Callable[[Sequence[np.ndarray], Masks, str], Iterable[Tracked]]
Scores = dict[str, float]


def stretched(movie: np.ndarray) -> np.ndarray:
    """Return ``(T, Y, X, 3)`` uint8 between the 0.1 and 99.9 percentiles."""
    low, high = np.percentile(movie, (0.1, 99.9))
    scaled = np.clip((movie.astype(np.float64) - low) / (high - low), 0, 1) * 255
    return np.repeat(np.rint(scaled).astype(np.uint8)[..., None], 3, axis=-1)


def iou(one: np.ndarray, two: np.ndarray) -> float:
    """Return overlap over union; 1 if both are empty."""
    union = np.count_nonzero(one | two)
    return np.count_nonzero(one & two) / union if union else 1.0


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


def real_movie(follow: Follow, kinds: Sequence[str], folder: Path) -> Scores:
    """Return J on the real movie by kind of prompt."""
    frames = stretched(tifffile.imread(folder / "movie.tif"))
    masks, silver = matched_tracks(folder)
    scores = {}
    for kind in kinds:
        labels = [one.labels for one in follow(list(frames), masks, kind)]
        movie = evaluate(
            silver, labels, objects=list(masks), frames=range(1, 20), boundary=False
        )
        scores[f"T98G, 20 frames, J, {kind}"] = movie.region
    return scores


def simulated_movies(follow: Follow, kinds: Sequence[str]) -> Scores:
    """Return J&F on the frozen simulated movies."""
    scores: Scores = {}
    for kind in kinds:
        means: dict[int, list[float]] = {length: [] for length in LENGTHS}
        for name, config in PRESETS.items():
            movie, frames, truth = rendered(config)
            masks = large_cells(truth[0])
            tracked = list(follow(frames, masks, kind))
            ends = last_frames_before_division(movie.lineage)
            for length in LENGTHS:
                score = evaluate(
                    truth,
                    [one.labels for one in tracked],
                    objects=list(masks),
                    frames=range(1, length),
                    last_frames=ends,
                ).region_and_boundary
                scores[f"simulated {name}, {length} frames, J&F, {kind}"] = score
                means[length].append(score)
        for length, values in means.items():
            scores[f"simulated, mean, {length} frames, J&F, {kind}"] = np.mean(values)
    return scores


def presence(follow: Follow, kinds: Sequence[str]) -> Scores:
    """Return the balanced accuracy of presence where cells leave the picture."""
    scores = {}
    for kind in kinds:
        pairs: list[tuple[bool, bool]] = []
        for config in RESTLESS.values():
            _, frames, truth = rendered(config)
            masks = large_cells(truth[0])
            pairs += _presence(truth, list(follow(frames, masks, kind)), masks)
        there, said = np.array(pairs).T
        share = f"{np.mean(~there):.0%} absent"
        balanced = (said[there].mean() + (~said[~there]).mean()) / 2
        scores[f"restless, presence, balanced accuracy ({share}), {kind}"] = balanced
    return scores


def rendered(
    config: MovieConfig,
) -> tuple[SimulatedMovie, list[np.ndarray], list[np.ndarray]]:
    """Return a movie, its frames ``(Y, X, 3)`` and its labels."""
    movie = SimulatedMovie(replace(config, frame_count=LENGTHS[-1], bit_depth=8))
    frames = [np.repeat(movie.frame(i)[..., None], 3, -1) for i in range(len(movie))]
    return movie, frames, [movie.labels(i) for i in range(len(movie))]


def large_cells(labels: np.ndarray) -> dict[int, np.ndarray]:
    """Return the masks of the cells that are worth a prompt, by id."""
    ids, areas = np.unique(labels, return_counts=True)
    found = zip(ids.tolist(), areas, strict=True)
    return {one: labels == one for one, area in found if one and area > SMALLEST}


def _presence(
    truth: Sequence[np.ndarray], tracked: Sequence[Tracked], masks: Masks
) -> Iterator[tuple[bool, bool]]:
    """Yield whether an object is there, and whether it was said to be."""
    for labels, guess in zip(truth[1:], tracked[1:], strict=True):
        here = set(np.unique(labels).tolist())
        for object_id in masks:
            yield object_id in here, guess.said_present[object_id]


def pictures(model: object, data: Path) -> Scores:
    """Return mean IoU on the held-out pictures of each collection."""
    scores = {}
    for name in COLLECTIONS:
        names = set((RECIPES / f"held-out-{name}.txt").read_text().split())
        images = [
            image for image in read_folder(data / "train" / name) if image.name in names
        ]
        for kind, value in still_scores(model, images).items():
            scores[f"held-out {name}, mIoU, {kind}"] = value
    return scores


def _columns(weights: Sequence[str], data: Path | None) -> dict[str, Scores]:
    columns: dict[str, Scores] = {}
    for name in weights:
        model = load_model(name)

        def follow(frames: Sequence, masks: Masks, kind: str) -> Iterable[Tracked]:
            return track(model, frames, masks, kind)  # noqa: B023 - used at once

        scores = simulated_movies(follow, KINDS) | presence(follow, KINDS)
        if data:
            scores |= pictures(model, data)
            scores |= real_movie(follow, KINDS, data / "dev" / "t98g-phase")
        columns[Path(name).stem] = scores
    for title, baseline in (("first mask held", hold), ("Otsu, linked", otsu_linked)):

        def follow(frames: Sequence, masks: Masks, kind: str) -> Iterable[Tracked]:
            return baseline(frames, masks)  # noqa: B023 - used at once

        scores = simulated_movies(follow, ("mask",))
        if data:
            scores |= real_movie(follow, ("mask",), data / "dev" / "t98g-phase")
        columns[title] = scores
    return columns


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", nargs="*", default=["nano"])
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    columns = _columns(options.weights or ["nano"], options.data)
    print(f"| what | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for what in next(iter(columns.values())):
        values = [scores.get(what) for scores in columns.values()]
        cells = ["" if value is None else f"{value:.3f}" for value in values]
        print(f"| {what} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
