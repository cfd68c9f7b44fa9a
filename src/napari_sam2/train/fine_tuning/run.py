"""The network that is fine-tuned, from the base to the best that was found.

The best average of its weights is blended with the base (WiSE-FT): a part of the way
keeps more of what the base could.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from napari_sam2.model.sam2 import Sam2
from napari_sam2.tracking.precision import choose_device
from napari_sam2.train.data.examples import Corpus
from napari_sam2.train.data.simulated import simulated_examples
from napari_sam2.train.fine_tuning.movie import TaughtMovie, examples_of, parted
from napari_sam2.train.fine_tuning.plan import (
    CHECKED_FRAMES,
    CHECKED_MOVIES,
    CHECKED_SEED,
    SIMULATED_MOVIES,
    SIMULATED_SEED,
    FineTuneSettings,
    plan_training,
    rehearsal_diameter,
)
from napari_sam2.train.fine_tuning.score import as_taught, held_out_score
from napari_sam2.train.trainer.drawing import draw_batch
from napari_sam2.train.trainer.low_rank import merged
from napari_sam2.train.trainer.parallel import TrainingPass
from napari_sam2.train.trainer.trainer import start, train_step

WARM_UP, LAST_RATE = 0.05, 0.05
"""Part of the run in which the learning rate rises; what is left of it at the end."""

REHEARSING = 2**21
"""Keeps the random numbers of this choice apart from those of crops."""

PATIENCE, FALL = 4, 0.03
"""Ends if so many scores in a row are no better, and the last is worse by this."""

BLENDS = (1.0, 0.75, 0.5)
"""Parts of the way from the base to the trained weights that are tried."""

MOST_LOST = 0.02
"""What the score on simulated movies may fall by."""

NEARLY_ALL = 0.9
"""Part of the best gain for which a blend nearer to the base is preferred."""


class FineTuneRun:
    """Trains a copy of a network and keeps the best average of its weights.

    Once a loss or its gradient is no number, ``is_broken``: no weight is one any more,
    and only the best before counts.

    Parameters
    ----------
    base
        Name or path of the network.
    model
        The network itself; it stays as it is.
    """

    def __init__(
        self,
        base: str,
        model: Sam2,
        movies: Sequence[TaughtMovie],
        settings: FineTuneSettings,
    ) -> None:
        device = choose_device(settings.device)
        self.settings, self.device = settings, str(device)
        parts = [parted(movie) for movie in movies]
        self.held_out = [held for _, held in parts]
        taught = [train for train, _ in parts if train.object_frames]
        diameter = float(np.median([part.diameter for part in taught]))
        self.config = plan_training(model, base, diameter, settings, self.device)
        self.model = model.to(device)
        own = [example for part in taught for example in examples_of(part)]
        rehearsed = simulated_examples(SIMULATED_MOVIES, SIMULATED_SEED)
        self.own, self.rehearsed = Corpus((own,), (1.0,)), Corpus((rehearsed,), (1.0,))
        checked = simulated_examples(CHECKED_MOVIES, CHECKED_SEED)
        self.checked = [as_taught(example, CHECKED_FRAMES) for example in checked]
        self.state = start(self.config)
        self.training_pass = TrainingPass(self.state.model, self.state.head)
        self._start = [
            (parameter, parameter.detach().clone())
            for parameter in self.state.model.parameters()
            if parameter.requires_grad
        ]
        self.before = Scored(0.0, 0.0)
        self.best: Sam2 | None = None
        self.is_broken = False
        self._best_score = self._last_score = 0.0
        self._last_check = self._worse = 0

    @property
    def step(self) -> int:
        """Optimiser steps done."""
        return self.state.step

    @property
    def is_falling(self) -> bool:
        """Whether held-out scores have been falling for a while."""
        is_worse = self._last_score < self._best_score - FALL
        return self._worse >= PATIENCE and is_worse

    def measure_base(self) -> None:
        """Score the network as it was."""
        self.before = self.score(self.model)
        self._best_score = self._last_score = self.before.held_out

    def score(self, model: Sam2) -> Scored:
        """Return held-out and simulated scores."""
        return Scored(
            held_out_score(model, self.held_out, self.device),
            held_out_score(model, self.checked, self.device),
        )

    def advance(self, done: float) -> float:
        """Do a step when this part of the run is done; return its loss."""
        (stage,) = self.config.stages
        share = rate_share(done)
        stage = replace(stage, learning_rate=self.settings.learning_rate * share)
        corpus = self.own
        random = np.random.default_rng((self.settings.seed, self.step, REHEARSING))
        if random.random() < self.settings.rehearsal:
            # Of every size: else the sizes of the own cells would crowd out others.
            stage = replace(stage, diameter=rehearsal_diameter(stage.size))
            corpus = self.rehearsed
        config = replace(self.config, stages=(stage,))
        batch = draw_batch(config, self.step, corpus)
        values = train_step(config, self.state, batch, self.training_pass)
        numbers = (values["loss"], values["norm"])
        self.is_broken = not all(map(math.isfinite, numbers))
        self._pull(self.settings.pull * share)
        return float(values["loss"])

    def check(self) -> float:
        """Measure the average of the latest weights; keep it if it is the best."""
        current = merged(self.state.average)
        score = held_out_score(current, self.held_out, self.device)
        self._last_check, self._last_score = self.step, score
        self._worse += 1
        if score > self._best_score:
            # Without corrections it is the average itself, which goes on changing.
            is_live = current is self.state.average
            self.best = copy.deepcopy(current) if is_live else current
            self._best_score, self._worse = score, 0
        return score

    def finish(self) -> Blend:
        """Return what is kept.

        The base itself, if nothing was better.
        """
        if self.step > self._last_check and not self.is_broken:
            self.check()
        if self.best is None:
            return Blend(self.model, self.before, 0.0)
        return best_blend(self.model, self.best, self.before, self.score)

    @torch.no_grad()
    def _pull(self, strength: float) -> None:
        """Move weights a little of the way back to where they were (L2-SP)."""
        for parameter, base in self._start:
            parameter.lerp_(base, strength)


def rate_share(done: float) -> float:
    """Return the learning rate in parts of its highest: up, then down like a cosine."""
    if done < WARM_UP:
        return max(done / WARM_UP, 0.1)
    falling = 0.5 * (1.0 + np.cos(np.pi * (done - WARM_UP) / (1.0 - WARM_UP)))
    return float(LAST_RATE + (1.0 - LAST_RATE) * falling)


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of a network.

    Attributes
    ----------
    held_out
        J on the person's held-out frames.
    simulated
        J on simulated movies of other cells.
    """

    held_out: float
    simulated: float


class Blend(NamedTuple):
    """A network a ``part`` of the way from a base to its trained copy (0…1)."""

    model: Sam2
    scores: Scored
    part: float


@torch.no_grad()
def blended(base: Sam2, tuned: Sam2, part: float) -> Sam2:
    """Return a network whose weights lie a part of the way from ``base`` to ``tuned``.

    What is no floating-point number is that of ``tuned``.
    """
    mixed = copy.deepcopy(tuned)
    first = base.state_dict()
    for name, tensor in mixed.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(first[name].lerp(tensor, part))
    return mixed


def best_blend(
    base: Sam2, tuned: Sam2, before: Scored, score: Callable[[Sam2], Scored]
) -> Blend:
    """Return the blend that follows the held-out frames well and forgets little.

    Of those that lose at most `MOST_LOST` on simulated movies, the one nearest to the
    base that has `NEARLY_ALL` of the best gain: the three movies do not show all that
    is forgotten on the way. If all lose more, the one that loses least.

    Parameters
    ----------
    score
        Measures a network.
    """
    tried = []
    for part in BLENDS:
        model = tuned if part == 1.0 else blended(base, tuned, part)
        tried.append(Blend(model, score(model), part))
    least = before.simulated - MOST_LOST
    kept = [blend for blend in tried if blend.scores.simulated >= least]
    if not kept:
        return max(tried, key=lambda blend: blend.scores.simulated)
    best = max(blend.scores.held_out for blend in kept)
    enough = before.held_out + NEARLY_ALL * (best - before.held_out)
    good = [blend for blend in kept if blend.scores.held_out >= enough]
    return min(good or kept, key=lambda blend: blend.part)
