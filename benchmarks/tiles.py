"""Many small cells, with and without tiles: mean J and seconds per frame.

Seconds of the processor and on the wall; the latter say something where the machine is
idle but for this.

Run with ``python benchmarks/tiles.py``; ``--side`` may be given several times.
Both ways see the same simulated frames and the same masks of frame 0, in turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np

from napari_sam2.metrics.masks import region_similarity
from napari_sam2.model.checkpoints.checkpoint import load_model
from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.synthetic import MovieConfig, SimulatedMovie
from napari_sam2.tracking.postprocess import label_image
from napari_sam2.tracking.predictor import StreamingPredictor
from napari_sam2.tracking.step_result import StepResult

AROUND = 40
"""Pixels around a cell in which its masks are compared."""


def main() -> None:
    """Print a line for each way and frame, and what they come to."""
    asked = _arguments()
    movie = SimulatedMovie(
        MovieConfig(
            frame_count=asked.frames,
            frame_shape=(asked.size, asked.size),
            cell_count=asked.cells,
            cell_size=asked.cell_size,
            division_rate=0,
            open_border=False,
            bit_depth=8,
            seed=asked.seed,
        )
    )
    model = load_model(asked.model)
    sides = asked.side or [model.config.image_size]
    ways = {side: _predictor(model, movie, side) for side in (None, *sides)}
    seconds: dict[int | None, list[float]] = {side: [] for side in ways}
    walls: dict[int | None, list[float]] = {side: [] for side in ways}
    scores: dict[int | None, list[float]] = {side: [] for side in ways}
    for frame_index in range(asked.frames):
        frame = np.repeat(movie.frame(frame_index)[..., None], 3, axis=-1)
        truth = movie.labels(frame_index)
        said = _prompts(truth) if frame_index == 0 else ()
        for side, predictor in ways.items():
            begin, wall = time.process_time(), time.perf_counter()
            step = predictor.step(frame_index, frame, said)
            labels = _labels(predictor, step)
            seconds[side].append(time.process_time() - begin)
            walls[side].append(time.perf_counter() - wall)
            scores[side].append(_mean_j(labels, truth, step.object_ids))
            print(
                f"frame {frame_index} tiles {side or 'off'}: J "
                f"{scores[side][-1]:.3f}, {seconds[side][-1]:.2f} CPU-s, "
                f"{walls[side][-1]:.2f} s, "
                f"{len(set(step.tiles.tolist()))} tiles",
                flush=True,
            )
    for side in ways:
        print(
            f"tiles {side or 'off'}: mean J {np.mean(scores[side][1:]):.3f}, "
            f"{np.median(seconds[side][1:]):.2f} CPU-s/frame, "
            f"{np.median(walls[side][1:]):.2f} s/frame on the wall, "
            f"{np.median(seconds[side][1:]) / np.median(seconds[None][1:]):.2f} x plain"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--side", type=int, action="append")
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--cells", type=int, default=300)
    parser.add_argument("--cell-size", type=float, default=25)
    parser.add_argument("--seed", type=int, default=13)
    return parser.parse_args()


def _predictor(
    model: object, movie: SimulatedMovie, side: int | None
) -> StreamingPredictor:
    return StreamingPredictor(
        model,  # type: ignore[arg-type]
        frame_shape=movie.frame_shape,
        frame_count=movie.frame_count,
        device="cpu",
        tile_size=side,
    )


def _prompts(truth: np.ndarray) -> list[FramePrompt]:
    ids = [int(number) for number in np.unique(truth) if number]
    return [FramePrompt(one, 0, mask=MaskPrompt(truth == one)) for one in ids]


def _labels(predictor: StreamingPredictor, step: StepResult) -> np.ndarray:
    layout = predictor.layout
    windows = None if layout.is_whole else layout.windows(step.tiles)
    return label_image(
        step.object_ids, step.logits, layout.frame_shape, windows=windows
    )


def _mean_j(labels: np.ndarray, truth: np.ndarray, ids: Sequence[int]) -> float:
    """Return the mean J of the objects that are there in truth."""
    found = []
    for object_id in ids:
        places = np.argwhere(truth == object_id)
        if not len(places):
            continue
        where = tuple(
            slice(max(0, low - AROUND), high + AROUND)
            for low, high in zip(places.min(axis=0), places.max(axis=0), strict=True)
        )
        there = labels[where] == object_id
        found.append(region_similarity(there, truth[where] == object_id))
    return float(np.mean(found))


if __name__ == "__main__":
    main()
