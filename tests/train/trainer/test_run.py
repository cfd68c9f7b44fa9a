"""A whole run from files: folder, recipe, split, weights that load."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from napari_sam2.errors import InputError, OutputError
from napari_sam2.model.checkpoints.checkpoint import load_model
from napari_sam2.train.data.clips import make_clip
from napari_sam2.train.data.examples import UNKNOWN
from napari_sam2.train.data.motion import CropStyle
from napari_sam2.train.data.simulated import (
    RESTLESS_SPEED,
    render,
    simulated_examples,
    varied,
)
from napari_sam2.train.recipe.config import read_config
from napari_sam2.train.trainer.run import open_sources, run_training

RECIPE = """
model = "toy"
[[stages]]
name = "image"
steps = 2
size = 64
crops = 1
objects = 3
[[sources]]
name = "cells"
kind = "folder"
path = "cells"
holdout = "held-out.txt"
weight = 1.0
"""


@pytest.fixture
def recipe(tmp_path):
    labels = np.zeros((80, 80), np.uint16)
    for index in range(4):
        y, x = 10 + 40 * (index // 2), 10 + 40 * (index % 2)
        labels[y : y + 20, x : x + 20] = index + 1
    for folder in ("images", "masks"):
        (tmp_path / "cells" / folder).mkdir(parents=True)
    for name in "abc":
        grey = np.where(labels > 0, 180, 30).astype(np.uint8)
        Image.fromarray(grey).save(tmp_path / "cells" / "images" / f"{name}.png")
        Image.fromarray(labels).save(tmp_path / "cells" / "masks" / f"{name}.png")
    (tmp_path / "held-out.txt").write_text("b.png\n")
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def test_a_run_leaves_weights_that_load(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_sam2.train.validation.validation.BATCHES", 1)
    average = run_training(recipe, folder=tmp_path / "run")
    weights = tmp_path / "run" / "toy.safetensors"
    loaded = load_model(weights)
    for name, value in average.state_dict().items():
        torch.testing.assert_close(
            loaded.state_dict()[name], value, atol=1e-3, rtol=1e-3
        )
    with safe_open(weights, framework="pt") as file:
        assert file.metadata()["trained_steps"] == "2"
        assert file.metadata()["trained_on"] == "cells"


def test_held_out_images_are_not_trained_on(recipe):
    data, held_out = open_sources(read_config(recipe), recipe.parent)
    assert [example.name for example in data.collections[0]] == ["a.png", "c.png"]
    assert [example.name for example in held_out["cells"].collections[0]] == ["b.png"]


def test_unknown_held_out_names_are_refused(recipe):
    (recipe.parent / "held-out.txt").write_text("b.png\nx.png\n")
    with pytest.raises(InputError, match=r"x\.png"):
        open_sources(read_config(recipe), recipe.parent)


def test_a_missing_split_is_named(recipe):
    (recipe.parent / "held-out.txt").unlink()
    with pytest.raises(InputError, match=r"held-out\.txt"):
        open_sources(read_config(recipe), recipe.parent)


def test_simulated_movies_keep_ids_over_time():
    (example,) = simulated_examples(1, 1002)
    assert example.levels[0].shape == (16, 224, 224, 1)
    both = np.intersect1d(example.labels[0], example.labels[1])
    assert len(both) > 3
    (again,) = simulated_examples(1, 1002)
    np.testing.assert_array_equal(example.labels, again.labels)


def test_cells_of_restless_simulated_movies_leave():
    configs = [varied(seed) for seed in range(2000, 2040)]
    restless = [config for config in configs if config.speed]
    assert 10 <= len(restless) <= 30
    fast = max(restless, key=lambda config: config.speed or 0.0)
    assert RESTLESS_SPEED[0] < fast.speed <= RESTLESS_SPEED[1]
    labels = render(fast).labels
    assert len(np.setdiff1d(labels[0], labels[-1])) > 0


def test_background_of_partly_labelled_pictures_is_unknown(recipe):
    folder = recipe.parent / "davis"
    for part, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
        (folder / part / "cell").mkdir(parents=True)
        for frame in range(2):
            labels = np.zeros((80, 80), np.uint8)
            labels[30:50, 30 + frame : 50 + frame] = 1
            values = labels if suffix == "png" else labels * 200
            name = f"{frame:05}.{suffix}"
            Image.fromarray(values).save(folder / part / "cell" / name)
    text = recipe.read_text().replace('"folder"', '"davis"')
    text = text.replace('path = "cells"', 'path = "davis"')
    recipe.write_text(text.replace('holdout = "held-out.txt"\n', ""))
    data, held_out = open_sources(read_config(recipe), recipe.parent)
    assert not held_out
    style = CropStyle(2, 64, (16.0, 20.0), 0.0)
    clip = make_clip(data, style, 2, np.random.default_rng(0))
    assert set(np.unique(clip.labels)) == {UNKNOWN, 1}


def test_an_unknown_kind_of_source_is_refused(recipe):
    recipe.write_text(recipe.read_text().replace('"folder"', '"flickr"'))
    with pytest.raises(InputError, match="flickr"):
        read_config(recipe)


def test_held_out_pictures_without_objects_are_refused(recipe):
    empty = Image.fromarray(np.zeros((80, 80), np.uint16))
    empty.save(recipe.parent / "cells" / "masks" / "b.png")
    with pytest.raises(InputError, match=r"b\.png.*held-out\.txt"):
        open_sources(read_config(recipe), recipe.parent)


@pytest.mark.parametrize("name", ["toy.safetensors", "log.csv", "validation.csv"])
def test_files_of_the_user_are_not_replaced(recipe, tmp_path, name):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_text("mine")
    with pytest.raises(OutputError, match="would replace it"):
        run_training(recipe, folder=tmp_path / "run")
    assert (tmp_path / "run" / name).read_text() == "mine"
