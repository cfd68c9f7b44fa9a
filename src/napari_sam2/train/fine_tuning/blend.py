"""Between a base and its fine-tuned copy: how far to go (WiSE-FT)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch

from napari_sam2.model.sam2 import Sam2

BLENDS = (1.0, 0.75, 0.5)
"""Parts of the way from the base to the trained weights that are tried."""

MOST_LOST = 0.02
"""What the score on simulated movies may fall by."""

NEARLY_ALL = 0.9
"""Part of the best gain for which a blend nearer to the base is preferred."""


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
) -> tuple[Sam2, Scored, float]:
    """Return the blend that follows the held-out frames well and forgets little.

    Of those that lose at most `MOST_LOST` on simulated movies, the one nearest to the
    base that has `NEARLY_ALL` of the best gain: the three movies do not show all that
    is forgotten on the way. If all lose more, the one that loses least.

    Parameters
    ----------
    base, tuned
        The ends.
    before
        Scores of the base.
    score
        Measures a network.
    """
    tried = []
    for part in BLENDS:
        model = tuned if part == 1.0 else blended(base, tuned, part)
        tried.append((model, score(model), part))
    kept = [one for one in tried if before.simulated - one[1].simulated <= MOST_LOST]
    if not kept:
        return max(tried, key=lambda one: one[1].simulated)
    gains = [scores.held_out - before.held_out for _, scores, _ in kept]
    enough = NEARLY_ALL * max(gains)
    good = [one for one, gain in zip(kept, gains, strict=True) if gain >= enough]
    return min(good or kept, key=lambda one: one[2])
