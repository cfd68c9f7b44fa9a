"""A first guess at how far a mask may be trusted, without anything fitted.

`napari_sam2.session.scores.trust_model` holds a model that was fitted on movies with
known truth; where a network comes without one, `neighbour_trust` stands in.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_sam2.session.scores.trust_model import FrameScores
from napari_sam2.tracking.automatic.bodies.sisters import HALVED
from napari_sam2.tracking.division_evidence import LIKE_SIZE, SISTER_IOU

TrustFunction = Callable[[FrameScores], np.ndarray]
"""Gives ``(T, objects)`` in 0…1, NaN where a frame was never computed.

A frame's trust may depend on the frames `REACH` before and behind it, on no others.
"""

REACH = 1
BLOCK_VALUES = 16_384
"""At a time: small arrays are had at once, large ones from the system page by page.

Eight times as fast as all frames together.
"""

IOU_RAMP = (0.40, 0.85)
STABILITY_RAMP = (0.50, 0.95)
"""Below the first a score means nothing, above the second all is well."""

TWO = 0.4
"""Most trust in a mask that shows two: less than what counts as doubtful."""

GROWTH_TOLERANCE = float(np.log(1.5))
"""Change of the area's logarithm from frame to frame that halves the trust."""

JUMP_TOLERANCE = 1.0
"""Departure from straight motion, in radii of the object, that halves the trust."""


def neighbour_trust(scores: FrameScores) -> np.ndarray:
    """Return ``(T, objects)`` float32 trust in 0…1; NaN where never computed.

    The product of what each sign says on its own, so that one bad sign is enough:

    - how surely the object is there: the sigmoid of the presence logit;
    - the network's own estimate of its mask, and how little the mask changes with the
      threshold: ramps, because both are never far from 1 in masks that are right;
    - how little the area changes against the frames before and behind;
    - how straight the centroid moves through the three frames.

    An unknown sign says nothing. Where the object is absent, only the surety of that
    counts; it is halved for a blink, which is one frame between two with the object.

    Parameters
    ----------
    scores
        Of consecutive frames. The first and the last see one neighbour.
    """
    present = scores.area > 0
    certainty = _sigmoid(np.where(present, scores.object_score, -scores.object_score))
    certainty[blinks(present)] *= 0.5
    quality = _ramp(scores.predicted_iou, IOU_RAMP)
    quality *= _ramp(scores.stability, STABILITY_RAMP)
    quality *= _steadiness(scores.area)
    quality[1:-1] *= _straightness(scores)
    trust = np.where(present, certainty * quality, certainty)
    trust[np.isnan(scores.area)] = np.nan
    return trust


def blinks(present: np.ndarray) -> np.ndarray:
    """Return ``(T, objects)`` bool: absent for one frame, between two with the object.

    >>> blinks(np.array([[True], [False], [True]])).ravel().tolist()
    [False, True, False]
    """
    found = np.zeros_like(present)
    found[1:-1] = present[:-2] & ~present[1:-1] & present[2:]
    return found


def in_blocks(function: TrustFunction, scores: FrameScores) -> np.ndarray:
    """Return what the function gives for all frames, computed a few at a time."""
    frame_count, object_count = scores.area.shape
    trust = np.empty(scores.area.shape, np.float32)
    block = max(8, BLOCK_VALUES // max(1, object_count))
    for first in range(0, frame_count, block):
        stop = min(first + block, frame_count)
        trust[first:stop] = for_frames(function, scores, first, stop)
    return trust


def for_frames(
    function: TrustFunction, scores: FrameScores, first: int, stop: int
) -> np.ndarray:
    """Return the trust of frames ``first`` to ``stop − 1`` of a longer series."""
    begin, end = max(0, first - REACH), min(len(scores.area), stop + REACH)
    window = scores.part(slice(begin, end))
    trust = function(window)
    trust = np.where(is_two(window), np.minimum(trust, TWO), trust)
    return trust[first - begin : stop - begin]


def is_two(scores: FrameScores) -> np.ndarray:
    """Tell where a mask covers two objects, or lost half of itself to another one.

    Whatever gives trust, such a mask gets at most `TWO`: it is right only if the object
    did not divide, which a person has to see. Either the raw mask had a second
    component of like size; or the area fell since the frame before to `HALVED` or less
    while a candidate mask of like size lay beside.

    Returns
    -------
    numpy.ndarray
        ``(T, objects)`` bool; False where nobody looked, and on prompted frames.
    """
    area, found = scores.area, np.zeros(scores.area.shape, bool)
    if scores.second_part is not None:
        found |= scores.second_part >= LIKE_SIZE
    if scores.sister_iou is not None:
        has_fallen = area[1:] <= HALVED * area[:-1]
        found[1:] |= has_fallen & (scores.sister_iou[1:] >= SISTER_IOU)
    return found & (area > 0)


# Of a number and NaN, fmin and fmax return the number: unknown signs become the best.


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    result: np.ndarray = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    np.fmin(result, 1, out=result)
    return result


def _ramp(score: np.ndarray, ramp: tuple[float, float]) -> np.ndarray:
    low, high = ramp
    result: np.ndarray = (score - low) * (1 / (high - low))
    np.fmin(result, 1, out=result)
    np.maximum(result, 0, out=result)
    return result


def _steadiness(area: np.ndarray) -> np.ndarray:
    """Return how little the area changes; towards a frame without the object, 1."""
    size = np.log(np.where(area > 0, area, np.nan))
    change = np.zeros((len(area) + 1, *area.shape[1:]), size.dtype)
    change[1:-1] = np.fmax(np.abs(np.diff(size, axis=0)), 0)
    before, behind = change[:-1], change[1:]
    # Mostly the larger one; the smaller tells a glitch from its sound neighbours.
    change = 0.75 * np.maximum(before, behind) + 0.25 * np.minimum(before, behind)
    return _halving(change * change, GROWTH_TOLERANCE**2)


def _straightness(scores: FrameScores) -> np.ndarray:
    """Return how little the centroids depart from the middle of their neighbours.

    Of all frames but the first and the last.
    """
    y, x, area = scores.y, scores.x, scores.area[1:-1]
    off_y = y[1:-1] - 0.5 * (y[:-2] + y[2:])
    off_x = x[1:-1] - 0.5 * (x[:-2] + x[2:])
    radii_squared = np.pi * (off_y * off_y + off_x * off_x) / np.maximum(area, 1)
    return _halving(np.fmax(radii_squared, 0), JUMP_TOLERANCE**2)


def _halving(squared: np.ndarray, tolerance_squared: float) -> np.ndarray:
    result: np.ndarray = 1 / (1 + squared * (1 / tolerance_squared))
    return result
