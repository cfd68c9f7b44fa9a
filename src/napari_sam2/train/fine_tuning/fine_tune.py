"""Adapt a network to a person's own masklets, in minutes.

The base is never touched: the result is a new file in the folder of own models, and
only if it follows the held-out frames better than the base does. A model that is no
better would be a trap in the list of models, so it is not kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_sam2.errors import InputError, ModelError
from napari_sam2.model.checkpoints.checkpoint import load_model
from napari_sam2.model.checkpoints.download import file_sha256
from napari_sam2.model.checkpoints.own_models import own_model_path
from napari_sam2.model.checkpoints.weights_file import weights_path
from napari_sam2.train.fine_tuning.card import Training, base_title, write_model
from napari_sam2.train.fine_tuning.movie import TaughtMovie, check_enough
from napari_sam2.train.fine_tuning.plan import FineTuneSettings
from napari_sam2.train.fine_tuning.run import FineTuneRun

MARGIN = 0.005
"""A new model must be better by this; less is within the noise of the score."""

CHECKS = 12
"""Held-out scores over a whole run, at most."""

CHECK_SHARE = 0.2
"""Part of the time that held-out scores may take while it trains."""

FINAL_MEASUREMENTS = 3.5
"""What the end takes, in parts of what measuring the base took."""


@dataclass(frozen=True, slots=True)
class FineTuneResult:
    """What came of it.

    Attributes
    ----------
    path
        The new model; None if none was better than the base, and nothing was kept.
    card
        What is known of it, in Markdown; empty without a new model.
    before, after
        J on held-out frames, of the base and of the best that was found.
    simulated_before, simulated_after
        The same on simulated movies of other cells: what the base could already.
    """

    path: Path | None
    card: str
    before: float
    after: float
    simulated_before: float
    simulated_after: float
    steps: int
    seconds: float
    sentence: str

    @property
    def is_better(self) -> bool:
        """Whether there is a new model."""
        return self.path is not None


def fine_tune(
    base: str,
    movies: Sequence[TaughtMovie],
    settings: FineTuneSettings,
    *,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Generator[FineTuneProgress, None, FineTuneResult]:
    """Train a copy of a network on masklets; yields after every step.

    Parameters
    ----------
    base
        Name or path of the network to start from.
    movies
        What teaches; the last quarter of the frames of each is held out.
    is_stopped
        Asked before each step; True ends the training early, and keeps the best so far
        if it is better than the base. Closing the generator keeps nothing.

    Returns
    -------
    FineTuneResult
        With a new file among the own models, or without.

    Raises
    ------
    InputError
        If there is too little to learn from, or the name is taken or unusable.
    ModelError
        If the base cannot be loaded.
    OutputError
        If the new model cannot be written.
    """
    clock = BudgetClock(settings)
    path = _checked_path(settings)
    check_enough(movies)
    yield clock.progress("Loading the model …")
    weights = weights_path(base)
    sha256 = file_sha256(weights)
    run = FineTuneRun(str(weights), load_model(weights), movies, settings)
    yield clock.progress("Measuring the base …")
    began = time.monotonic()
    run.measure_base()
    clock.note_base(time.monotonic() - began)
    yield clock.progress("Training …", held_out=run.before.held_out)
    yield from _training(run, clock, is_stopped)
    yield clock.progress("Measuring the result …", step=run.step)
    model, after, blend = run.finish()
    _check_unchanged(weights, sha256)
    origin = base, weights, sha256, settings
    took = run.step, clock.seconds, run.is_broken
    training = Training(*origin, run.before, after, blend, *took)
    if after.held_out < run.before.held_out + MARGIN:
        return _result(training, None, "")
    return _result(training, path, write_model(model, path, training, movies))


def _check_unchanged(weights: Path, sha256: str) -> None:
    if file_sha256(weights) != sha256:
        raise ModelError(f"{weights} changed while a copy of it was trained: try again")


def _training(
    run: FineTuneRun, clock: BudgetClock, is_stopped: Callable[[], bool]
) -> Generator[FineTuneProgress, None, None]:
    while clock.done(run.step) < 1.0 and not run.is_falling and not is_stopped():
        loss = run.advance(clock.done(run.step))
        if run.is_broken:
            return
        held_out = None
        if clock.is_check_due(run.step):
            began = time.monotonic()
            held_out = run.check()
            clock.note_check(time.monotonic() - began)
        yield clock.progress("Training …", step=run.step, loss=loss, held_out=held_out)


def _checked_path(settings: FineTuneSettings) -> Path:
    path = own_model_path(settings.name)
    if path.exists():
        raise InputError(f"there is a model {settings.name!r} already: choose another")
    if settings.steps < 0 or (not settings.steps and settings.minutes <= 0):
        raise InputError(f"{settings.minutes:g} minutes are no time to train in")
    return path


def _result(training: Training, path: Path | None, card: str) -> FineTuneResult:
    return FineTuneResult(
        path,
        card,
        training.before.held_out,
        training.after.held_out,
        training.before.simulated,
        training.after.simulated,
        training.steps,
        training.seconds,
        _sentence(training, is_better=path is not None),
    )


def _sentence(training: Training, *, is_better: bool) -> str:
    before, after = training.before.held_out, training.after.held_out
    base = base_title(training.base)
    broken = f"The loss or gradient of step {training.steps} is no number"
    if is_better:
        ended = f" {broken}: it ended there, and the best before is kept."
        return (
            f"{training.settings.name}: J on the held-out frames {before:.3f} → "
            f"{after:.3f}.{ended if training.is_broken else ''}"
        )
    if not training.steps:
        return "There was no time for a single step: give more minutes."
    advice = "More masklets, or more minutes, may help."
    if training.is_broken:
        advice = f"{broken}, so it ended there: start again, or from another base."
    return (
        f"Nothing better than {base} was found in {training.steps} steps (J on the "
        f"held-out frames {before:.3f} → {after:.3f}): go on with {base}, and no file "
        f"was added. {advice}"
    )


@dataclass(frozen=True, slots=True)
class FineTuneProgress:
    """Where a fine-tuning stands.

    Attributes
    ----------
    doing
        What goes on, in words.
    step
        Optimiser steps done; 0 before the first.
    seconds, seconds_left
        Since the beginning, and about until the end; the latter None while unknown.
    done
        0…1.
    loss
        Of the step; None before the first.
    held_out
        J on held-out frames, if it was measured at this step.
    """

    doing: str
    step: int
    seconds: float
    seconds_left: float | None
    done: float
    loss: float | None = None
    held_out: float | None = None


class BudgetClock:
    """Tells a run when to measure and when to end.

    Parameters
    ----------
    settings
        A number of steps, or minutes.
    """

    def __init__(self, settings: FineTuneSettings) -> None:
        self._steps, self._budget = settings.steps, 60.0 * settings.minutes
        self._began = time.monotonic()
        self._training_began: float | None = None
        self._measuring = self._checking = 0.0
        self._checked = 0

    @property
    def seconds(self) -> float:
        """Time since the beginning."""
        return time.monotonic() - self._began

    def note_base(self, seconds: float) -> None:
        """Take down how long the base was measured; training begins now."""
        self._measuring = seconds
        self._training_began = time.monotonic()

    def note_check(self, seconds: float) -> None:
        """Take down how long a held-out score took."""
        self._checking += seconds

    def done(self, step: int) -> float:
        """Return the part of the training that is done, 0…1."""
        if self._training_began is None:
            return 0.0
        if self._steps:
            return min(1.0, step / self._steps)
        spent = time.monotonic() - self._training_began
        allowed = self._budget - (self._training_began - self._began) - self._ending
        return min(1.0, spent / allowed) if allowed > 0 else 1.0

    def is_check_due(self, step: int) -> bool:
        """Whether the held-out score is to be measured now; the answer counts as done.

        With a number of steps it depends on nothing else.
        """
        reached = int(self.done(step) * CHECKS + 1e-9)
        if reached <= self._checked:
            return False
        if not self._steps and self._checking > CHECK_SHARE * self._trained:
            return False
        self._checked = reached
        return True

    def progress(
        self,
        doing: str,
        *,
        step: int = 0,
        loss: float | None = None,
        held_out: float | None = None,
    ) -> FineTuneProgress:
        """Return where the run stands now."""
        return FineTuneProgress(
            doing,
            step,
            self.seconds,
            self._seconds_left(step),
            self.done(step),
            loss,
            held_out,
        )

    @property
    def _ending(self) -> float:
        return FINAL_MEASUREMENTS * self._measuring

    @property
    def _trained(self) -> float:
        began = self._training_began
        return 0.0 if began is None else time.monotonic() - began

    def _seconds_left(self, step: int) -> float | None:
        if not self._steps:
            return max(self._budget - self.seconds, 0.0)
        if not step:
            return None
        return self._trained / step * (self._steps - step) + self._ending
