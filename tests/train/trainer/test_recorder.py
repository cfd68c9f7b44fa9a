"""What a run leaves: curves, example pictures, events where TensorBoard is."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from napari_sam2.model.config import CONFIGS
from napari_sam2.model.sam2 import Sam2
from napari_sam2.train.data.examples import Corpus, prepare
from napari_sam2.train.data.prompt_groups import draw_group
from napari_sam2.train.recipe.config import PromptMix, Source, Stage, TrainConfig
from napari_sam2.train.trainer.recorder import CURVES, EXAMPLES, Recorder
from napari_sam2.train.trainer.trainer import start, train_step
from napari_sam2.train.validation import pictures, tensorboard
from napari_sam2.train.validation.curves import (
    Panel,
    draw,
    log_panels,
    read_table,
    smoothed,
    validation_panels,
)
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


def test_a_validation_leaves_curves_and_pictures(corpus, quick, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "napari_sam2.train.trainer.recorder.is_installed", lambda: False
    )
    config = replace(CONFIG, validate_every=2)
    recorder = Recorder(config, tmp_path, {"discs": corpus}, 0)
    state = start(config)
    for _ in range(4):
        recorder.record(state, STAGE, train_step(config, state, corpus))
    recorder.close()
    names = sorted(path.name for path in (tmp_path / EXAMPLES).iterdir())
    assert names == ["discs-0000002.png", "discs-0000004.png"]
    with Image.open(tmp_path / EXAMPLES / names[0]) as image:
        # Two crops of 64 pixels, enlarged to 192, in three rows; the clip has more.
        assert image.size == (2 * 196, 3 * 196)
    root = ElementTree.fromstring((tmp_path / CURVES).read_text())
    text = " ".join(element.text or "" for element in root.iter())
    assert {"discs", "loss", "learning", "iou_3clicks", "j_and_f"} <= set(text.split())
    # A recorder that goes on keeps the tables.
    before = (tmp_path / "validation.csv").read_text()
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


def write_table(path, rows):
    path.write_text("step,group,name,value\n" + "\n".join(rows) + "\n")
    return path


def test_rows_of_a_resumed_run_count_once_and_in_order(tmp_path):
    rows = ["20,a,loss,3", "40,a,loss,9", "40,a,loss,2", "30,a,loss,5"]
    table = read_table(write_table(tmp_path / "log.csv", rows))
    assert table == {"a": {"loss": [(20, 3.0), (30, 5.0), (40, 2.0)]}}


def test_curves_are_drawn_at_their_values(tmp_path):
    rows = ["10,cells & co,iou_click,0", "20,cells & co,iou_click,1", "20,x,other,1"]
    panels = validation_panels(write_table(tmp_path / "validation.csv", rows))
    root = ElementTree.fromstring(draw(panels))
    (line,) = root.iter("{http://www.w3.org/2000/svg}polyline")
    (x0, y0), (x1, y1) = (
        map(float, point.split(",")) for point in line.attrib["points"].split()
    )
    assert x0 < x1
    assert y0 > y1  # up is more


def test_all_that_is_logged_has_a_panel_and_no_number_breaks_it(tmp_path):
    rows = [f"{20 * i},a,loss,{1 / i}" for i in range(1, 200)]
    rows += ["20,a,norm,nan", "40,b,norm,inf", "20,a,rate,0.001", "20,a,iou_click,0.4"]
    panels = log_panels(write_table(tmp_path / "log.csv", rows))
    assert [panel.title.split()[0] for panel in panels] == [
        "loss",
        "IoU",
        "learning",
        "norm",
    ]
    assert len(panels[0].curves["loss"]) <= 60
    assert "nan" not in draw(panels)
    ElementTree.fromstring(draw([]))
    ElementTree.fromstring(draw([Panel("empty", {})]))


def test_smoothing_keeps_the_mean_of_short_and_long_curves():
    assert smoothed([(1, 2.0), (2, 4.0)]) == [(1, 2.0), (2, 4.0)]
    many = smoothed([(i, float(i)) for i in range(120)])
    assert many[0] == (1, 0.5)
    assert len(many) == 60
    assert smoothed([]) == []


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
    monkeypatch.setattr("napari_sam2.train.trainer.recorder.is_installed", lambda: True)
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
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None)
    assert not tensorboard.is_installed()
