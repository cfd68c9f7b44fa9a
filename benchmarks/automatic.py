"""Score what is tracked without a click: simulate, track --auto, export, CTC measures.

    python -m benchmarks automatic [--seeds 1 2 3] [--frames 40] [--restless]
    python -m benchmarks automatic --seeds 301 --sweep sister_ratio 0.3 0.4 0.6
    python -m benchmarks automatic --recorded ../shared/data/dev/t98g-phase

Prints a Markdown table with a row for each simulated movie: DET, TRA and SEG of the
Cell Tracking Challenge (py-ctcmetrics), and precision, recall and F1 of divisions (a
division is found if the same mother divides within two frames of the true one), for
nano and for the baseline "Otsu's threshold, linked by overlap". Without ``--seeds`` the
three presets are scored; the thresholds of masks were chosen on other seeds.
``--recorded`` scores a movie of a microscope instead: ``movie.tif`` in a folder, beside
``tracks-silver.tif``. ``--sweep`` scores the same movies with each value of one rule. A
last row is the sum of all divisions, by rule.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from scipy import ndimage
from skimage.filters import threshold_otsu

from napari_sam2.batch.automatic import DiscoveryJob, find_objects
from napari_sam2.batch.job import ModelOptions, TrackJob, open_run
from napari_sam2.batch.movie_files import write_movie_tiffs
from napari_sam2.io.exports.formats import export
from napari_sam2.io.exports.masklets import open_masklets
from napari_sam2.metrics.matching import count_overlaps
from napari_sam2.synthetic import PRESETS, SimulatedMovie
from napari_sam2.tracking.automatic.masklet_options import Divisions, MaskletOptions

SMALLEST = 20
"""Pixels below which a true cell is not asked for: slivers at the border."""
NEAR = 2
"""Frames by which a division may be off."""
MEASURES = ["Valid", "DET", "TRA", "SEG"]


@dataclass(frozen=True)
class Track:
    """A row of ``res_track.txt``."""

    label: int
    first: int
    last: int
    parent: int


@dataclass(frozen=True)
class Cell:
    """A cell of a recorded movie; nobody knows its mother."""

    object_id: int
    parent: int | None = None


class RecordedMovie:
    """A movie of a microscope with tracks, without mothers, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "movie.tif"
        self._frames = tifffile.imread(self.file)
        self._labels = tifffile.imread(folder / "tracks-silver.tif")
        self.frame_count = len(self._frames)
        ids = np.unique(self._labels)
        self.lineage = [Cell(int(one)) for one in ids if one]

    def frame(self, frame_index: int) -> np.ndarray:
        """Return a frame ``(Y, X)``."""
        return np.asarray(self._frames[frame_index])

    def labels(self, frame_index: int) -> np.ndarray:
        """Return its true labels ``(Y, X)``."""
        return np.asarray(self._labels[frame_index])


Movie = SimulatedMovie | RecordedMovie


def true_tracks(movie: Movie, folder: Path) -> list[Track]:
    """Write the truth as the challenge has it; parts of tracks between gaps apart."""
    truth = folder / "01_GT" / "TRA"
    seg = folder / "01_GT" / "SEG"
    truth.mkdir(parents=True)
    seg.mkdir()
    mothers = {track.object_id: track.parent for track in movie.lineage}
    tracks: dict[int, Track] = {}
    newest: dict[int, int] = {}
    last_id = max(mothers)
    for frame in range(movie.frame_count):
        labels = movie.labels(frame).astype(np.uint16)
        areas = np.bincount(labels.ravel(), minlength=last_id + 1)
        shown = np.zeros_like(labels)
        for cell in np.flatnonzero(areas >= SMALLEST):
            if cell == 0:
                continue
            label = newest.get(int(cell))
            if label is None or tracks[label].last < frame - 1:
                parent = label or newest.get(mothers.get(int(cell)) or 0, 0)
                if label is None:
                    label = int(cell)
                else:
                    last_id += 1
                    label = last_id
                tracks[label] = Track(label, frame, frame, parent)
                newest[int(cell)] = label
            tracks[label] = replace(tracks[label], last=frame)
            shown[labels == cell] = label
        for room, name in ((truth, "man_track"), (seg, "man_seg")):
            tifffile.imwrite(room / f"{name}{frame:03d}.tif", shown)
    rows = "".join(
        f"{one.label} {one.first} {one.last} {one.parent}\n" for one in tracks.values()
    )
    (truth / "man_track.txt").write_text(rows)
    return list(tracks.values())


def otsu_and_overlap(frames: Iterator[np.ndarray], folder: Path, dark: bool) -> None:
    """Write the baseline: components of a threshold, linked where they overlap most."""
    folder.mkdir()
    tracks: dict[int, Track] = {}
    before, last_id = None, 0
    for number, frame in enumerate(frames):
        smooth = ndimage.gaussian_filter(frame.astype(np.float32), 1)
        threshold = threshold_otsu(smooth)
        mask = smooth < threshold if dark else smooth > threshold
        found, count = ndimage.label(ndimage.binary_fill_holes(mask))
        areas = np.bincount(found.ravel())
        labels = np.zeros(found.shape, np.uint16)
        taken: set[int] = set()
        for part in sorted(range(1, count + 1), key=lambda one: -areas[one]):
            if areas[part] < SMALLEST:
                continue
            inside = found == part
            label = 0
            if before is not None:
                common = np.bincount(before[inside], minlength=1)
                common[0] = 0
                label = int(common.argmax()) if common.any() else 0
            if label == 0 or label in taken:
                last_id += 1
                tracks[last_id] = Track(last_id, number, number, 0)
                label = last_id
            taken.add(label)
            tracks[label] = replace(tracks[label], last=number)
            labels[inside] = label
        tifffile.imwrite(folder / f"mask{number:03d}.tif", labels)
        before = labels
    rows = "".join(
        f"{one.label} {one.first} {one.last} {one.parent}\n" for one in tracks.values()
    )
    (folder / "res_track.txt").write_text(rows)


def read_tracks(folder: Path) -> dict[int, Track]:
    """Read ``res_track.txt``."""
    rows = (folder / "res_track.txt").read_text().splitlines()
    tracks = [Track(*map(int, row.split())) for row in rows]
    return {one.label: one for one in tracks}


def births(tracks: dict[int, Track]) -> dict[int, list[Track]]:
    """Return the daughters of each mother of two or more."""
    families: dict[int, list[Track]] = {}
    for one in tracks.values():
        if one.parent:
            families.setdefault(one.parent, []).append(one)
    return {mother: found for mother, found in families.items() if len(found) > 1}


def division_counts(result: Path, truth: Path) -> tuple[int, int, int]:
    """Return divisions found rightly, found at all, and true ones."""
    ours, true = read_tracks(result), true_births(truth)
    found = births(ours)
    right = 0
    taken: set[int] = set()
    for mother, (birth, last) in true.items():
        labels = tifffile.imread(truth / f"man_track{last:03d}.tif")
        for own, daughters in found.items():
            own_birth = min(one.first for one in daughters)
            if own in taken or abs(own_birth - birth) > NEAR:
                continue
            at = min(last, ours[own].last)
            labels = tifffile.imread(truth / f"man_track{at:03d}.tif")
            masks = tifffile.imread(result / f"mask{at:03d}.tif")
            if count_overlaps(labels, masks).region(mother, own) >= 0.3:
                right += 1
                taken.add(own)
                break
    return right, len(found), len(true)


def true_births(truth: Path) -> dict[int, tuple[int, int]]:
    """Return first frame of the daughters, and last of the mother, by mother."""
    rows = (truth / "man_track.txt").read_text().splitlines()
    tracks = {one.label: one for one in (Track(*map(int, r.split())) for r in rows)}
    return {
        mother: (min(one.first for one in daughters), tracks[mother].last)
        for mother, daughters in births(tracks).items()
    }


def measured(result: Path, truth: Path) -> dict[str, float]:
    """Score a result folder with py-ctcmetrics."""
    from ctc_metrics.scripts.evaluate import evaluate_sequence

    with contextlib.redirect_stdout(io.StringIO()):
        return evaluate_sequence(str(result), str(truth.parent), MEASURES, threads=1)


def tracked(folder: Path, options: MaskletOptions, model: str) -> tuple[Path, float]:
    """Track a movie without a click; return the exported folder and the seconds."""
    movie, prompts, out = folder / "movie.tif", folder / "found.json", folder / "o.zarr"
    network = ModelOptions(model=model, device="cpu")
    begin = time.perf_counter()
    job = DiscoveryJob(
        movie=movie, prompts=prompts, model_options=network, options=options
    )
    for _ in find_objects(job):
        pass
    with open_run(
        TrackJob(movie=movie, prompts=prompts, out=out, model_options=network)
    ) as run:
        for _ in run.frames():
            pass
    seconds = time.perf_counter() - begin
    export(open_masklets(out), folder / "01_RES", "ctc")
    return folder / "01_RES", seconds


def write_movie(movie: Movie, folder: Path) -> None:
    """Write ``movie.tif``."""
    if isinstance(movie, RecordedMovie):
        shutil.copy(movie.file, folder / "movie.tif")
        return
    write_movie_tiffs(movie, folder / "movie")
    (folder / "movie" / "movie.tif").rename(folder / "movie.tif")


def score(
    name: str,
    movie: Movie,
    options: MaskletOptions,
    model: str,
    *,
    baseline: bool,
    dark: bool,
) -> list[dict[str, Any]]:
    """Return the rows of one movie; its cells may be dark."""
    folder = Path(tempfile.mkdtemp(prefix="napari-sam2-automatic-"))
    rows = []
    try:
        write_movie(movie, folder)
        true_tracks(movie, folder)
        truth = folder / "01_GT" / "TRA"
        results = {}
        seconds = {}
        results["nano"], seconds["nano"] = tracked(folder, options, model)
        if baseline:
            results["Otsu"] = folder / "02_RES"
            frames = (movie.frame(index) for index in range(movie.frame_count))
            otsu_and_overlap(frames, results["Otsu"], dark)
        for method, result in results.items():
            marks = measured(result, truth)
            right, ours, true = division_counts(result, truth)
            rows.append(
                {
                    "movie": name,
                    "method": method,
                    **{one: marks[one] for one in ("DET", "TRA", "SEG")},
                    "right": right,
                    "found": ours,
                    "true": true,
                    "seconds": seconds.get(method, float("nan")),
                }
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return rows


def movies(given: argparse.Namespace) -> Iterator[tuple[str, Movie, bool]]:
    """Yield each movie with its name, and whether its cells are dark."""
    if given.recorded is not None:
        yield given.recorded.name, RecordedMovie(given.recorded), False
        return
    for kind in given.kinds:
        for seed in given.seeds or [PRESETS[kind].seed]:
            config = replace(PRESETS[kind], seed=seed, frame_count=given.frames)
            if given.restless:
                config = replace(config, speed=4.0, division_rate=0.02)
            yield f"{kind} {seed}", SimulatedMovie(config), kind == "bacteria"


def main(words: Sequence[str] | None = None) -> None:
    """Score movies and print a table."""
    given = parsed(words)
    base = MaskletOptions(
        **{name: getattr(given, name) for name in rules()},
        divisions=Divisions(given.divisions),
    )
    print(
        "| rule | movie | method | DET | TRA | SEG | divisions right/found/true | s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    name, *values = given.sweep or ["", ""]
    for value in values:
        options = replace(base, **{name: rules()[name](value)}) if name else base
        print_scores(f"{name} {value}".strip(), options, given)


def print_scores(rule: str, options: MaskletOptions, given: argparse.Namespace) -> None:
    """Print a row for each movie, and the sum of the divisions that nano found."""
    right = found = true = 0
    baseline = not given.no_baseline
    for name, movie, dark in movies(given):
        for row in score(
            name, movie, options, given.model, baseline=baseline, dark=dark
        ):
            divisions = f"{row['right']}/{row['found']}/{row['true']}"
            print(
                f"| {rule} | {row['movie']} | {row['method']} | {row['DET']:.3f} | "
                f"{row['TRA']:.3f} | {row['SEG']:.3f} | {divisions} | "
                f"{row['seconds']:.0f} |",
                flush=True,
            )
            if row["method"] == "nano":
                right, found = right + row["right"], found + row["found"]
                true += row["true"]
    f1 = 2 * right / (found + true) if found + true else float("nan")
    print(
        f"| {rule} | all | nano | | | | {right}/{found}/{true}, F1 {f1:.2f} | |",
        flush=True,
    )


def rules() -> dict[str, type]:
    """Return the rules that are numbers, with their types."""
    kinds = {"int": int, "float": float}
    return {
        one.name: kinds[str(one.type)]
        for one in fields(MaskletOptions)
        if one.type in kinds
    }


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="*")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--kinds", nargs="*", default=list(PRESETS))
    parser.add_argument("--restless", action="store_true")
    parser.add_argument("--recorded", type=Path, help="folder of a recorded movie")
    parser.add_argument("--no-baseline", action="store_true")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--divisions", default="accept")
    parser.add_argument("--sweep", nargs="+", help="a rule, and its values")
    for name, kind in rules().items():
        default = getattr(MaskletOptions(), name)
        parser.add_argument(f"--{name}", type=kind, default=default)
    given = parser.parse_args(words)
    if given.sweep and given.sweep[0] not in rules():
        parser.error(f"--sweep {given.sweep[0]}: choose one of {', '.join(rules())}")
    return given


if __name__ == "__main__":
    main()
