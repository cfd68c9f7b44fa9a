"""What planning, reports and workers cost, against a plain loop over the API.

    python benchmarks/batch_overhead.py FOLDER --movies 40

Runs the same movies three times: in a loop over ``napari_sam2.track`` in one process,
with ``run --scheduler local --workers 1``, and with two workers. The loop and each
worker are pinned to a core of their own. Prints one JSON object; ratios are to the
loop. ``--unpinned`` leaves all to the system.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import tifffile

from napari_sam2.batch.job import ModelOptions
from napari_sam2.batch.plan.plan import BatchPlan
from napari_sam2.batch.prompting.policies import PromptsBeside
from napari_sam2.synthetic import MovieConfig, SimulatedMovie

LOOP = """
import sys, napari_sam2 as ns
from pathlib import Path
folder, model = Path(sys.argv[1]), sys.argv[2]
options = ns.ModelOptions(model=model, device="cpu", precision="fp32", threads=1)
for movie in sorted((folder / "movies").glob("m???.tif")):
    prompts = movie.with_name(f"{movie.stem}_cp_masks.tif")
    out = folder / "loop" / f"{movie.stem}.zarr"
    ns.track(movie, prompts, out, model_options=options)
"""
LOOK = 0.2
"""Seconds between two looks for workers that are not pinned yet."""


def make_movies(folder, count, frames):
    """Write movies of one size, and label images of their first frames."""
    folder.mkdir(parents=True)
    for number in range(count):
        movie = SimulatedMovie(
            MovieConfig(
                frame_count=frames,
                frame_shape=(96, 96),
                cell_count=3,
                cell_size=20,
                division_rate=0,
                seed=number,
            )
        )
        with tifffile.TiffWriter(folder / f"m{number:03}.tif") as writer:
            for index in range(frames):
                writer.write(movie.frame(index), contiguous=True)
        tifffile.imwrite(folder / f"m{number:03}_cp_masks.tif", movie.labels(0))


def workers_of(process):
    """Return the processes of dask's workers below a process."""
    try:
        below = process.children(recursive=True)
        return [one for one in below if "spawn_main" in " ".join(one.cmdline())]
    except psutil.Error:
        return []


def seconds_of(command, is_pinned):
    """Run a command; pin its workers, or itself if it has none, to cores in turn."""
    began = time.perf_counter()
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    process, pinned = psutil.Process(running.pid), set()
    has_workers = "--workers" in command
    while running.poll() is None:
        for one in workers_of(process) if has_workers else [process]:
            if is_pinned and one.pid not in pinned:
                one.cpu_affinity([len(pinned) % psutil.cpu_count()])
                pinned.add(one.pid)
        time.sleep(LOOK)
    if running.returncode:
        raise SystemExit(f"{command}: ended with {running.returncode}")
    return time.perf_counter() - began


def main():
    """Run all three, and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--movies", type=int, default=40)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--unpinned", action="store_true")
    given = parser.parse_args()
    folder = given.folder.absolute()
    make_movies(folder / "movies", given.movies, given.frames)
    loop = [sys.executable, "-c", LOOP, str(folder), given.model]
    figures = {"movies": given.movies, "frames": given.frames}
    figures["loop"] = seconds_of(loop, not given.unpinned)
    for workers in (1, 2):
        plan = BatchPlan(
            movies=(str(folder / "movies" / "m???.tif"),),
            prompts=PromptsBeside(patterns=("{stem}_cp_masks.tif",)),
            model_options=ModelOptions(
                model=given.model, device="cpu", precision="fp32", threads=1
            ),
            out=str(folder / f"workers-{workers}" / "{stem}.zarr"),
        )
        path = folder / f"workers-{workers}.json"
        path.write_text(plan.to_json())
        run = [sys.executable, "-m", "napari_sam2", "run", str(path)]
        run += ["--scheduler", "local", "--workers", str(workers)]
        seconds = seconds_of(run, not given.unpinned)
        figures[f"{workers} workers"] = seconds
        figures[f"{workers} workers / loop"] = seconds / figures["loop"]
    print(json.dumps({key: round(value, 2) for key, value in figures.items()}))


if __name__ == "__main__":
    main()
