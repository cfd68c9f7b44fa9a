"""Drop path and dropout: only while training, growing with depth, reproducible."""

from __future__ import annotations

import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_sam2.errors import InputError
from napari_sam2.model.config import CONFIGS
from napari_sam2.model.encoders.trunk import build_trunk
from napari_sam2.model.sam2 import Sam2
from napari_sam2.train.data.batches import make_batch
from napari_sam2.train.data.examples import Corpus, prepare
from napari_sam2.train.passes.passes import run_batch
from napari_sam2.train.recipe.config import PromptMix, Source, Stage, TrainConfig
from napari_sam2.train.recipe.loss_weights import PRESETS
from napari_sam2.train.trainer.drawing import draw_batch
from napari_sam2.train.trainer.optimisation import _drop_paths, regularise
from napari_sam2.train.trainer.trainer import start, train_step

STAGE = Stage("clip", 3, frames=2, size=64, crops=1, objects=2, prompts=PromptMix(1, 1))
CONFIG = TrainConfig(
    "toy", (STAGE,), (Source("none", "folder", 1.0),), drop_path=0.5, dropout=0.3
)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    labels = np.zeros((1, 80, 80), np.int32)
    labels[0, 20:40, 20:40], labels[0, 50:70, 40:60] = 1, 2
    frames = np.where(labels > 0, 200, 40).astype(np.uint8)[..., None]
    return Corpus(
        ((prepare(SimpleNamespace(name="x", frames=frames, labels=labels)),),), (1.0,)
    )


@pytest.mark.parametrize(("drop_path", "dropout"), [(0.5, 0.0), (0.0, 0.5)])
def test_answers_vary_in_training_only(corpus, drop_path, dropout):
    torch.manual_seed(0)
    plain = Sam2(CONFIGS["toy"])
    model = copy.deepcopy(plain)
    regularise(model, drop_path, dropout)
    assert model.state_dict().keys() == plain.state_dict().keys()
    batch = make_batch(corpus, STAGE, np.random.default_rng(0), still=False)

    def loss(network: Sam2) -> float:
        with torch.no_grad():
            return run_batch(network, batch, PRESETS["nano"]).values["loss"]

    assert loss(model.eval()) == loss(plain.eval())
    assert len({loss(model.train()) for _ in range(3)}) == 3


@pytest.mark.parametrize("name", ["toy", "nano"])
def test_the_rate_grows_with_depth(name):
    trunk = build_trunk(CONFIGS[name].trunk)
    _drop_paths(trunk, 0.4)
    rates = [m.drop_prob for m in trunk.modules() if type(m).__name__ == "DropPath"]
    assert rates[0] == 0
    assert rates[-1] == pytest.approx(0.4)
    assert rates == sorted(rates)


def test_a_step_drops_the_same_whatever_was_drawn_before(corpus):
    losses = []
    for noise in (0, 5):
        state = start(CONFIG)
        torch.rand(noise)
        losses.append(
            train_step(CONFIG, state, draw_batch(CONFIG, state.step, corpus))["loss"]
        )
    assert losses[0] == losses[1]
    assert not any(
        "Drop" in type(m).__name__ and "Path" in type(m).__name__
        for m in state.average.modules()
    )


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_rates_are_probabilities(rate):
    with pytest.raises(InputError, match="drop_path"):
        replace(CONFIG, drop_path=rate)
