"""A worker's peak memory, by how many movies it tracks and how long they are.

    python benchmarks/batch_memory.py FOLDER

Tracks 5 and 50 movies of 50 frames, and 5 movies of 500, each in a process of its own.
Prints one JSON object: MB at most resident, by movies × frames. ``--part 0.1`` runs a
tenth of each.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from batch_overhead import make_movies

SIZES = ((5, 50), (50, 50), (5, 500))
RUN = """
import sys
from pathlib import Path
from napari_sam2.batch.job import ModelOptions
from napari_sam2.batch.plan.plan import BatchPlan
from napari_sam2.batch.prompting.policies import PromptsBeside
from napari_sam2.batch.running.batch import run_plan
folder = Path(sys.argv[1])
report = run_plan(
    BatchPlan(
        movies=(str(folder / "movies" / "m???.tif"),),
        prompts=PromptsBeside(patterns=("{stem}_cp_masks.tif",)),
        model_options=ModelOptions(
            model=sys.argv[2], device="cpu", precision="fp32", threads=1
        ),
        out=str(folder / "out" / "{stem}.zarr"),
    ),
    folder / "report",
)
assert report.exit_code == 0, report
print(max(movie.peak_memory_bytes for movie in report.movies))
"""


def main():
    """Run all sizes, and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--part", type=float, default=1.0)
    given = parser.parse_args()
    figures = {}
    for movies, frames in SIZES:
        count, length = (max(2, round(one * given.part)) for one in (movies, frames))
        folder = given.folder.absolute() / f"{count}x{length}"
        make_movies(folder / "movies", count, length)
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(folder), given.model],
            check=True,
            capture_output=True,
            text=True,
        )
        figures[f"{count} x {length}"] = round(int(done.stdout) / 1e6)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
