"""The loop: it learns, resumes with equal bytes, logs, and reads recipes."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_sam2.errors import InputError, ModelError
from napari_sam2.model.checkpoints.checkpoint import load_model, save_model
from napari_sam2.train.data.batches import collate, make_batch
from napari_sam2.train.data.clips import make_clip
from napari_sam2.train.data.examples import Corpus, prepare
from napari_sam2.train.data.motion import CropStyle
from napari_sam2.train.passes.passes import run_batch
from napari_sam2.train.recipe.config import (
    PromptMix,
    Source,
    Stage,
    TrainConfig,
    read_config,
)
from napari_sam2.train.recipe.loss_weights import PRESETS, LossWeights
from napari_sam2.train.trainer.drawing import coming_batches, locate
from napari_sam2.train.trainer.recorder import CHECKPOINT, LOG
from napari_sam2.train.trainer.run import export_weights
from napari_sam2.train.trainer.trainer import start, train

RECIPES = sorted((Path(__file__).parents[3] / "docs" / "recipes").glob("*.toml"))

STILL = Stage(
    "image",
    3,
    size=64,
    crops=1,
    objects=4,
    warmup=2,
    prompts=PromptMix(1, 1, 1, 0, 0.3),
)
CLIPS = Stage(
    "clip",
    3,
    frames=3,
    image_every=2,
    size=64,
    crops=1,
    objects=3,
    image_crops=1,
    image_objects=3,
    schedule="cosine",
    prompts=PromptMix(1, 0, 1, 1, 0),
)
CONFIG = TrainConfig(
    "toy",
    (STILL, CLIPS),
    (Source("none", "folder", 1.0),),
    checkpoint_every=2,
    validate_every=100,
)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    y, x = np.mgrid[:96, :96]
    labels = np.zeros((96, 96), np.int32)
    for index in range(9):
        cy, cx = 16 + 32 * (index // 3), 16 + 32 * (index % 3)
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= 100] = index + 1
    picture = np.where(labels > 0, 200, 40).astype(np.uint8)
    source = SimpleNamespace(
        name="discs", frames=picture[None, ..., None], labels=labels[None]
    )
    return Corpus(((prepare(source),),), (1.0,))


def test_one_batch_can_be_learned(corpus):
    state = start(CONFIG)
    random = np.random.default_rng(0)
    style = CropStyle(3, 64, (14.0, 24.0))
    mix = PromptMix(1, 1, 0, 1, 0)
    batch = collate([make_clip(corpus, style, 4, random)], mix, random)
    for group in state.optimizer.param_groups:
        group["lr"] = 3e-3
    losses = []
    for _ in range(25):
        scores = run_batch(state.model, batch, LossWeights())
        losses.append(scores.values["loss"])
        state.optimizer.zero_grad()
        scores.loss.backward()
        torch.nn.utils.clip_grad_norm_(state.model.parameters(), 1.0)
        state.optimizer.step()
    assert losses[-1] < 0.6 * losses[0]


def test_every_parameter_that_inference_uses_is_taught(corpus):
    state = start(CONFIG)
    for seed, stage, still in ((1, STILL, True), (2, CLIPS, False), (3, CLIPS, False)):
        many = replace(stage, objects=12, prompts=PromptMix(1, 1, 1, 1, 1, 1))
        batch = make_batch(corpus, many, np.random.default_rng(seed), still=still)
        run_batch(state.model, batch, LossWeights()).loss.backward()
    untaught = {
        name
        for name, parameter in state.model.named_parameters()
        if parameter.grad is None
    }
    # It is in every checkpoint and used by none.
    assert untaught == {"no_memory_position"}


def test_resume_has_the_bytes_of_an_unbroken_run(corpus, tmp_path):
    whole = train(CONFIG, corpus, tmp_path / "whole")
    stopped = SimpleNamespace(steps=0)

    def stop_after_five(progress):
        stopped.steps = progress.step
        if progress.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, corpus, tmp_path / "cut", on_progress=stop_after_five)
    resumed = train(CONFIG, corpus, tmp_path / "cut", resume=True)
    assert stopped.steps == 5
    for (name, expected), value in zip(
        whole.state_dict().items(), resumed.state_dict().values(), strict=True
    ):
        assert torch.equal(expected, value), name
    one, two = (
        torch.load(tmp_path / run / CHECKPOINT, weights_only=True)
        for run in ("whole", "cut")
    )
    for index, moments in one["optimizer"]["state"].items():
        again = two["optimizer"]["state"][index]
        assert torch.equal(moments["exp_avg_sq"], again["exp_avg_sq"])


def test_the_average_follows_the_model(corpus, tmp_path):
    average = train(CONFIG, corpus, tmp_path)
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    key = "image_encoder.neck.laterals.0.weight"
    fresh = start(CONFIG).model.state_dict()[key]
    moved = average.state_dict()[key]
    assert not torch.equal(moved, fresh)
    assert not torch.equal(moved, state["model"][key])


def test_low_rank_corrections_are_exported_as_an_ordinary_model(corpus, tmp_path):
    config = replace(CONFIG, stages=(replace(STILL, steps=1, warmup=0),), lora_rank=2)
    config = replace(config, save_memory=True, layer_decay=0.9, ema_decay=0.0)
    train(config, corpus, tmp_path)
    export_weights(config, tmp_path, tmp_path / "toy.safetensors")
    found = load_model(tmp_path / "toy.safetensors").state_dict()
    before = start(CONFIG).model.state_dict()
    assert found.keys() == before.keys()
    changed = {
        name
        for name in before
        if not torch.allclose(found[name], before[name], atol=1e-3)
    }
    assert changed
    assert all("proj" in name or "qkv" in name for name in changed)


def test_weights_of_another_model_are_no_base(tmp_path):
    save_model(start(CONFIG).model, tmp_path / "toy.safetensors")
    config = replace(CONFIG, base=str(tmp_path / "toy.safetensors"))
    same = start(config).model.state_dict()["memory_attention.norm.weight"]
    assert torch.equal(same, start(CONFIG).model.memory_attention.norm.weight)
    with pytest.raises(ModelError, match="toy"):
        start(replace(config, model="nano"))


def test_validation_and_log_are_written(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_sam2.train.validation.validation.BATCHES", 1)
    monkeypatch.setattr("napari_sam2.train.trainer.recorder.LOG_EVERY", 1)
    train(CONFIG, corpus, tmp_path, held_out={"discs": corpus})
    rows = list(csv.DictReader((tmp_path / LOG).read_text().splitlines()))
    assert {int(row["step"]) for row in rows} == set(range(1, 7))
    assert {row["group"] for row in rows} == {"image", "clip"}
    held = list(csv.DictReader((tmp_path / "validation.csv").read_text().splitlines()))
    names = {row["name"] for row in held}
    assert {"iou_click", "iou_3clicks_full", "iou_box", "iou_frame2"} <= names
    assert {"j_and_f", "still_presence_balanced"} <= names
    assert all(0 <= float(r["value"]) <= 1 for r in held if "iou" in r["name"])


def test_progress_reports_every_step(corpus, tmp_path):
    seen = []
    train(CONFIG, corpus, tmp_path, on_progress=seen.append)
    assert [entry.step for entry in seen] == [1, 2, 3, 4, 5, 6]
    assert seen[0].total == 6
    assert seen[-1].stage == "clip"
    assert all(entry.seconds_per_step > 0 for entry in seen)


def test_stages_follow_each_other():
    assert locate(CONFIG, 2) == (STILL, 2)
    assert locate(CONFIG, 3) == (CLIPS, 0)


def test_rates():
    stage = Stage("x", 110, warmup=10, learning_rate=1.0, schedule="linear")
    assert stage.rate(0) == pytest.approx(0.1)
    assert stage.rate(10) == pytest.approx(1.0)
    assert stage.rate(60) == pytest.approx(0.51)
    assert replace(stage, schedule="constant").rate(109) == 1.0


def test_batches_drawn_ahead_in_other_processes_are_the_same(corpus):
    drawn = coming_batches(CONFIG, corpus, 2)
    ahead = coming_batches(replace(CONFIG, loaders=2), corpus, 2)
    for batch, other in zip(drawn, ahead, strict=True):
        assert torch.equal(batch.frames, other.frames)
        assert torch.equal(batch.masks, other.masks)
        assert [g.kind for g in batch.groups] == [g.kind for g in other.groups]


def test_resume_without_a_checkpoint_is_refused(corpus, tmp_path):
    with pytest.raises(InputError, match="no checkpoint"):
        train(CONFIG, corpus, tmp_path, resume=True)


def test_another_models_checkpoint_is_refused(corpus, tmp_path):
    torch.save({"format": 2, "optimizer": {}, "config": "nano"}, tmp_path / CHECKPOINT)
    with pytest.raises(ModelError, match="nano"):
        train(CONFIG, corpus, tmp_path, resume=True)


RECIPE = """
model = "toy"
seed = 4
[[stages]]
name = "image"
steps = 10
diameter = [8, 20]
prompts = { click = 1.0, box = 0.0 }
[[sources]]
name = "cells"
kind = "folder"
path = "cells"
weight = 1.0
"""


def test_recipes_are_read(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    config = read_config(path)
    assert config.stages[0].prompts.click == 1.0
    assert config.stages[0].diameter == (8, 20)
    assert config.sources[0].name == "cells"
    assert config.total_steps == 10
    assert config.losses == PRESETS["paper"]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_in_the_repository_can_be_read(path):
    config = read_config(path)
    assert config.model in path.stem.replace("-", "_")
    wanted = PRESETS["nano" if config.model.startswith("nano") else "paper"]
    leaving = {"absent": 1.5, "neighbours": 3.0, "outline": 2.0}
    changed = {
        "nano-gpu": leaving,
        "nano-lite": {**leaving, "absent": 1.2},
        "nano-lite-gpu": leaving,
        "nano-next": {"absent": 2.5},
        "nano-phase": leaving,
        "nano-phase-2": leaving,
        "nano-tracks": {"neighbours": 3.0, "outline": 2.0},
        "nano-tracks-2": leaving,
    }
    assert config.losses == replace(wanted, **changed.get(path.stem, {}))


def test_losses_are_a_preset_that_can_be_changed(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE + '[losses]\npreset = "nano"\npresence = 2.0\n')
    losses = read_config(path).losses
    assert losses == replace(PRESETS["nano"], presence=2.0)
    path.write_text(RECIPE + '[losses]\npreset = "mine"\n')
    with pytest.raises(InputError, match="mine"):
        read_config(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("seed = 4", "sead = 4"), "sead"),
        (("steps = 10", ""), "steps"),
        (('model = "toy"', "model ="), "TOML"),
        (("[[sources]]", "[[stages]]"), "kind"),
    ],
)
def test_wrong_recipes_name_the_field(tmp_path, change, message):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.replace(*change))
    with pytest.raises(InputError, match=message):
        read_config(path)


def test_other_sizes_show_the_same(corpus):
    stage = replace(STILL, other_sizes=(96,), diameter=(10.0, 30.0))
    assert stage.at_size(96).diameter == (15.0, 45.0)
    batch = make_batch(corpus, stage.at_size(96), np.random.default_rng(0), still=True)
    assert batch.frames.shape[-2:] == (96, 96)
