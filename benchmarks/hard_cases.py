"""What each hard case of the tracker does to the movies that it is for, and to others.

    python benchmarks/hard_cases.py [KIND …] [--seeds 3] [--hard-case NAME …]

Simulated movies, `KINDS` below: objects of the first frame, the nearest to its middle,
are followed from their true masks, all together, without any option and with each. Of
each kind of movie the table tells, as mean over movies:

- J: over the frames after the first, up to the last on which the truth has the object;
  both empty counts 1;
- switches: how often an object's mask (IoU ≥ 0.5) is one of another cell than before,
  a movie;
- found again: of all returns after three frames of absence or more, on how many the
  object is tracked (IoU ≥ 0.5) within six frames.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from nano_scores import stretched
from nano_tracking import Masks, track

from napari_sam2.metrics.matching import count_overlaps
from napari_sam2.model.checkpoints.checkpoint import load_model
from napari_sam2.model.sam2 import Sam2
from napari_sam2.synthetic import MovieConfig
from napari_sam2.synthetic.staged import Jump, StagedMovie
from napari_sam2.tracking.hard_cases.names import HardCaseName

WINDOW = (160, 160)
FRAMES = 24
OBJECTS = 4
LEAST_AREA = 40
"""Pixels that an object to be followed shows on the first frame."""
COVERED = 0.5
AWAY = 3
SOON = 6
FIRST_SEED = 7000
"""No seed that anything was trained on."""


@dataclass(frozen=True)
class Kind:
    """One kind of movie.

    Attributes
    ----------
    config
        The field, whose seed is replaced.
    jumps, cuts
        What the stage does.
    """

    config: MovieConfig
    jumps: tuple[Jump, ...] = ()
    cuts: tuple[tuple[int, int], ...] = ()


def field(
    kind: str = "nuclei", side: int = WINDOW[0], **changes: object
) -> MovieConfig:
    """Return a closed field without divisions."""
    usual = {"frame_count": FRAMES, "division_rate": 0.0, "open_border": False}
    return MovieConfig(kind, frame_shape=(side, side), **usual | changes)


def leaving(frames: int) -> Kind:
    """Return a movie whose picture drifts aside, and comes back after some frames."""
    out = tuple((4 + step, 0, 16) for step in range(6))
    back = tuple((10 + frames + step, 0, -16) for step in range(6))
    wide = field(side=360, cell_count=60, frame_count=frames + 24)
    return Kind(wide, jumps=out + back)


def away(frames: int) -> Kind:
    """Return a movie that shows another place for some frames."""
    config = field(cell_count=12, frame_count=frames + 18)
    return Kind(config, cuts=((8, 8 + frames),))


KINDS = {
    "plain": Kind(field(cell_count=12)),
    "crowd": Kind(field(cell_count=40, speed=2.0)),
    "crossing": Kind(field(cell_count=16, speed=3.0, overlap=1.0)),
    "rods": Kind(field("bacteria", cell_count=24, speed=3.0, cell_size=28)),
    "divisions": Kind(field(cell_count=10, division_rate=0.02)),
    "jumps": Kind(
        field(side=320, cell_count=48),
        jumps=((5, 24, -38), (11, -50, 20), (17, 30, 40)),
    ),
    "jumps, phase": Kind(
        field("phase", side=320, cell_count=24),
        jumps=((5, 24, -38), (11, -50, 20), (17, 30, 40)),
    ),
    **{f"cut, {frames}": away(frames) for frames in (5, 20, 60)},
    **{f"leave, {frames}": leaving(frames) for frames in (5, 20, 60)},
}


@dataclass
class Score:
    """Of one object."""

    region: float
    switches: int
    returns: int
    found: int


def movie_of(kind: Kind, seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return ``(Y, X, 3)`` uint8 frames and ``(Y, X)`` labels."""
    config = replace(kind.config, seed=FIRST_SEED + seed)
    movie = StagedMovie(config, WINDOW, jumps=kind.jumps, cuts=kind.cuts)
    indices = range(movie.frame_count)
    frames = stretched(np.stack([movie.frame(index) for index in indices]))
    return list(frames), [movie.labels(index) for index in indices]


def first_masks(labels: np.ndarray) -> Masks:
    """Return the objects to follow: of those in full view the nearest to the middle."""
    places = {}
    for object_id in np.unique(labels[labels > 0]).tolist():
        mask = labels == object_id
        if mask.sum() >= LEAST_AREA:
            middle = np.argwhere(mask).mean(axis=0) - np.divide(labels.shape, 2)
            places[object_id] = float(np.hypot(*middle))
    nearest = sorted(places, key=places.__getitem__)[:OBJECTS]
    return {object_id: labels == object_id for object_id in sorted(nearest)}


def scores(
    labels: Sequence[np.ndarray], found: Sequence[np.ndarray], objects: Sequence[int]
) -> Iterator[Score]:
    """Yield the score of each object."""
    overlaps = [count_overlaps(*pair) for pair in zip(labels, found, strict=True)]
    for one in objects:
        areas = [each.truth_area.get(one, 0) for each in overlaps]
        last = int(np.flatnonzero(areas)[-1])
        if not last:
            continue
        regions = [each.region(one, one) for each in overlaps[: last + 1]]
        owners = [
            truth
            for each in overlaps[: last + 1]
            for truth in each.truth_area
            if each.truth_area[truth] and each.region(truth, one) >= COVERED
        ]
        switches = int(np.count_nonzero(np.diff(owners)))
        returns = list(returning(areas))
        again = sum(max(regions[frame : frame + SOON]) >= COVERED for frame in returns)
        mean = float(np.mean(regions[1:]))
        yield Score(mean, switches, len(returns), again)


def returning(areas: Sequence[int]) -> Iterator[int]:
    """Yield the frames on which an object is in view again, after a while."""
    absent = 0
    for frame, area in enumerate(areas):
        if area == 0:
            absent += 1
        elif area >= LEAST_AREA:
            if absent >= AWAY:
                yield frame
            absent = 0


def row(model: Sam2, kind: Kind, seeds: int, options: argparse.Namespace) -> list[str]:
    """Return the cells of a kind's rows, one an option."""
    movies = [movie_of(kind, seed) for seed in range(seeds)]
    cells = []
    for cases in ((), *((name,) for name in options.hard_case)):
        began = time.process_time()
        of_movies = []
        for frames, labels in movies:
            masks = first_masks(labels[0])
            size = options.image_size
            tracked = track(model, frames, masks, "mask", size, cases)
            found = [each.labels for each in tracked]
            of_movies.append(list(scores(labels, found, list(masks))))
        cells.append((cases, of_movies, time.process_time() - began))
    return [line(*cell) for cell in cells]


def line(cases: Sequence[str], movies: list[list[Score]], seconds: float) -> str:
    """Return one line of the table."""
    every = [one for movie in movies for one in movie]
    region = np.mean([np.mean([one.region for one in movie]) for movie in movies])
    switches = sum(one.switches for one in every) / len(movies)
    returns = sum(one.returns for one in every)
    again = sum(one.found for one in every)
    name = " ".join(cases) or "none"
    found = f"{again} / {returns}" if returns else ""
    return f"| {name} | {region:.3f} | {switches:.1f} | {found} | {seconds:.0f} |"


def main() -> None:
    """Print the table, a kind after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--model", default="nano")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--hard-case", nargs="*", default=list(HardCaseName))
    options = parser.parse_args()
    model = load_model(options.model)
    print(
        "| movie | option | J | switches | found again | CPU s |\n" + "|---" * 6 + "|"
    )
    for title in options.kinds:
        for text in row(model, KINDS[title], options.seeds, options):
            print(f"| {title} {text}", flush=True)


if __name__ == "__main__":
    main()
