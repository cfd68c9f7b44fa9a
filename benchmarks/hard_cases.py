"""What each hard case of the tracker does to the movies that it is for, and to others.

    python benchmarks/hard_cases.py [KIND …] [--seeds 3] [--data DATA] [--ways NAME …]

Simulated movies, `KINDS` below, and with --data the later frames of CellPhe: objects
of the first frame, the nearest to its middle, are followed from their true masks, all
together, in each way: with the component rule as the weights ask for it ("none"),
without it ("parts"), with each hard case, with all of them, and with what does not
ship (`hard_case_trials`). Of each kind of movie the table tells:

- J: over the frames after the first, up to the last on which the truth has the object;
  both empty counts 1; mean over movies, and their standard deviation;
- switches: how often an object's mask (IoU ≥ 0.5) is one of another cell than before,
  a movie;
- found again: of all returns after three frames of absence or more, on how many the
  object is tracked (IoU ≥ 0.5) within six frames;
- taken: how many masks were taken for objects that were away, and were those objects;
- CPU milliseconds a frame.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import nano_cellphe
import numpy as np
from hard_case_trials import FindingAgain, Taken, track_exclusive
from nano_scores import stretched
from nano_tracking import Masks, Tracked, track

from napari_sam2.metrics.matching import count_overlaps
from napari_sam2.model.checkpoints.checkpoint import load_model
from napari_sam2.model.sam2 import Sam2
from napari_sam2.synthetic import MovieConfig, SimulatedVolume
from napari_sam2.synthetic.staged import Cover, Jump, StagedMovie
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
    jumps, cuts, covers
        What the stage does, and what lies over the cells.
    planes
        Of a stack whose planes are the frames; 0 for a movie.
    """

    config: MovieConfig
    jumps: tuple[Jump, ...] = ()
    cuts: tuple[tuple[int, int], ...] = ()
    covers: tuple[Cover, ...] = ()
    planes: int = 0


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


def hidden(frames: int) -> Kind:
    """Return a movie in whose middle something lies over the cells for some frames."""
    config = field(cell_count=12, frame_count=frames + 18)
    return Kind(config, covers=((8, 8 + frames, np.s_[35:125, 35:125]),))


def stack(kind: str, **changes: object) -> Kind:
    """Return a stack, from its middle plane on."""
    return Kind(field(kind, frame_count=1, **changes), planes=24)


def _usual(
    model: Sam2,
    frames: Sequence[np.ndarray],
    masks: Masks,
    image_size: int | None,
    **options: object,
) -> Iterable[Tracked]:
    return track(model, frames, masks, "mask", image_size, **options)


KINDS = {
    "plain": Kind(field(cell_count=12)),
    "crowd": Kind(field(cell_count=40, speed=2.0)),
    "crossing": Kind(field(cell_count=16, speed=3.0, overlap=1.0)),
    "rods": Kind(field("bacteria", cell_count=24, speed=3.0, cell_size=28)),
    "filaments": Kind(field("filaments", cell_count=10)),
    "filaments, slow": Kind(field("filaments", cell_count=10, speed=1.0)),
    "divisions": Kind(field(cell_count=10, division_rate=0.02)),
    "divisions, phase": Kind(
        field("phase", cell_count=6, division_rate=0.02, cell_size=48)
    ),
    "stack": stack("nuclei", cell_count=12, cell_size=60),
    "stack, crowded": stack("nuclei", cell_count=30, cell_size=48, overlap=0.6),
    "wandering": Kind(field(side=320, cell_count=48, speed=4.0, frame_count=60)),
    "jumps": Kind(
        field(side=320, cell_count=48),
        jumps=((5, 24, -38), (11, -50, 20), (17, 30, 40)),
    ),
    "jumps, phase": Kind(
        field("phase", side=320, cell_count=24),
        jumps=((5, 24, -38), (11, -50, 20), (17, 30, 40)),
    ),
    **{f"hidden, {frames}": hidden(frames) for frames in (5, 20, 60)},
    **{f"cut, {frames}": away(frames) for frames in (5, 20, 60)},
    **{f"leave, {frames}": leaving(frames) for frames in (5, 20, 60)},
}


Movie = tuple[list[np.ndarray], list[np.ndarray], Masks]
"""Frames ``(Y, X, 3)`` uint8, labels ``(Y, X)``, and the objects to follow."""

Follow = Callable[..., Iterable[Tracked]]
"""Given model, frames, first masks and input size."""

WAYS: dict[str, Follow] = {
    "none": _usual,
    "parts": partial(_usual, one_component=False),
    **{str(name): partial(_usual, hard_cases=(name,)) for name in HardCaseName},
    "all cases": partial(_usual, hard_cases=tuple(HardCaseName)),
    "exclusivity": track_exclusive,
    "finding again": FindingAgain,
    "finding again, new ones": partial(FindingAgain, only_new=True),
}


@dataclass
class Score:
    """Of one object."""

    region: float
    switches: int
    returns: int
    found: int


def movie_of(kind: Kind, seed: int, objects: int) -> Movie:
    """Return a simulated movie, or stack."""
    config = replace(kind.config, seed=FIRST_SEED + seed)
    if kind.planes:
        volume = SimulatedVolume(config, kind.planes)
        planes = range(kind.planes // 2, kind.planes)
        frames = np.stack([volume.frame(0, plane) for plane in planes])
        labels = [volume.labels(0, plane) for plane in planes]
    else:
        movie = StagedMovie(
            config, WINDOW, jumps=kind.jumps, cuts=kind.cuts, covers=kind.covers
        )
        indices = range(movie.frame_count)
        frames = np.stack([movie.frame(index) for index in indices])
        labels = [movie.labels(index) for index in indices]
    return list(stretched(frames)), labels, first_masks(labels[0], objects)


def cellphe(data: Path) -> list[Movie]:
    """Return the windows of later frames of CellPhe, with all tracks that last."""
    windows = nano_cellphe.windows(data / nano_cellphe.FOLDER)
    return [(frames, list(labels), masks) for frames, labels, masks in windows]


def first_masks(labels: np.ndarray, objects: int) -> Masks:
    """Return the objects to follow: of those in full view the nearest to the middle."""
    places = {}
    for object_id in np.unique(labels[labels > 0]).tolist():
        mask = labels == object_id
        if mask.sum() >= LEAST_AREA:
            middle = np.argwhere(mask).mean(axis=0) - np.divide(labels.shape, 2)
            places[object_id] = float(np.hypot(*middle))
    nearest = sorted(places, key=places.__getitem__)[:objects]
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


@dataclass
class Row:
    """What a way made of the movies of a kind.

    Attributes
    ----------
    movies
        The scores of each one's objects.
    taken
        For each mask that was taken for an object: whether it was.
    seconds, frames
        CPU time, for how many frames.
    """

    movies: list[list[Score]]
    taken: list[bool]
    seconds: float
    frames: int

    def line(self, way: str) -> str:
        """Return its line of the table."""
        every = [one for movie in self.movies for one in movie]
        regions = [np.mean([one.region for one in movie]) for movie in self.movies]
        switches = sum(one.switches for one in every) / len(self.movies)
        returns = sum(one.returns for one in every)
        found = f"{sum(one.found for one in every)} / {returns}" if returns else ""
        taken = f"{len(self.taken)}, {sum(self.taken)} right" if self.taken else ""
        cost = 1000 * self.seconds / self.frames
        return (
            f"| {way} | {np.mean(regions):.3f} ± {np.std(regions):.3f} | "
            f"{switches:.1f} | {found} | {taken} | {cost:.0f} |"
        )


def row(model: Sam2, movies: Sequence[Movie], way: str, image_size: int | None) -> Row:
    """Follow the objects of all movies in one way."""
    result = Row([], [], 0.0, 0)
    for frames, labels, masks in movies:
        began = time.process_time()
        following = WAYS[way](model, frames, masks, image_size)
        found = [each.labels for each in following]
        result.seconds += time.process_time() - began
        result.frames += len(frames)
        result.movies.append(list(scores(labels, found, list(masks))))
        for one in getattr(following, "taken", ()):
            result.taken.append(is_right(one, labels[one.frame_index]))
    return result


def is_right(taken: Taken, labels: np.ndarray) -> bool:
    """Tell whether a mask that was taken for an object is one of it."""
    truth = labels == taken.object_id
    union = np.count_nonzero(truth | taken.mask)
    return np.count_nonzero(truth & taken.mask) >= COVERED * union


def main() -> None:
    """Print the table, a kind after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--model", default="nano")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--objects", type=int, default=OBJECTS)
    parser.add_argument("--data", type=Path, help="for the kind CellPhe")
    options = parser.parse_args()
    model = load_model(options.model)
    columns = "movie", "way", "J", "switches", "found again", "taken", "ms a frame"
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for title in options.kinds:
        if title == "CellPhe":
            movies = cellphe(options.data)
        else:
            seeds = range(options.seeds)
            movies = [movie_of(KINDS[title], seed, options.objects) for seed in seeds]
        for way in options.ways:
            found = row(model, movies, way, options.image_size)
            print(f"| {title} {found.line(way)}", flush=True)


if __name__ == "__main__":
    main()
