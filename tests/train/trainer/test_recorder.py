"""What a run leaves: tables, example pictures, events where TensorBoard is."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from napari_sam2.model.config import CONFIGS
from napari_sam2.model.sam2 import Sam2
from napari_sam2.train.data.examples import Corpus, prepare
from napari_sam2.train.data.prompts import draw_group
from napari_sam2.train.recipe.config import PromptMix, Source, Stage, TrainConfig
from napari_sam2.train.trainer import recorder as recording
from napari_sam2.train.trainer.drawing import draw_batch
from napari_sam2.train.trainer.recorder import EXAMPLES, Recorder
from napari_sam2.train.trainer.trainer import start, train_step
from napari_sam2.train.validation import pictures
from napari_sam2.train.validation.pictures import (
    PREDICTED,
    PROMPT,
    TRUE,
    outlined,
    prompt_mask,
)

STAGE = Stage("clip", 4, frames=3, size=64, crops=1, objects=2, prompts=PromptMix(1, 1))
CONFIG = TrainConfig("toy", (STAGE,), (Source("none", "folder", 1.0),))


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    y, x = np.mgrid[:96, :96]
    labels = np.where((y - 48) ** 2 + (x - 48) ** 2 <= 200, 1, 0).astype(np.int32)
    picture = np.where(labels > 0, 200, 40).astype(np.uint8)
    source = SimpleNamespace(
        name="disc", frames=picture[None, ..., None], labels=labels[None]
    )
    return Corpus(((prepare(source),),), (1.0,))


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("napari_sam2.train.validation.validation.BATCHES", 1)
    monkeypatch.setattr(pictures, "CROPS", 2)


def test_a_validation_leaves_tables_and_pictures(corpus, quick, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "napari_sam2.train.trainer.recorder.has_tensorboard", lambda: False
    )
    config = replace(CONFIG, validate_every=2)
    recorder = Recorder(config, tmp_path, {"discs": corpus}, 0)
    state = start(config)
    for _ in range(4):
        recorder.record(
            state,
            STAGE,
            train_step(config, state, draw_batch(config, state.step, corpus)),
        )
    recorder.close()
    names = sorted(path.name for path in (tmp_path / EXAMPLES).iterdir())
    assert names == ["discs-0000002.png", "discs-0000004.png"]
    with Image.open(tmp_path / EXAMPLES / names[0]) as image:
        # Two crops of 64 pixels, enlarged to 192, in three rows; the clip has more.
        assert image.size == (2 * 196, 3 * 196)
    assert ",clip,loss," in (tmp_path / "log.csv").read_text()
    before = (tmp_path / "validation.csv").read_text()
    assert ",discs,iou_3clicks," in before
    assert ",discs,j_and_f," in before
    # A recorder that goes on keeps the tables.
    Recorder(config, tmp_path, {}, 4)
    assert (tmp_path / "validation.csv").read_text() == before


def test_pictures_are_the_same_for_the_same_model(corpus, quick):
    torch.manual_seed(0)
    model = Sam2(CONFIGS["toy"])
    one, two = (pictures.example_picture(model, corpus, STAGE) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    colours = {tuple(colour) for colour in one.reshape(-1, 3).tolist()}
    assert {TRUE, PROMPT} <= colours


def test_outlines_and_prompts_lie_where_they_should(corpus):
    truth, guess = np.zeros((2, 64, 64), bool)
    truth[10:30, 10:30] = guess[10:30, 40:50] = True
    group = draw_group(
        "box", torch.from_numpy(truth)[None], np.array([0]), np.random.default_rng(0)
    )
    prompt = prompt_mask(group, 0, 64)
    picture = outlined(torch.zeros(3, 64, 64), truth, guess, prompt)
    assert picture.shape == (192, 192, 3)
    assert tuple(picture[30, 45]) == TRUE
    assert tuple(picture[30, 130]) == PREDICTED
    assert (picture[36:84, 36:84] == picture[40, 40]).all()  # inside nothing is drawn
    # Lines of the box are as thick as its pixels, those of outlines are thin.
    hit = (picture == PROMPT).all(axis=2)[1::3, 1::3]
    assert hit.any()
    assert not (hit & ~prompt).any()


class Writer:
    """Stands for TensorBoard's writer, whose package is not part of the tests."""

    def __init__(self, folder, purge_step=None):
        self.folder, self.purge_step, self.written = folder, purge_step, []
        WRITERS.append(self)

    def add_scalar(self, name, value, step):
        self.written.append((name, value, step))

    def add_image(self, name, picture, step, dataformats):
        assert dataformats == "HWC"
        self.written.append((name, picture.shape[-1], step))

    def flush(self):
        pass

    def close(self):
        self.written.append("closed")


WRITERS: list[Writer] = []


def test_events_are_written_where_tensorboard_is(corpus, quick, tmp_path, monkeypatch):
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr(
        "napari_sam2.train.trainer.recorder.has_tensorboard", lambda: True
    )
    config = replace(CONFIG, validate_every=1, stages=(replace(STAGE, frames=1),))
    recorder = Recorder(config, tmp_path, {"discs": corpus}, 19)
    state = start(config)
    state.step = 20
    recorder.record(state, config.stages[0], {"loss": 0.5})
    recorder.close()
    (writer,) = WRITERS
    assert writer.folder == str(tmp_path / "tensorboard")
    assert writer.purge_step == 20
    assert ("training/loss", 0.5, 20) in writer.written
    assert ("discs", 3, 20) in writer.written
    assert any(entry[0] == "discs/iou_box" for entry in writer.written)
    assert writer.written[-1] == "closed"


def test_tensorboard_is_off_where_it_is_not_installed(monkeypatch):
    monkeypatch.setattr(recording, "find_spec", lambda name: None)
    assert not recording.has_tensorboard()
