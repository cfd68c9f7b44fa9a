"""Stacks over time: how well clicks on a plane and labels of a stack are followed.

Run with ``python benchmarks/volumes.py``. J is the overlap of an object with its truth
in space and time, pooled over all planes of all time points but the prompted one. The
same movie is tracked three ways: a click for each object, on the plane where it is
largest; the truth of the first stack on each plane; and this without the vote.

``--crossing`` puts the cells of a second movie above those of the first one, so that
cells lie over each other and planes disagree on whom they show. ``--memory 4x4 4x16``
prints instead what tracking takes for time points × planes, in processes of their own
that neither simulate nor know the truth.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile
import zarr

from napari_sam2.batch.job import ModelOptions, TrackJob, TrackReport
from napari_sam2.batch.movie_files import write_volume_tiffs
from napari_sam2.batch.volumes.run import open_job
from napari_sam2.io.label_store.volume import VolumeLabels
from napari_sam2.session.planning.plan import Mode
from napari_sam2.synthetic import SimulatedVolume, preset
from napari_sam2.synthetic.clicks import clicks_inside


def main() -> None:
    """Print a line for each way."""
    asked = _arguments()
    if asked.peak:
        _print_peak(asked)
        return
    if asked.memory:
        _compare_memory(asked)
        return
    volume = Crossing(asked) if asked.crossing else _simulated(asked, asked.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_volume_tiffs(volume, folder / "sim")
        truth = np.array(
            [
                [volume.labels(frame, plane) for plane in range(volume.plane_count)]
                for frame in range(asked.frames)
            ]
        )
        clicks = folder / "clicks.json"
        clicks.write_text(json.dumps(_clicks(truth[0])))
        ways = {"a click an object": clicks, "labels": folder / "sim" / "truth.tif"}
        for name, prompts in ways.items():
            job = _job(folder, prompts, asked.model)
            begin = time.process_time()
            _track(job)
            seconds = time.process_time() - begin
            voted = zarr.open_array(job.out / "labels" / job.name / "0", mode="r")[:]
            print(f"{name}: J {_mean_j(voted, truth):.3f}, {seconds:.0f} CPU-s")
            before = _as_tracked(job)
            print(f"  without the vote: J {_mean_j(before, truth):.3f}")
            print(f"  {_what_changed(before, voted, truth)}")


def _simulated(asked: argparse.Namespace, seed: int) -> SimulatedVolume:
    config = preset(
        asked.kind,
        frame_count=asked.frames,
        frame_shape=(asked.size, asked.size),
        cell_count=asked.cells,
        division_rate=0.0,
        seed=seed,
    )
    return SimulatedVolume(config, asked.planes)


class Crossing:
    """Two movies in one: the cells of the second one lie above those of the first.

    They are ``shift`` planes higher, and drift on their own. Where both are on a plane,
    the first one's is seen; light is that of the brighter one.
    """

    def __init__(self, asked: argparse.Namespace) -> None:
        self._below = _simulated(asked, asked.seed)
        self._above = _simulated(asked, asked.seed + 1)
        self._shift = asked.crossing
        self.frame_count, self.plane_count = asked.frames, asked.planes + asked.crossing
        self.frame_shape, self.dtype = self._below.frame_shape, self._below.dtype
        self.provenance = self._below.provenance
        self.lineage = self._below.lineage

    def frame(self, frame_index: int, plane: int) -> np.ndarray:
        """Return what is brighter."""
        seen = [
            part.frame(frame_index, at)
            for part, at in self._parts(plane)
            if 0 <= at < part.plane_count
        ]
        return np.max(seen, axis=0)

    def labels(self, frame_index: int, plane: int) -> np.ndarray:
        """Return the truth; ids of the second movie follow those of the first."""
        found = np.zeros(self.frame_shape, np.uint16)
        for number, (part, at) in enumerate(self._parts(plane)):
            if 0 <= at < part.plane_count:
                labels = part.labels(frame_index, at)
                ids = np.where(labels > 0, labels + 100 * number, 0).astype(np.uint16)
                found = np.where(found > 0, found, ids)
        return found

    def _parts(self, plane: int) -> list[tuple[SimulatedVolume, int]]:
        return [(self._below, plane), (self._above, plane - self._shift)]


def _what_changed(before: np.ndarray, after: np.ndarray, truth: np.ndarray) -> str:
    """Say how many pixels the vote changed, and how many of them for the better."""
    changed = before != after
    better = (changed & (after == truth)).sum()
    worse = (changed & (before == truth)).sum()
    return (
        f"the vote changed {changed.sum()} of {(truth > 0).sum()} pixels of cells: "
        f"{better} became right, {worse} wrong"
    )


def _job(folder: Path, prompts: Path, model: str) -> TrackJob:
    return TrackJob(
        movie=folder / "sim" / "movie.tif",
        prompts=prompts,
        out=folder / f"{prompts.stem}.zarr",
        model_options=ModelOptions(model=model, device="cpu"),
        mode=Mode.TZYX,
    )


def _track(job: TrackJob) -> TrackReport:
    with open_job(job) as run:
        for _ in run.frames():
            pass
        return run.report()


def _print_peak(asked: argparse.Namespace) -> None:
    """Track what lies in a folder; print MiB besides the program, and seconds."""
    report = _track(_job(asked.peak, asked.peak / "clicks.json", asked.model))
    loaded = report.memory_after_loading_bytes or 0
    print(f"{(report.peak_memory_bytes - loaded) / 2**20:.0f} {report.seconds:.0f}")


def _compare_memory(asked: argparse.Namespace) -> None:
    print("| time points | planes | MiB besides the program | s | J |")
    print("|---|---|---|---|---|")
    for counts in asked.memory:
        asked.frames, asked.planes = map(int, counts.split("x"))
        volume = _simulated(asked, asked.seed)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write_volume_tiffs(volume, folder / "sim")
            truth = tifffile.imread(folder / "sim" / "truth.tif")
            (folder / "clicks.json").write_text(json.dumps(_clicks(truth[0])))
            words = ["--peak", temporary, "--model", asked.model]
            run = subprocess.run(
                [sys.executable, __file__, *words],
                capture_output=True,
                text=True,
                check=True,
            )
            found = zarr.open_array(folder / "clicks.zarr/labels/masklets/0", mode="r")
            score = _mean_j(found[:], truth)
        facts = [asked.frames, asked.planes, *run.stdout.split(), f"{score:.3f}"]
        print(f"| {' | '.join(map(str, facts))} |", flush=True)


def _clicks(stack: np.ndarray) -> dict[str, object]:
    """Return a prompts file: one click an object, where it is largest."""
    objects = []
    for one in set(np.unique(stack).tolist()) - {0}:
        plane = int((stack == one).sum((1, 2)).argmax())
        click = clicks_inside(np.where(stack[plane] == one, one, 0))[one]
        prompt = {"frame": 0, "z": plane, "points": [list(click)]}
        objects.append({"id": one, "prompts": [prompt]})
    return {"version": 1, "objects": objects}


def _as_tracked(job: TrackJob) -> np.ndarray:
    """Return the labels of all planes as they were before the vote."""
    store = VolumeLabels.open(job.out, job.name, "r")
    found = np.zeros(store.shape, np.uint16)
    for plane in range(store.shape[1]):
        if (store.parts / "labels" / f"z{plane}").is_dir():
            for frame in range(store.shape[0]):
                found[frame, plane] = store.read_part(f"z{plane}", frame)
    return found


def _mean_j(labels: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean over objects of the first stack, that stack not counted."""
    scores = []
    for one in set(np.unique(truth[0]).tolist()) - {0}:
        seen, there = labels[1:] == one, truth[1:] == one
        scores.append((seen & there).sum() / max((seen | there).sum(), 1))
    return float(np.mean(scores))


def _arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", default="nuclei")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--planes", type=int, default=6)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--cells", type=int, default=4)
    parser.add_argument("--seed", type=int, default=501)
    parser.add_argument(
        "--crossing", type=int, default=0, help="planes by which the second is higher"
    )
    parser.add_argument(
        "--memory", nargs="+", metavar="TxZ", help="what tracking takes"
    )
    parser.add_argument("--peak", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
