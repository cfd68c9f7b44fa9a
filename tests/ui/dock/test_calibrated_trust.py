"""Trust that was fitted on known truth, and comes with the weights of a model."""

import numpy as np
import pytest
from tests.engine.engine_steps import Table, click, of_kind

from napari_sam2.engine import ModelReady
from napari_sam2.model.checkpoints.notes import TRUST_NOTE
from napari_sam2.session.scores.trust_model import FEATURES, TrustModel
from napari_sam2.session.scores.trust_rule import neighbour_trust

SURE = TrustModel(
    mean=(0.0,) * len(FEATURES),
    scale=(1.0,) * len(FEATURES),
    weights=(0.0,) * len(FEATURES),
    bias=0.0,
    knots=((0.0, 0.25), (1.0, 0.25)),
)
"""Trusts every mask by a quarter."""


@pytest.fixture
def calibrated(toy, tmp_path):
    """Path of the toy network, with a trust model in its file."""
    from napari_sam2.model.checkpoints.checkpoint import load_model, save_model

    path = tmp_path / "calibrated.safetensors"
    save_model(load_model(toy), path, notes={TRUST_NOTE: SURE.to_json()})
    return str(path)


def test_a_model_brings_its_trust(request_for, calibrated, stack):
    ready = of_kind(
        ModelReady,
        [
            event
            for model in (calibrated, request_for().model)
            for event in Table(request_for(model=model), len(stack)).engine.prepare(
                request_for(model=model)
            )
        ],
    )
    assert [one.trust for one in ready] == [SURE, None]


def test_masks_are_judged_by_the_trust_of_their_model(
    open_dock, answered, toy, calibrated, qtbot
):
    _, dock = open_dock(model=calibrated)
    shown = []
    dock.conductor.scores_changed.connect(shown.append)
    dock.conductor.set_prompt(click(1, 0, (30, 40)))
    answered(dock)
    qtbot.waitUntil(lambda: bool(shown) and not np.isnan(shown[-1].trust()[0, 0]))
    assert shown[-1].trust()[0, 0] == pytest.approx(0.25)
    # The masklets of another model are judged as that one can be.
    dock.model_panel.choose(toy)
    assert dock.conductor.tables.trust_function is neighbour_trust
    dock.model_panel.choose(calibrated)
    assert dock.conductor.tables.trust_function == SURE
