"""Every line that decides whether a new nano ships, object by object; and its noise.

    python benchmarks/nano_lines.py WEIGHTS OUT.json --data DATA [--lines t98g dsb]
    python benchmarks/nano_lines.py --compare TODAY.json NEXT.json

The first writes what every object scored (functions of ``nano_scores.py``,
``nano_cellphe.py``, ``nano_sizes.py``, ``fine_tuning.py``), at the input that the
weights ask for; ``first-mask`` and ``otsu`` in the place of weights are the baselines.
The second prints means, and the 95 % interval of their difference from a bootstrap in
which objects (pictures, on still images) are drawn anew together for both.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import nano_cellphe
import nano_scores
import numpy as np
import tifffile
from fine_tuning import ALL_FRAMES, MASKLETS, TAUGHT_FRAMES, bright_bacteria, only
from nano_sizes import held_out, width_of
from nano_stills import scores_of, windows
from nano_tracking import Masks, Tracked, hold, otsu_linked, track

from napari_sam2.metrics import evaluate, last_frames_before_division
from napari_sam2.model.checkpoints.checkpoint import load_model
from napari_sam2.model.sam2 import Sam2
from napari_sam2.synthetic.config import PRESETS
from napari_sam2.train.fine_tuning.score import held_out_score

KINDS = ("mask", "click")
SMALL = 14.0
"""Width below which a nucleus counts as small, in pixels of the picture."""
DRAWS = 2000

Follow = Callable[[Sequence[np.ndarray], Masks, str], Iterable[Tracked]]
Line = dict[str, dict[str, list[float]]]
"""Group → object → values. A line is the mean over groups of the mean over values."""
BASELINES = {"first-mask": hold, "otsu": otsu_linked}


def t98g(follow: Follow, kind: str, data: Path) -> Line:
    """J on the real movie that is looked at last."""
    folder = data / "dev" / "t98g-phase"
    frames = nano_scores.stretched(tifffile.imread(folder / "movie.tif"))
    masks, silver = nano_scores.matched_tracks(folder)
    labels = [seen.labels for seen in follow(list(frames), masks, kind)]
    score = evaluate(
        silver, labels, objects=list(masks), frames=range(1, 20), boundary=False
    )
    return {"": {str(one.object_id): [one.region] for one in score.objects}}


def cellphe(follow: Follow, kind: str, data: Path) -> Line:
    """J on the later frames of CellPhe."""
    found: Line = {}
    for number, (frames, labels, masks) in enumerate(
        nano_cellphe.windows(data / nano_cellphe.FOLDER)
    ):
        guess = [seen.labels for seen in follow(frames, masks, kind)]
        score = evaluate(
            labels,
            guess,
            objects=list(masks),
            frames=range(1, nano_cellphe.WINDOW),
            boundary=False,
        )
        found[str(number)] = {str(one.object_id): [one.region] for one in score.objects}
    return found


def simulated(follow: Follow, kind: str, _: Path, length: int = 60) -> Line:
    """J&F on the presets."""
    found: Line = {}
    for name, config in PRESETS.items():
        movie, *both = nano_scores.rendered(config)
        frames, truth = (each[:length] for each in both)
        masks = nano_scores.large_cells(truth[0])
        score = evaluate(
            truth,
            [seen.labels for seen in follow(frames, masks, kind)],
            objects=list(masks),
            frames=range(1, len(frames)),
            last_frames=last_frames_before_division(movie.lineage),
        )
        found[name] = {
            str(one.object_id): [one.region_and_boundary or 0.0]
            for one in score.objects
        }
    return found


def presence(follow: Follow, kind: str, _: Path, length: int = 60) -> Line:
    """Balanced accuracy of presence: groups are "there" and "gone"."""
    found: Line = {"there": defaultdict(list), "gone": defaultdict(list)}
    for name, config in nano_scores.RESTLESS.items():
        frames, truth = (each[:length] for each in nano_scores.rendered(config)[1:])
        masks = nano_scores.large_cells(truth[0])
        seen_frames = list(follow(frames, masks, kind))
        for labels, seen in zip(truth[1:], seen_frames[1:], strict=True):
            here = set(np.unique(labels).tolist())
            for one in masks:
                said = seen.said_present[one]
                group = found["there" if one in here else "gone"]
                group[f"{name} {one}"].append(float(said == (one in here)))
    return {group: dict(objects) for group, objects in found.items()}


MOVIES: dict[str, Callable[[Follow, str, Path], Line]] = {
    "t98g": t98g,
    "cellphe": cellphe,
    "simulated": simulated,
    "presence": presence,
    "simulated, 20 frames": partial(simulated, length=20),
    "presence, 40 frames": partial(presence, length=40),
}
"""The short ones, and "a third of dsb", are for busy machines."""


def stills(model: Sam2, data: Path, every_nth: int = 1) -> Iterator[tuple[str, Line]]:
    """IoU on the held-out pictures of the Data Science Bowl; small cells apart."""
    every: Line = defaultdict(lambda: defaultdict(list))
    small: Line = defaultdict(lambda: defaultdict(list))
    side = model.config.image_size
    for number, picture in list(enumerate(held_out(data)))[::every_nth]:
        for pixels, truth in windows(picture, side, number):
            is_small = width_of(truth) < SMALL
            for kind, value in scores_of(model, pixels, truth):
                every[kind][picture.name].append(value)
                if is_small:
                    small[kind][picture.name].append(value)
    for kind in every:
        yield f"DSB {kind}", {"": dict(every[kind])}
        yield f"DSB under {SMALL:g} px, {kind}", {"": dict(small[kind])}


def rods(model: Sam2) -> Line:
    """J on bright rods, as fine-tuning's benchmark has it before fine-tuning."""
    found = {}
    for seed in range(3):
        later = bright_bacteria(seed).part(TAUGHT_FRAMES, ALL_FRAMES)
        own = only(later, sorted(later.trusted)[:MASKLETS])
        found[str(seed)] = [held_out_score(model, [own])]
    return {"": found}


def lines(
    name: str, data: Path, wanted: Sequence[str], kinds: Sequence[str] = KINDS
) -> Iterator[tuple[str, Line]]:
    """Yield every wanted line."""
    if name in BASELINES:
        for movie in wanted:
            if movie in MOVIES and "presence" not in movie:
                yield f"{movie} mask", MOVIES[movie](_alone(name), "mask", data)
        return
    model = load_model(name)
    for what in wanted:
        if what in MOVIES:
            for kind in kinds:
                yield f"{what} {kind}", MOVIES[what](partial(track, model), kind, data)
        elif what == "rods":
            yield what, rods(model)
        else:
            yield from stills(model, data, 3 if what == "a third of dsb" else 1)


def _alone(name: str) -> Follow:
    return lambda frames, masks, _: BASELINES[name](frames, masks)


def mean(line: Mapping[str, Mapping[str, Sequence[float]]]) -> float:
    """Return the mean over groups of the mean over all values."""
    return float(
        np.mean([np.mean(np.concatenate(list(g.values()))) for g in line.values()])
    )


def shared(line: Line, other: Line) -> Line:
    """Return the objects of a line that the other has, too."""
    return {
        group: {one: objects[one] for one in objects if one in other[group]}
        for group, objects in line.items()
    }


def interval(today: Line, other: Line) -> tuple[float, float]:
    """Return the 95 % interval of the difference of two lines by a paired bootstrap."""
    random = np.random.default_rng(0)
    differences = []
    for _ in range(DRAWS):
        drawn: list[Line] = [{}, {}]
        for group in today:
            names = sorted(today[group])
            chosen = random.choice(names, size=len(names))
            for line, found in zip((today, other), drawn, strict=True):
                found[group] = {
                    str(n): line[group][one] for n, one in enumerate(chosen)
                }
        differences.append(mean(drawn[1]) - mean(drawn[0]))
    low, high = np.percentile(differences, (2.5, 97.5))
    return float(low), float(high)


def main() -> None:
    """Measure, or compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs=2)
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--data", type=Path)
    parser.add_argument(
        "--lines",
        nargs="*",
        default=["t98g", "cellphe", "dsb", "rods", "simulated", "presence"],
    )
    parser.add_argument("--kinds", nargs="*", default=KINDS)
    given = parser.parse_args()
    if given.compare:
        today, other = (json.loads(Path(file).read_text()) for file in given.files)
        print("| line | today | next | difference, 95 % |\n| --- | --- | --- | --- |")
        for name in [name for name in today if name in other]:
            both = [
                shared(today[name], other[name]),
                shared(other[name], today[name]),
            ]
            low, high = interval(*both)
            values = " | ".join(f"{mean(line):.3f}" for line in both)
            print(f"| {name} | {values} | {low:+.3f} … {high:+.3f} |")
        return
    out = Path(given.files[1])
    found = json.loads(out.read_text()) if out.exists() else {}
    for name, line in lines(
        given.files[0], given.data, list(dict.fromkeys(given.lines))
    ):
        found[name] = line
        out.write_text(json.dumps(found))
        print(f"| {name} | {mean(line):.3f} |", flush=True)


if __name__ == "__main__":
    main()
