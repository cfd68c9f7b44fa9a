"""The trust model: what it looks at, and how it travels with a network."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_sam2.session.scores.trust_model import (
    FEATURES,
    FrameScores,
    TrustModel,
    trust_features,
)


def scores(frames=5, objects=2, **changes):
    shape = (frames, objects)
    values = {
        "object_score": np.full(shape, 6.0),
        "predicted_iou": np.full(shape, 0.9),
        "stability": np.full(shape, 0.95),
        "area": np.full(shape, 314.0),
        "y": np.full(shape, 20.0),
        "x": np.full(shape, 30.0),
    }
    return FrameScores(**(values | changes))


def model(weights):
    count = len(FEATURES)
    return TrustModel(
        mean=(0.0,) * count,
        scale=(1.0,) * count,
        weights=tuple(weights),
        bias=0.0,
        knots=((0.0, 0.1), (1.0, 0.9)),
    )


def feature(name, values):
    return trust_features(values)[..., FEATURES.index(name)]


def test_a_jump_of_area_or_place_is_seen_from_both_sides():
    area, y = np.full((5, 1), 314.0), np.full((5, 1), 20.0)
    area[2:], y[2:] = 628.0, 40.0
    jump = scores(objects=1, area=area, y=y)
    assert feature("change of area since", jump)[:, 0].tolist() == pytest.approx(
        [0, 0, np.log(2), 0, 0]
    )
    assert feature("change of area until", jump)[:, 0].tolist() == pytest.approx(
        [0, np.log(2), 0, 0, 0]
    )
    assert np.flatnonzero(feature("motion since", jump)[:, 0]).tolist() == [2]
    assert np.flatnonzero(feature("motion until", jump)[:, 0]).tolist() == [1]


def test_a_movie_of_more_pixels_is_trusted_alike():
    """The same cells at four times the resolution; areas once counted in pixels."""
    random = np.random.default_rng(4)
    area, y, x = random.uniform(200, 400, (3, 5, 2))
    small = scores(area=area, y=y, x=x)
    large = scores(area=16 * area, y=4 * y, x=4 * x)
    np.testing.assert_allclose(trust_features(small), trust_features(large))


def test_of_an_absent_object_only_the_certainty_counts():
    absent = scores(
        objects=1, object_score=np.full((5, 1), -4.0), area=np.zeros((5, 1))
    )
    found = trust_features(absent)[2, 0]
    assert found[FEATURES.index("certainty of presence")] == pytest.approx(0.4)
    assert found[FEATURES.index("absent")] == 1
    assert not found[2:].any()


def test_what_was_never_computed_stays_unknown():
    object_score = np.full((5, 2), 6.0)
    object_score[3, 1] = np.nan
    trust = model(np.ones(len(FEATURES)))(scores(object_score=object_score))
    assert np.isnan(trust[3, 1])
    assert np.isnan(trust).sum() == 1


def test_trust_is_calibrated_by_its_knots_and_survives_json():
    weights = np.zeros(len(FEATURES))
    weights[FEATURES.index("predicted IoU")] = 4.0
    original = model(weights)
    copy = TrustModel.from_json(original.to_json())
    assert copy == original
    values = scores(predicted_iou=np.array([[0.0, 0.5]] * 5))
    raw = 1 / (1 + np.exp(-np.array([0.0, 2.0])))
    assert copy(values)[0].tolist() == pytest.approx((0.1 + 0.8 * raw).tolist())


def test_a_model_for_other_features_is_not_used():
    stored = json.loads(model(np.zeros(len(FEATURES))).to_json())
    stored["features"] = ["something else"]
    assert TrustModel.from_json(json.dumps(stored)) is None
