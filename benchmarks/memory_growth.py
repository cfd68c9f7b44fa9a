"""Does `napari-sam2 track` need more memory for longer movies? Measure it.

Runs the real command on movies of 200 and 2,000 frames (512², 10 objects), forward and
in both directions, and prints its peak resident memory minus the memory after the model
was loaded. Both movies are long enough to fill every cache and ring.

    python benchmarks/memory_growth.py [--frames 200 2000] [--model nano]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from napari_sam2.batch.movie_files import CALIBRATION
from napari_sam2.io.ome_zarr.embedded_image import embed_image
from napari_sam2.io.prompts.files import write_prompts
from napari_sam2.prompts import FramePrompt, MaskPrompt, PromptedObject
from napari_sam2.synthetic import MovieConfig, SimulatedMovie

OBJECTS = 10
TURNING_POINT = 40
MEGABYTE = 1e6
LIMIT_MEGABYTES = 20


def there_and_back(frame_index: int) -> int:
    """Play the first frames forward and backward, for any length, without a jump."""
    phase = frame_index % (2 * TURNING_POINT)
    return min(phase, 2 * TURNING_POINT - phase)


def simulated_movie() -> SimulatedMovie:
    """Return the part that is played."""
    return SimulatedMovie(
        MovieConfig(
            frame_count=TURNING_POINT + 1,
            frame_shape=(512, 512),
            cell_count=OBJECTS,
            division_rate=0,
            open_border=False,
        )
    )


def write_movie(folder: Path, frame_count: int) -> Path:
    """Write a movie of any length; return its path."""
    simulated = simulated_movie()
    frames = [simulated.frame(index) for index in range(TURNING_POINT + 1)]
    movie = folder / f"{frame_count}.zarr"
    embed_image(
        movie,
        (frames[there_and_back(index)] for index in range(frame_count)),
        frame_count=frame_count,
        calibration=CALIBRATION,
    )
    return movie


def write_masks(path: Path, frame_index: int) -> Path:
    """Write a mask prompt for every object of a frame; return the path."""
    labels = simulated_movie().labels(there_and_back(frame_index))
    objects = [
        PromptedObject(
            object_id,
            (
                FramePrompt(
                    object_id, frame_index, mask=MaskPrompt(labels == object_id)
                ),
            ),
        )
        for object_id in np.unique(labels[labels > 0]).tolist()
    ]
    write_prompts(path, objects)
    return path


def needed(movie: Path, frame_count: int, direction: str, model: str) -> float:
    """Run the command; return peak minus loaded memory in MB.

    Forward from the first frame, in both directions from the middle one.
    """
    prompted = 0 if direction == "forward" else frame_count // 2
    prompts = write_masks(movie.with_name(f"{prompted}.json"), prompted)
    out = movie.with_name(f"{movie.stem}-{direction}.zarr")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "napari_sam2", "track", movie),
            *("--prompts", prompts, "--out", out, "--model", model),
            *("--direction", direction, "--json"),
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    report = json.loads(done.stdout)
    extra = report["peak_memory_bytes"] - report["memory_after_loading_bytes"]
    print(
        f"{movie.stem:>6} frames {direction:>8}: {report['frames_computed']} computed, "
        f"{report['objects']} objects, peak − loaded {extra / MEGABYTE:.1f} MB",
        flush=True,
    )
    return extra / MEGABYTE


def main() -> None:
    """Measure and compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, nargs=2, default=(200, 2000))
    parser.add_argument("--model", default="nano")
    parser.add_argument("--directions", nargs="+", default=("forward", "both"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        movies = [write_movie(Path(folder), count) for count in options.frames]
        for direction in options.directions:
            short, long = (
                needed(movie, count, direction, options.model)
                for movie, count in zip(movies, options.frames, strict=True)
            )
            grown = long - short
            verdict = "below" if grown < LIMIT_MEGABYTES else "NOT below"
            print(f"{direction}: grows by {grown:.1f} MB, {verdict} {LIMIT_MEGABYTES}")


if __name__ == "__main__":
    main()
