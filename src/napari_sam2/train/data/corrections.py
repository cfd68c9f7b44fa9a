"""Clicks on what is wrong, one after the other, as a person corrects a mask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from napari_sam2.metrics.clicks import deepest_pixel, inner_distance
from napari_sam2.model.mask_decoder import upsample_logits
from napari_sam2.model.prompt_encoder import PointLabel, PromptTensors
from napari_sam2.model.sam2 import Decoded, ImageEmbedding, Sam2

LOGIT_LIMIT = 32.0
"""Logits given back as a mask prompt are clamped to ± this, as in tracking."""

FROM_TRUTH = 0.1
"""Share of the clicks that lie on the object whether that is wrong or not."""

MIDDLE = 0.5
"""Share of the clicks in the middle of the largest error; others lie anywhere in it."""


@dataclass(frozen=True, slots=True)
class CorrectionPlan:
    """Which frames of a batch are corrected, and how.

    Attributes
    ----------
    frames
        Frames that get clicks.
    returned
        The mask prompt that comes with the clicks: ``"last"`` gives back the logits of
        the last answer, ``"first"`` those from before the first click, ``"none"`` none.
        Frames with memory always get one.
    seed
        Of the clicks.
    """

    frames: tuple[int, ...] = ()
    clicks: int = 0
    returned: str = "last"
    seed: int = 0


def correct(
    model: Sam2,
    features: torch.Tensor,
    seen: ImageEmbedding,
    answer: tuple[Decoded, PromptTensors],
    truth: np.ndarray,
    plan: CorrectionPlan,
) -> Iterator[tuple[Decoded, PromptTensors]]:
    """Yield the answers after one, two, … clicks, and what they answer.

    Parameters
    ----------
    features
        ``(objects, C, h, w)`` conditioned on memory, or not.
    seen
        The objects' frame.
    answer
        What the objects were before the clicks, and the prompts that led to it.
    truth
        ``(objects, S, S)`` bool.
    """
    decoded, prompts = answer
    random = np.random.default_rng((plan.seed, len(truth), int(truth.sum())))
    points, labels = prompts.points, prompts.labels
    first = _mask_prompt(decoded)
    for _ in range(plan.clicks):
        found = error_clicks(decoded.logits.detach(), truth, random)
        points = torch.cat((points, found.points.to(points)), dim=1)
        labels = torch.cat((labels, found.labels.to(labels)), dim=1)
        last = _mask_prompt(decoded)
        mask = {"last": last, "first": first, "none": None}[plan.returned]
        prompts = PromptTensors(points, labels, mask)
        decoded = model.decode(features, seen, prompts)
        yield decoded, prompts


def _mask_prompt(decoded: Decoded) -> torch.Tensor:
    return decoded.logits.detach().clamp(-LOGIT_LIMIT, LOGIT_LIMIT)[:, None]


def error_clicks(
    logits: torch.Tensor, truth: np.ndarray, random: np.random.Generator | None
) -> PromptTensors:
    """Return one click per object where prediction and truth differ.

    Positive where the object was missed, negative where there is none; negative beside
    it where nothing is wrong.

    Parameters
    ----------
    logits
        ``(objects, S/4, S/4)``.
    truth
        ``(objects, S, S)`` bool.
    random
        Draws the place; None for the middle of the largest error.
    """
    side = truth.shape[-1]
    guess = (upsample_logits(logits, side) > 0).cpu().numpy()
    places = np.empty((len(truth), 1, 2), np.float32)
    labels = np.empty((len(truth), 1), np.int64)
    for row in range(len(truth)):
        (y, x), label = _error_click(guess[row], truth[row], random)
        places[row, 0], labels[row, 0] = (x, y), label
    return PromptTensors(torch.from_numpy(places), torch.from_numpy(labels))


def _error_click(
    guess: np.ndarray, truth: np.ndarray, random: np.random.Generator | None
) -> tuple[tuple[int, int], PointLabel]:
    if random is not None and random.random() < FROM_TRUTH and truth.any():
        return _anywhere(truth, random), PointLabel.POSITIVE
    wrong = guess ^ truth
    if not wrong.any():
        if truth.all():
            return _anywhere(truth, random), PointLabel.POSITIVE
        return _anywhere(~truth, random), PointLabel.NEGATIVE
    if random is None or random.random() < MIDDLE:
        place = _middle_of_the_largest(truth & ~guess, guess & ~truth)
    else:
        place = _anywhere(wrong, random)
    return place, PointLabel.POSITIVE if truth[place] else PointLabel.NEGATIVE


def _middle_of_the_largest(*regions: np.ndarray) -> tuple[int, int]:
    """Return the pixel of all regions that lies deepest in its own."""
    depths = [inner_distance(region) for region in regions if region.any()]
    y0, x0, depth = max(depths, key=lambda found: float(found[2].max()))
    y, x = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return y0 + int(y), x0 + int(x)


def _anywhere(mask: np.ndarray, random: np.random.Generator | None) -> tuple[int, int]:
    if random is None:
        return deepest_pixel(mask)
    y, x = np.unravel_index(int(random.choice(np.flatnonzero(mask))), mask.shape)
    return int(y), int(x)
