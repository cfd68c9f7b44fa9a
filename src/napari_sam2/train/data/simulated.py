"""Simulated movies as training examples."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from napari_sam2.synthetic.config import PRESETS, CellKind, MovieConfig
from napari_sam2.synthetic.movie import SimulatedMovie
from napari_sam2.train.data.examples import Example, prepare

FRAMES = 16
SIDE = 224
INVERT: dict[CellKind, float] = {"nuclei": 0.15, "phase": 0.15, "bacteria": 0.0}
"""How often contrast is inverted. Bright bacteria are kept out of all training: they
are what fine-tuning is measured on (``benchmarks/fine_tuning.py``)."""
RESTLESS = 0.5
"""Share of the movies whose cells are so fast that some leave the picture."""
RESTLESS_SPEED = (2.0, 6.0)


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedFrames:
    """A rendered movie, see `napari_sam2.train.data.examples.LabelledFrames`."""

    name: str
    frames: np.ndarray
    labels: np.ndarray


def simulated_examples(count: int, first_seed: int) -> list[Example]:
    """Return ``count`` short movies of all kinds with varied cells, from their seeds.

    The seeds of the presets (1, 2, 3) are free for tests as long as ``first_seed`` is
    above them.
    """
    seeds = range(first_seed, first_seed + count)
    configs = [varied(seed) for seed in seeds]
    return [prepare(render(config), invert=INVERT[config.kind]) for config in configs]


def varied(seed: int) -> MovieConfig:
    """Return a movie of its own for every seed; the kinds take turns."""
    random = np.random.default_rng((seed, 77))
    base = list(PRESETS.values())[seed % len(PRESETS)]
    movie = replace(
        base,
        seed=seed,
        frame_count=FRAMES,
        frame_shape=(SIDE, SIDE),
        bit_depth=8,
        cell_count=int(random.integers(6, 26)),
        deformation=float(random.uniform(0.5, 2.0)),
        division_rate=float(random.uniform(0.0, 0.01)),
        overlap=float(random.uniform(0.0, 0.6)),
        illumination=float(random.uniform(0.0, 0.5)),
        blur=float(random.uniform(0.6, 2.0)),
        noise=float(random.uniform(0.3, 1.8)),
    )
    # Last, so that all else of a seed's movie is what it was without restless ones.
    if random.random() < RESTLESS:
        movie = replace(movie, speed=float(random.uniform(*RESTLESS_SPEED)))
    return movie


def render(config: MovieConfig) -> SimulatedFrames:
    """Draw all frames and labels of a movie."""
    frames, labels = SimulatedMovie(config).clip(0, config.frame_count)
    name = f"simulated-{config.kind}-{config.seed}"
    return SimulatedFrames(name, frames[..., None], labels.astype(np.int32))
