"""``train`` and ``fine-tune`` as typed: what they make, refuse, and leave on Ctrl-C."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
import torch
from tests.command_line import run_main

from napari_sam2.interfaces import FrameResult, ObjectScores
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.model.checkpoints.checkpoint import build_model, load_model, save_model
from napari_sam2.session.book.state import BookState
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.train.data.examples import prepare
from napari_sam2.train.fine_tuning import run as fine_tuning_run
from napari_sam2.train.trainer import run

FRAMES, SIDE = 8, 48


def discs():
    """Return labels of two discs that drift, ``(T, Y, X)``."""
    y, x = np.mgrid[:SIDE, :SIDE]
    labels = np.zeros((FRAMES, SIDE, SIDE), np.uint16)
    for frame in range(FRAMES):
        for one in (1, 2):
            centre = 24 * one - 12
            inside = (y - centre) ** 2 + (x - 12 - frame) ** 2 <= 49
            labels[frame][inside] = one
    return labels


def example():
    labels = discs().astype(np.int32)
    pixels = np.where(labels > 0, 200, 40).astype(np.uint8)[..., None]
    return prepare(SimpleNamespace(name="discs", frames=pixels, labels=labels))


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """A movie, a toy network, and the masklets that it made of the movie."""
    folder = tmp_path_factory.mktemp("tracked")
    model = build_model("toy", seed=3)
    with torch.no_grad():
        model.mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(2.0)
    save_model(model, folder / "base.safetensors")
    pixels = np.where(discs() > 0, 200, 40).astype(np.uint8)
    tifffile.imwrite(folder / "movie.tif", pixels, photometric="minisblack")
    tifffile.imwrite(folder / "first.tif", discs()[0], photometric="minisblack")
    with pytest.MonkeyPatch.context() as patch:
        command = ("track", folder / "movie.tif", "--prompts", folder / "first.tif")
        where = ("--out", folder / "cells.zarr", "--model", folder / "base.safetensors")
        assert run_main(patch, *command, *where) == 0
    return folder


@pytest.fixture
def locked(tracked, tmp_path, monkeypatch):
    """A copy of the masklets in which every frame is locked; tuning is quick."""
    monkeypatch.setenv("NAPARI_SAM2_CACHE", str(tmp_path / "cache"))
    shutil.copytree(tracked, tmp_path / "work")
    path = tmp_path / "work" / "cells.zarr"
    store = OmeZarrLabelStore.open(path, mode="a")
    ones = np.ones(2, np.float32)
    scores = ObjectScores(ones, ones, ones, ones)
    for frame, labels in enumerate(discs()):
        logits = np.zeros((2, *store.logits_shape), np.float32)
        store.write(FrameResult(frame, labels, (1, 2), logits, scores))
    store.finish()
    everywhere = FrameSet.between(0, FRAMES - 1)
    document = store.read_session()
    objects = tuple(replace(o, locked=everywhere) for o in document.book.objects)
    store.save_session(document.model_copy(update={"book": BookState(objects)}))
    rehearsed = [example()]
    monkeypatch.setattr(fine_tuning_run, "simulated_examples", lambda *_: rehearsed)
    return path


def scored_like(monkeypatch, *values):
    """Let held-out scores be the given ones, the last for ever."""
    left = list(values)

    def score(_model, movies, _device="cpu"):
        if movies[0].name == "discs":  # what is rehearsed
            return 0.5
        return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(fine_tuning_run, "held_out_score", score)


def fine_tune(monkeypatch, store, *more, base=None):
    base = base or store.with_name("base.safetensors")
    given = ("--base", base, "--steps", 2, "--device", "cpu")
    return run_main(monkeypatch, "fine-tune", store, *given, *more)


def test_a_fine_tuned_model_can_be_tracked_with(locked, tmp_path, monkeypatch, capsys):
    scored_like(monkeypatch, 0.4, 0.6)
    assert fine_tune(monkeypatch, locked, "--name", "my-discs") == 0
    told = capsys.readouterr()
    made = tmp_path / "cache" / "own" / "my-discs.safetensors"
    assert told.out.strip() == str(made)
    assert "0.400 → 0.600" in told.err
    assert "masklets 1, 2; 12 masks on 6 frames" in made.with_suffix(".md").read_text()
    prompts = ("--prompts", locked.with_name("first.tif"))
    out = tmp_path / "again.zarr"
    command = ("track", locked.with_name("movie.tif"), *prompts, "--out", out)
    assert run_main(monkeypatch, *command, "--model", "my-discs") == 0
    assert OmeZarrLabelStore.open(out, mode="r").whole_frames.all()
    # A taken name is refused, and the file stays.
    before = made.read_bytes()
    assert fine_tune(monkeypatch, locked, "--name", "my-discs") == 2
    assert "already" in capsys.readouterr().err
    assert made.read_bytes() == before


def test_what_is_no_better_leaves_no_file(locked, tmp_path, monkeypatch, capsys):
    scored_like(monkeypatch, 0.4, 0.4)
    assert fine_tune(monkeypatch, locked, "--name", "worse") == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "no file was added" in " ".join(told.err.split())
    assert not (tmp_path / "cache" / "own").exists()


@pytest.mark.parametrize(
    ("more", "code", "reason"),
    [
        (("--name", "nano"), 2, "published"),
        (("--name", "a b"), 2, "letters"),
        (("--name", "new", "--base", "sam9"), 4, "sam9"),
        (("--name", "new", "--objects", "1"), 2, "1 masklet"),
        (("--name", "new", "--objects", "1,9"), 2, "no object 9"),
        (("--name", "new", "--steps", 0, "--minutes", 0), 2, "no time"),
    ],
)
def test_refusals_name_the_reason(more, code, reason, locked, monkeypatch, capsys):
    assert fine_tune(monkeypatch, locked, *more) == code
    assert reason in capsys.readouterr().err


def test_masklets_that_nobody_vouched_for_are_refused(tracked, monkeypatch, capsys):
    store = tracked / "cells.zarr"
    assert fine_tune(monkeypatch, store, "--name", "new") == 2
    assert "lock or review" in capsys.readouterr().err


# --- train

RECIPE = """
model = "toy"
checkpoint_every = 100
[[stages]]
name = "image"
steps = 4
size = 64
crops = 1
objects = 2
[[sources]]
name = "discs"
kind = "simulator"
weight = 1.0
count = 1
"""


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "simulated_examples", lambda *_: [example()])
    monkeypatch.setattr("napari_sam2.train.validation.validation.BATCHES", 1)
    monkeypatch.setattr("napari_sam2.train.trainer.recorder.LOG_EVERY", 1)
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def press_ctrl_c_at(monkeypatch, step):
    """Let Ctrl-C come as a step is reported."""
    import signal

    import napari_sam2.train.trainer.trainer as trainer

    report = trainer._progress

    def reported(config, done, *rest):
        if done == step:
            signal.raise_signal(signal.SIGINT)
        return report(config, done, *rest)

    monkeypatch.setattr(trainer, "_progress", reported)


def test_ctrl_c_loses_no_step(recipe, tmp_path, monkeypatch, capsys):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        press_ctrl_c_at(patch, 2)
        assert run_main(patch, "train", recipe, "--out", out) == 130
    assert "after step 2; go on with --resume" in capsys.readouterr().err
    assert not (out / "toy.safetensors").exists()
    assert run_main(monkeypatch, "train", recipe, "--out", out, "--resume") == 0
    load_model(out / "toy.safetensors")
    with (out / "log.csv").open(newline="") as file:
        losses = [row["step"] for row in csv.DictReader(file) if row["name"] == "loss"]
    assert losses == ["1", "2", "3", "4"]


def test_a_run_is_not_overwritten(recipe, tmp_path, monkeypatch, capsys):
    out = tmp_path / "run"
    out.mkdir()
    (out / "last.pt").write_bytes(b"precious")
    assert run_main(monkeypatch, "train", recipe, "--out", out) == 3
    assert "--resume" in capsys.readouterr().err
    assert (out / "last.pt").read_bytes() == b"precious"
    assert run_main(monkeypatch, "train", recipe, "--out", out, "--resume") == 4
    assert "cut short" in capsys.readouterr().err
