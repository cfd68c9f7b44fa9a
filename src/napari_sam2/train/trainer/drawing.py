"""The batches of coming steps in their order: drawn as they are needed, or ahead.

What a step sees follows from the seed and the step alone, so it does not matter who
draws it, and when.
"""

from __future__ import annotations

import multiprocessing
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch.utils.data import DataLoader, Dataset

from napari_sam2.train.data.batches import Batch, make_batch
from napari_sam2.train.data.examples import Corpus
from napari_sam2.train.recipe.config import Stage, TrainConfig
from napari_sam2.train.trainer.parallel import rank
from napari_sam2.train.trainer.stage_clock import is_still


def coming_batches(config: TrainConfig, data: Corpus, first: int) -> Iterator[Batch]:
    """Yield the batches of all steps from one on.

    Parameters
    ----------
    config
        The recipe; its ``loaders`` processes draw ahead, two batches each.
    data
        Examples to draw from. Forked processes share their memory; where processes are
        not forked (Windows, macOS) each has a copy of its own.
    first
        Steps done.
    """
    steps = range(first, config.total_steps)
    drawing = _Drawing(config, data, rank())
    if not config.loaders:
        yield from map(drawing.__getitem__, steps)
        return
    loader = DataLoader(
        drawing,
        batch_size=None,
        sampler=steps,
        num_workers=config.loaders,
        multiprocessing_context=_start_method(),
    )
    with warnings.catch_warnings():
        # Python 3.12 warns of forks beside other threads. These children touch no lock
        # of theirs: they draw, with one thread.
        warnings.filterwarnings("ignore", "This process.*fork", DeprecationWarning)
        batches = iter(loader)
    yield from batches


def draw_batch(config: TrainConfig, step: int, data: Corpus, process: int = 0) -> Batch:
    """Draw the batch of a step of one of the processes that train together."""
    stage, stage_step = locate(config, step)
    random = np.random.default_rng((config.seed, step, process))
    still = is_still(stage, stage_step)
    # The size is equal in all processes, so that none waits long for another.
    together = np.random.default_rng((config.seed, step, 2**20))
    size = int(together.choice((stage.size, *stage.other_sizes)))
    return make_batch(data, stage.at_size(size), random, still=still)


def locate(config: TrainConfig, step: int) -> tuple[Stage, int]:
    """Return the stage that a step of the run belongs to, and its number in there."""
    for stage in config.stages:
        if step < stage.steps:
            return stage, step
        step -= stage.steps
    raise ValueError(f"step {step} is beyond the last stage")


@dataclass(frozen=True)
class _Drawing(Dataset[Batch]):
    """Step → batch, in whichever process."""

    config: TrainConfig
    data: Corpus
    process: int

    def __getitem__(self, step: int) -> Batch:
        return draw_batch(self.config, step, self.data, self.process)


def _start_method() -> str | None:
    """Return how the drawing processes begin: without a copy of the data, if possible.

    On macOS forked processes may crash in the system's libraries.
    """
    can_fork = "fork" in multiprocessing.get_all_start_methods()
    return "fork" if can_fork and sys.platform != "darwin" else None
