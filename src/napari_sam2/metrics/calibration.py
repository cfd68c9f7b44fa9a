"""From scores to probabilities, and how good such probabilities are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression, minimize
from scipy.special import expit
from scipy.stats import rankdata

SHRINKAGE = 1e-3
"""Weight of the squared coefficients beside the mean log loss."""

KNOTS = 32
"""Of a curve from scores to frequencies, at most."""

BINS = 10
"""Of equal width, in which probabilities and frequencies are compared."""


@dataclass(frozen=True, slots=True, eq=False)
class Logistic:
    """A fitted logistic regression of standardised features.

    Attributes
    ----------
    mean, scale, weights
        ``(features,)`` each.
    bias
        Log odds at the features' means.
    """

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: float

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Return ``(…,)`` probabilities of ``(…, features)``."""
        odds = ((features - self.mean) / self.scale) @ self.weights + self.bias
        probabilities: np.ndarray = expit(odds)
        return probabilities


def fit_logistic(features: np.ndarray, outcomes: np.ndarray) -> Logistic:
    """Fit ``(samples, features)`` to ``(samples,)`` bool by maximum likelihood."""
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    inputs = np.column_stack([(features - mean) / scale, np.ones(len(features))])
    target = outcomes.astype(float)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        odds = inputs @ weights
        value = np.mean(np.logaddexp(0.0, odds) - target * odds)
        slope = inputs.T @ (expit(odds) - target) / len(target)
        shrunk = np.append(weights[:-1], 0.0)
        return value + SHRINKAGE * shrunk @ shrunk, slope + 2 * SHRINKAGE * shrunk

    found = minimize(loss, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B").x
    return Logistic(mean, scale, found[:-1], float(found[-1]))


def fit_isotonic(
    scores: np.ndarray, outcomes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return knots ``x`` and ``y``, both ascending, of score → frequency.

    Between knots the curve is linear (`numpy.interp`). Scores are averaged in bins of
    equal counts first, so that the curve has few steps.
    """
    order = np.argsort(scores, kind="stable")
    bins = np.array_split(order, min(KNOTS, len(order)))
    x = np.array([scores[part].mean() for part in bins])
    frequency = np.array([outcomes[part].mean() for part in bins])
    weights = np.array([float(len(part)) for part in bins])
    return x, isotonic_regression(frequency, weights=weights).x


def expected_calibration_error(
    probabilities: np.ndarray, outcomes: np.ndarray
) -> float:
    """Return the mean distance of probability and frequency over bins of equal width.

    Every sample counts once (Naeini et al. 2015).
    """
    place = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    count = np.bincount(place)
    said = np.bincount(place, probabilities)
    came = np.bincount(place, outcomes.astype(float))
    return float(np.abs(said - came).sum() / count.sum())


def area_under_roc(scores: np.ndarray, outcomes: np.ndarray) -> float:
    """Return the chance that a true sample scores above a false one; ties are half.

    Raises
    ------
    ValueError
        If the outcomes are all alike.
    """
    outcomes = outcomes.astype(bool)
    positive, negative = int(outcomes.sum()), int((~outcomes).sum())
    if not positive or not negative:
        raise ValueError("all outcomes are alike: there is nothing to tell apart")
    ranks = rankdata(scores)[outcomes].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * negative))


@dataclass(frozen=True, slots=True, eq=False)
class PrecisionRecall:
    """What is found when samples are looked at from the most suspicious on.

    Attributes
    ----------
    threshold
        ``(n,)`` scores, descending: everything at or above is looked at.
    precision, recall
        ``(n,)`` part of the looked at that is wanted; part of the wanted looked at.
    """

    threshold: np.ndarray
    precision: np.ndarray
    recall: np.ndarray

    @property
    def average_precision(self) -> float:
        """Area under the curve, by steps."""
        steps = np.diff(self.recall, prepend=0.0)
        return float(steps @ self.precision)

    def precision_at(self, recall: float) -> float:
        """Return the precision where at least ``recall`` of the wanted is found."""
        return float(self.precision[np.argmax(self.recall >= recall)])


def precision_recall(suspicion: np.ndarray, wanted: np.ndarray) -> PrecisionRecall:
    """Return the curve of finding the ``wanted`` by descending ``suspicion``.

    Raises
    ------
    ValueError
        If nothing is wanted.
    """
    wanted = wanted.astype(bool)
    if not wanted.any():
        raise ValueError("nothing is wanted: there is nothing to find")
    order = np.argsort(-suspicion, kind="stable")
    found = np.cumsum(wanted[order])
    # Samples of equal suspicion are looked at together.
    last = np.append(np.diff(suspicion[order]) != 0, True)
    looked_at = np.arange(1, len(order) + 1)
    return PrecisionRecall(
        suspicion[order][last], (found / looked_at)[last], (found / found[-1])[last]
    )
