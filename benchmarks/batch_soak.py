"""Many simulated movies on two workers that are killed at random, against one process.

    python benchmarks/batch_soak.py FOLDER --movies 200 --kills 20

Movies have different sizes; every tenth is broken on purpose. All good ones must equal
the sequential run byte for byte, and every broken one must be in the report with its
reason. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import time
from pathlib import Path

import psutil
import tifffile

from napari_sam2.batch.job import ModelOptions
from napari_sam2.batch.plan.plan import BatchPlan
from napari_sam2.batch.prompting.policies import PromptsBeside
from napari_sam2.batch.running.batch import Listener, run_plan
from napari_sam2.batch.running.cluster import OnWorkers
from napari_sam2.synthetic import MovieConfig, SimulatedMovie

BROKEN_EVERY = 10


def make_movies(folder, count, seed):
    """Write movies and label images of their first frames; return who is broken."""
    chance, broken = random.Random(seed), []
    for number in range(count):
        name = f"m{number:03}"
        config = MovieConfig(
            frame_count=chance.randint(4, 12),
            frame_shape=(64 + 16 * chance.randint(0, 3), 80),
            cell_count=chance.randint(2, 4),
            cell_size=18,
            division_rate=0,
            seed=number,
        )
        movie = SimulatedMovie(config)
        with tifffile.TiffWriter(folder / f"{name}.tif") as writer:
            for index in range(movie.frame_count):
                writer.write(movie.frame(index), contiguous=True)
        tifffile.imwrite(folder / f"{name}_cp_masks.tif", movie.labels(0))
        if number % BROKEN_EVERY == BROKEN_EVERY - 1:
            broken.append(name)
            break_movie(folder, name, number // BROKEN_EVERY)
    return broken


def break_movie(folder, name, kind):
    """Break a movie in one of three ways."""
    if kind % 3 == 0:
        (folder / f"{name}.tif").write_bytes(b"II*\0 no more")
    elif kind % 3 == 1:
        (folder / f"{name}_cp_masks.tif").unlink()
    else:
        tifffile.imwrite(
            folder / f"{name}_cp_masks.tif",
            tifffile.imread(folder / f"{name}_cp_masks.tif")[:20],
        )


class Killer(Listener):
    """Kills a worker now and then, while movies are tracked."""

    def __init__(self, kills, every, seed):
        self.kills, self.killed, self._every = kills, 0, every
        self._chance, self._next = random.Random(seed), time.monotonic() + every

    def progress(self, progress):
        """Kill a worker, if it is time."""
        if self.killed >= self.kills or time.monotonic() < self._next:
            return
        workers = [
            one
            for one in psutil.Process().children(recursive=True)
            if "spawn_main" in " ".join(one.cmdline())
        ]
        if workers:
            os.kill(self._chance.choice(workers).pid, signal.SIGKILL)
            self.killed += 1
        self._next = time.monotonic() + self._chance.uniform(0.5, 1.5) * self._every


def tree(folder):
    """Every file of a folder by its relative name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def main():
    """Run both, and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--movies", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--every", type=float, default=20.0, help="seconds")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    folder = given.folder.absolute()
    (folder / "movies").mkdir(parents=True)
    broken = make_movies(folder / "movies", given.movies, given.seed)
    plan = BatchPlan(
        movies=(str(folder / "movies" / "m???.tif"),),
        prompts=PromptsBeside(patterns=("{stem}_cp_masks.tif",)),
        model_options=ModelOptions(
            model=given.model, device="cpu", precision="fp32", threads=1
        ),
        out=str(folder / "sequential" / "{stem}.zarr"),
        retries=50,
        retry_delay=1,
    )
    began = time.perf_counter()
    one = run_plan(plan, folder / "sequential-report")
    alone = time.perf_counter() - began
    soaked = plan.model_copy(update={"out": str(folder / "soaked" / "{stem}.zarr")})
    killer = Killer(given.kills, given.every, given.seed)
    began = time.perf_counter()
    two = run_plan(
        soaked,
        folder / "soak-report",
        scheduler=OnWorkers("local", 2),
        listener=killer,
    )
    together = time.perf_counter() - began
    equal = [
        tree(folder / "sequential" / f"{movie.title}.zarr")
        == tree(folder / "soaked" / f"{movie.title}.zarr")
        for movie in two.movies
        if movie.is_good
    ]
    refused = {movie.title: movie.error for movie in two.movies if not movie.is_good}
    figures = {
        "movies": given.movies,
        "killed": killer.killed,
        "good": len(equal),
        "equal": sum(equal),
        "broken": len(broken),
        "broken with their reason": sum(bool(refused.get(name)) for name in broken),
        "same reasons": refused == {m.title: m.error for m in one.movies if m.error},
        "tried again": sum(movie.attempts > 1 for movie in two.movies),
        "sequential seconds": round(alone, 1),
        "soaked seconds": round(together, 1),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
