"""A trust model is fitted to judged clips and travels with the weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_sam2.errors import ModelError
from napari_sam2.model.checkpoints.checkpoint import (
    build_model,
    load_model,
    save_model,
    save_notes,
)
from napari_sam2.model.checkpoints.notes import TRUST_NOTE, read_notes
from napari_sam2.session.scores.trust_model import FEATURES, TrustModel
from napari_sam2.train.data.examples import Corpus
from napari_sam2.train.data.simulated import simulated_examples
from napari_sam2.train.validation.trust import (
    Judged,
    assess_trust,
    fit_trust,
    join,
    judge,
)


def judged(count, seed):
    """Return samples whose predicted IoU tells how likely they are right."""
    random = np.random.default_rng(seed)
    features = random.random((count, len(FEATURES)))
    chance = features[:, FEATURES.index("predicted IoU")] ** 2
    return Judged(features, random.random(count) < chance)


def test_a_fitted_model_is_calibrated_on_new_samples_and_tells_them_apart():
    report = assess_trust(fit_trust(judged(6000, 0)), judged(3000, 1))
    assert report.calibration_error < 0.05
    assert report.auroc > 0.75
    assert report.samples == 3000


def test_clips_are_judged_frame_by_frame_with_equal_results_for_equal_seeds():
    corpus = Corpus((simulated_examples(2, 9000),), (1.0,))
    model = build_model("toy", seed=1)
    one, two = (judge(model, corpus, clips=2, frames=3, seed=seed) for seed in (4, 4))
    assert one.features.shape[1] == len(FEATURES)
    assert len(one.features) == len(one.is_good) >= 4
    assert np.isfinite(one.features).all()
    assert np.array_equal(one.features, two.features)
    assert len(join([one, two]).is_good) == 2 * len(one.is_good)


def test_notes_are_added_without_touching_the_weights(tmp_path):
    path = tmp_path / "toy.safetensors"
    save_model(build_model("toy", seed=1), path, dtype=torch.float16, notes={"a": "b"})
    before = load_model(path).state_dict()
    trust = fit_trust(judged(200, 0))
    save_notes(path, {TRUST_NOTE: trust.to_json()})
    notes = read_notes(path)
    assert notes["a"] == "b"
    assert TrustModel.from_json(notes[TRUST_NOTE]) == trust
    after = load_model(path).state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_pickle_carries_no_notes(tmp_path):
    with pytest.raises(ModelError, match="safetensors"):
        save_notes(tmp_path / "toy.pt", {})
    assert read_notes(tmp_path / "toy.pt") == {}
