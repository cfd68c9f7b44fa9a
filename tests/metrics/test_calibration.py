"""Probabilities from scores: fits, calibration error, ROC, precision and recall."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.metrics.calibration import (
    area_under_roc,
    expected_calibration_error,
    fit_isotonic,
    fit_logistic,
    precision_recall,
)


def draw(count=4000, seed=0):
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, 3))
    odds = 2.0 * features[:, 0] - features[:, 1] + 0.5
    return features, random.random(count) < 1 / (1 + np.exp(-odds))


def test_logistic_regression_finds_the_odds_that_made_the_outcomes():
    fitted = fit_logistic(*draw())
    slopes = fitted.weights / fitted.scale
    assert slopes == pytest.approx([2.0, -1.0, 0.0], abs=0.2)
    features, outcomes = draw(seed=1)
    assert expected_calibration_error(fitted(features), outcomes) < 0.03
    assert area_under_roc(fitted(features), outcomes) > 0.85


def test_a_constant_feature_does_no_harm():
    features, outcomes = draw()
    features[:, 2] = 7.0
    assert np.isfinite(fit_logistic(features, outcomes)(features)).all()


def test_the_isotonic_curve_ascends_and_corrects_a_distorted_probability():
    random = np.random.default_rng(0)
    truth = random.random(5000)
    outcomes = random.random(5000) < truth
    distorted = truth**3
    x, y = fit_isotonic(distorted, outcomes)
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) >= 0).all()
    before = expected_calibration_error(distorted, outcomes)
    after = expected_calibration_error(np.interp(distorted, x, y), outcomes)
    assert before > 0.15
    assert after < 0.03


def test_calibration_error_of_a_known_case():
    probabilities = np.array([0.95, 0.95, 0.25, 0.25])
    outcomes = np.array([1, 0, 0, 0])
    # Two bins of two: |0.95 − 0.5| and |0.25 − 0|.
    assert expected_calibration_error(probabilities, outcomes) == pytest.approx(0.35)


def test_a_constant_tells_nothing_apart():
    outcomes = np.array([True, False, True, False])
    assert area_under_roc(np.full(4, 0.5), outcomes) == 0.5
    with pytest.raises(ValueError, match="alike"):
        area_under_roc(np.arange(4), np.ones(4, bool))


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40
    ).filter(lambda pairs: len({outcome for _, outcome in pairs}) == 2)
)
def test_area_under_roc_is_the_chance_of_the_right_order(pairs):
    scores, outcomes = (np.array(part) for part in zip(*pairs, strict=True))
    gaps = scores[outcomes][:, None] - scores[~outcomes][None]
    expected = ((gaps > 0) + 0.5 * (gaps == 0)).mean()
    assert area_under_roc(scores, outcomes) == pytest.approx(expected)


def test_precision_and_recall_of_a_known_order():
    curve = precision_recall(
        np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False])
    )
    assert curve.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3, 2 / 4])
    assert curve.recall.tolist() == [0.5, 0.5, 1.0, 1.0]
    assert curve.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert curve.precision_at(1.0) == pytest.approx(2 / 3)


def test_equal_suspicion_is_one_step_of_the_curve():
    curve = precision_recall(np.ones(4), np.array([True, False, False, False]))
    assert curve.precision.tolist() == [0.25]
    with pytest.raises(ValueError, match="nothing"):
        precision_recall(np.ones(2), np.zeros(2, bool))
