"""Weights from elsewhere become own models that know their input."""

from __future__ import annotations

import pytest
import torch
from typer.testing import CliRunner

from napari_sam2.cli import app
from napari_sam2.errors import InputError, ModelError
from napari_sam2.model.checkpoints.adding import AddedWeights, add_model
from napari_sam2.model.checkpoints.checkpoint import build_model, load_model, save_model
from napari_sam2.model.checkpoints.families import FAMILIES
from napari_sam2.model.checkpoints.own_models import own_models
from napari_sam2.model.checkpoints.weights_file import trained_image_size
from napari_sam2.model.config import CONFIGS


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tuned.safetensors"
    save_model(build_model("toy", seed=2), path)
    return path


def test_an_added_model_goes_by_its_name_and_keeps_its_input(file, capsys):
    path = add_model(AddedWeights(file, "tuned", image_size=96, licence="CC0-1.0"))
    assert path.parent != file.parent
    assert trained_image_size("tuned") == 96
    model, before = load_model("tuned"), load_model(file)
    assert model.config.image_size == 96
    assert before.config.image_size == CONFIGS["toy"].image_size
    for key, value in before.state_dict().items():
        assert torch.equal(model.state_dict()[key], value)
    (own,) = own_models()
    assert (own.base, own.licence) == ("toy", "CC0-1.0")
    assert "tuned.safetensors: input of 96 pixels" in own.summary
    listed = CliRunner().invoke(app, ["models", "list"])
    assert "CC0-1.0" in listed.output


def test_of_a_layout_without_a_family_the_input_is_the_layouts(file):
    add_model(AddedWeights(file, "tuned"))
    assert trained_image_size("tuned") == CONFIGS["toy"].image_size


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"like": "medsam2"}, ModelError, "is a toy, and medsam2 a sam2.1_tiny"),
        ({"like": "medsam3"}, ModelError, "known are medsam2"),
        ({"image_size": 100}, InputError, "multiple of 32"),
        ({"name": "nano"}, InputError, "published model"),
        ({"file": "missing.pt"}, ModelError, "missing.pt"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    file, tmp_path, changes, error, words
):
    known = {"file": file, "name": "tuned"} | changes
    with pytest.raises(error, match=words):
        add_model(AddedWeights(**known))
    assert own_models() == []


def test_a_name_that_is_taken_is_refused(file):
    add_model(AddedWeights(file, "tuned"))
    with pytest.raises(InputError, match="there is a model called tuned"):
        add_model(AddedWeights(file, "tuned"))


def test_families_have_layouts_of_the_table():
    for family in FAMILIES.values():
        assert family.layout in CONFIGS
        assert family.image_size % 32 == 0
