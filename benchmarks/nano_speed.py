"""What a frame takes with several weights and inputs, in turns, in parts of the first.

    python benchmarks/nano_speed.py 0.2.safetensors:256 nano:256 nano:320 --threads 2

Each contender follows 1 and 10 objects through frames of noise in this process, a frame
at a time, and the least of all its turns counts: others may work on the machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np
import torch

from napari_sam2.model.checkpoints.checkpoint import load_model
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.tracking.predictor import StreamingPredictor

SIDE = 512
OBJECTS = (1, 10)
WARM_UP = 8
"""Frames until the memory is full; they do not count."""


def frames_of(contender: str, objects: int) -> Iterator[float]:
    """Follow objects; yield the seconds that each frame takes."""
    weights, _, size = contender.rpartition(":")
    predictor = StreamingPredictor(
        load_model(weights),
        frame_shape=(SIDE, SIDE),
        image_size=int(size),
        device="cpu",
    )
    random = np.random.default_rng(0)
    places = random.uniform(50, SIDE - 50, (objects, 2))
    prompts = [
        FramePrompt(one, 0, points=(PointPrompt(*map(float, place)),))
        for one, place in enumerate(places, 1)
    ]
    index = 0
    while True:
        frame = random.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
        began = time.perf_counter()
        predictor.step(index, frame, prompts if index == 0 else ())
        yield time.perf_counter() - began
        index += 1


def main() -> None:
    """Print a table with a row for each contender."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contenders", nargs="+", help="WEIGHTS:SIDE OF THE INPUT")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=12)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    least = {}
    for objects in OBJECTS:
        running = {one: frames_of(one, objects) for one in given.contenders}
        for turn in range(WARM_UP + given.turns):
            for one, frames in running.items():
                took = next(frames)
                if turn >= WARM_UP:
                    least[one, objects] = min(took, least.get((one, objects), took))
    print("| | " + " | ".join(f"{n} objects" for n in OBJECTS) + " |")
    for one in given.contenders:
        parts = (least[one, n] / least[given.contenders[0], n] for n in OBJECTS)
        print(f"| {one} | " + " | ".join(f"{part:.2f}" for part in parts) + " |")


if __name__ == "__main__":
    main()
