"""Export long movies with many objects in every format; print memory, time and size.

    python benchmarks/export_memory.py [--frames 100 300 1000] [--objects 200] …

Each export runs in a process of its own. Printed are the largest memory that the
process held, and how much of that came after the first frame. Cells are discs on a grid
that drift by a pixel now and then, in frames of 512 × 512.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_sam2.interfaces import Calibration
from napari_sam2.io.exports.formats import FORMATS, export
from napari_sam2.io.exports.masklets import MaskletMovie
from napari_sam2.io.ome_zarr.metadata import LabelledObject

SIDE = 512
MIB = 2**20


def movie_of(frames: int, objects: int, labels: Path) -> MaskletMovie:
    """Return masklets that are drawn when they are read."""
    per_row = int(np.ceil(np.sqrt(objects)))
    step = SIDE // per_row
    radius = step // 3
    rows, columns = np.mgrid[: 2 * radius + 1, : 2 * radius + 1] - radius
    disc = rows**2 + columns**2 <= radius**2

    def read(frame_index: int) -> np.ndarray:
        image = np.zeros((SIDE, SIDE), np.uint16)
        for number in range(objects):
            y, x = divmod(number, per_row)
            shift = (frame_index + number) % 3
            at = image[y * step + shift :, x * step + shift :]
            at[: 2 * radius + 1, : 2 * radius + 1][
                disc[: at.shape[0], : at.shape[1]]
            ] = number + 1
        return image

    return MaskletMovie(
        "many",
        frames,
        (SIDE, SIDE),
        tuple(LabelledObject(number + 1) for number in range(objects)),
        Calibration((1.0, 1.0, 1.0)),
        read,
        labels_path=(labels,),
    )


def measure(name: str, frames: int, objects: int, folder: Path) -> tuple[float, ...]:
    """Return MiB of peak memory and of its growth, seconds, and MiB on disk."""
    masklets = movie_of(frames, objects, folder / "labels")
    export(movie_of(1, 1, folder / "labels"), folder / "first", name)  # imports
    masklets.read(0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begin = time.perf_counter()
    path = export(masklets, folder / "out", name)
    seconds = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    files = [path] if path.is_file() else list(path.rglob("*"))
    size = sum(one.stat().st_size for one in files if one.is_file()) / MIB
    return after, after - before, seconds, size


def main() -> None:
    """Print a row for each format and length."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--objects", type=int, default=200)
    parser.add_argument("--formats", nargs="+", default=list(FORMATS))
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(
                given.formats[0], given.frames[0], given.objects, Path(folder)
            )
        print(*(f"{value:.1f}" for value in found))
        return
    print("| format | frames | peak (MiB) | growth (MiB) | s | on disk (MiB) |")
    print("|---|---|---|---|---|---|")
    for name in given.formats:
        for frames in given.frames:
            words = ["--one", "--formats", name, "--frames", str(frames)]
            words += ["--objects", str(given.objects)]
            run = subprocess.run(
                [sys.executable, __file__, *words],
                capture_output=True,
                text=True,
                check=True,
            )
            print(
                f"| {name} | {frames} | {' | '.join(run.stdout.split())} |", flush=True
            )


if __name__ == "__main__":
    main()
