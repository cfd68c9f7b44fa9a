"""A loss that is no number ends a run before it harms weights or checkpoint."""

from __future__ import annotations

import copy
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_sam2.errors import InputError
from napari_sam2.train.data.examples import Corpus, prepare
from napari_sam2.train.recipe.config import PromptMix, Source, Stage, TrainConfig
from napari_sam2.train.trainer import trainer
from napari_sam2.train.trainer.drawing import draw_batch
from napari_sam2.train.trainer.parallel import TrainingPass
from napari_sam2.train.trainer.recorder import CHECKPOINT
from napari_sam2.train.trainer.trainer import start, train, train_step

STAGE = Stage(
    "image", 5, size=64, crops=1, objects=2, prompts=PromptMix(1, 1, 0), dense=1.0
)
CONFIG = TrainConfig(
    "toy", (STAGE,), (Source("none", "folder", 1.0),), checkpoint_every=2
)


def two_squares() -> Corpus:
    labels = np.zeros((1, 80, 80), np.int32)
    labels[0, 20:40, 20:40], labels[0, 50:70, 40:60] = 1, 2
    frames = np.where(labels > 0, 200, 40).astype(np.uint8)[..., None]
    source = SimpleNamespace(name="x", frames=frames, labels=labels)
    return Corpus(((prepare(source),),), (1.0,))


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return two_squares()


class Breaking(TrainingPass):
    """Multiplies the loss of one step by something that is no number."""

    count, broken_step, factor = 0, 3, float("nan")

    def forward(self, *values):
        Breaking.count += 1
        loss = super().forward(*values)
        return loss * self.factor if Breaking.count == self.broken_step else loss


@pytest.fixture
def breaking(monkeypatch):
    monkeypatch.setattr(Breaking, "count", 0)
    monkeypatch.setattr(trainer, "TrainingPass", Breaking)


def assert_equal(one: torch.nn.Module, two: torch.nn.Module) -> None:
    for (name, value), other in zip(
        one.state_dict().items(), two.state_dict().values(), strict=True
    ):
        assert torch.equal(value, other), name


@pytest.mark.usefixtures("breaking")
@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_no_weight_changes_where_the_loss_is_no_number(corpus, monkeypatch, factor):
    monkeypatch.setattr(Breaking, "factor", factor)
    state = start(CONFIG)
    for _ in range(2):
        assert np.isfinite(
            train_step(CONFIG, state, draw_batch(CONFIG, state.step, corpus))["norm"]
        )
    model, head = copy.deepcopy(state.model), copy.deepcopy(state.head)
    average = copy.deepcopy(state.average)
    assert np.isnan(
        train_step(CONFIG, state, draw_batch(CONFIG, state.step, corpus))["norm"]
    )
    assert state.step == 3
    assert_equal(state.model, model)
    assert_equal(state.head, head)
    assert_equal(state.average, average)


@pytest.mark.usefixtures("breaking")
def test_the_run_ends_and_says_what_to_do(corpus, tmp_path):
    message = r"step 3 is no number.*learning_rate.*'image'.*last\.pt"
    with pytest.raises(InputError, match=message):
        train(CONFIG, corpus, tmp_path)
    kept = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    assert kept["step"] == 2
    assert all(bool(value.isfinite().all()) for value in kept["model"].values())


@pytest.mark.usefixtures("breaking")
def test_without_a_checkpoint_it_says_to_start_anew(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(Breaking, "broken_step", 1)
    with pytest.raises(InputError, match="start anew"):
        train(CONFIG, corpus, tmp_path)
    assert not (tmp_path / CHECKPOINT).exists()


def test_a_gradient_of_the_head_alone_counts(corpus, monkeypatch):
    state = start(CONFIG)
    weight = next(state.head.parameters())
    weight.register_hook(lambda gradient: gradient * float("nan"))
    head = copy.deepcopy(state.head)
    assert np.isnan(
        train_step(CONFIG, state, draw_batch(CONFIG, state.step, corpus))["norm"]
    )
    assert_equal(state.head, head)


WORKER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_trainer_guard as here
from napari_sam2.train.trainer import trainer
from napari_sam2.train.trainer.parallel import workers
with workers("cpu") as number:
    if number == 1:
        trainer.TrainingPass = here.Breaking
    try:
        trainer.train(here.CONFIG, here.two_squares(), Path(sys.argv[2]))
    except here.InputError as error:
        print(str(error).split("; ")[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="names the loopback of Linux")
def test_all_processes_end_together(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    here = str(Path(__file__).parent)
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", WORKER, here, str(tmp_path)],
            env={**os.environ, **common, "RANK": str(number)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    said = [process.communicate(timeout=240)[0].strip() for process in processes]
    assert "step 3 is no number" in said[0]
    assert said[0] == said[1]
