"""How much of the budget of a fine-tuning is spent, and what is due."""

from __future__ import annotations

import time
from dataclasses import dataclass

from napari_sam2.train.fine_tuning.plan import FineTuneSettings

CHECKS = 12
"""Held-out scores over a whole run, at most."""

CHECK_SHARE = 0.2
"""Part of the time that held-out scores may take while it trains."""

FINAL_MEASUREMENTS = 3.5
"""What the end takes, in parts of what measuring the base took."""


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
