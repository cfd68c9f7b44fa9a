"""Stacks over time: how well clicks on a plane and labels of a stack are followed.

Run with ``python benchmarks/volumes.py``. J is the overlap of an object with its truth
in space and time, pooled over all planes of all time points but the prompted one. The
same movie is tracked three ways: a click for each object, on the plane where it is
largest; the truth of the first stack on each plane; and this without the vote.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import zarr

from napari_sam2.batch.job import ModelOptions, TrackJob
from napari_sam2.batch.movie_files import write_volume_tiffs
from napari_sam2.batch.volumes.run import open_job
from napari_sam2.io.label_store.volume import VolumeLabels
from napari_sam2.session.planning.plan import Mode
from napari_sam2.synthetic import SimulatedVolume, preset
from napari_sam2.synthetic.clicks import clicks_inside


def main() -> None:
    """Print a line for each way."""
    asked = _arguments()
    config = preset(
        asked.kind,
        frame_count=asked.frames,
        frame_shape=(asked.size, asked.size),
        cell_count=asked.cells,
        division_rate=0.0,
        seed=asked.seed,
    )
    volume = SimulatedVolume(config, asked.planes)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_volume_tiffs(volume, folder / "sim")
        truth = np.array(
            [
                [volume.labels(frame, plane) for plane in range(asked.planes)]
                for frame in range(asked.frames)
            ]
        )
        clicks = folder / "clicks.json"
        clicks.write_text(json.dumps(_clicks(truth[0])))
        ways = {"a click an object": clicks, "labels": folder / "sim" / "truth.tif"}
        for name, prompts in ways.items():
            job = TrackJob(
                movie=folder / "sim" / "movie.tif",
                prompts=prompts,
                out=folder / f"{prompts.stem}.zarr",
                model_options=ModelOptions(model=asked.model, device="cpu"),
                mode=Mode.TZYX,
            )
            begin = time.process_time()
            with open_job(job) as run:
                for _ in run.frames():
                    pass
            seconds = time.process_time() - begin
            voted = zarr.open_array(job.out / "labels" / job.name / "0", mode="r")[:]
            print(f"{name}: J {_mean_j(voted, truth):.3f}, {seconds:.0f} CPU-s")
            print(f"  without the vote: J {_mean_j(_as_tracked(job), truth):.3f}")


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
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
