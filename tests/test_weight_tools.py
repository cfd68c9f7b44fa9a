"""Weights that are grafted, and weights that are averaged."""

import importlib.util
from pathlib import Path

import pytest
import timm
import torch

from napari_sam2.model.checkpoints.checkpoint import (
    build_model,
    load_model,
    save_model,
)
from napari_sam2.model.checkpoints.notes import TRUST_NOTE, read_notes
from napari_sam2.model.config import CONFIGS
from napari_sam2.model.encoders.trunk import build_trunk
from napari_sam2.train.data.appearance import IMAGE_MEAN, IMAGE_STD

TOOLS = Path(__file__).parent.parent / "tools"


def imported(name):
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tool():
    return imported("graft_trunk")


@torch.inference_mode()
def test_statistics_become_scales_and_other_colours_change_nothing(tool):
    torch.manual_seed(0)
    original = timm.create_model(
        "tf_efficientnet_lite0", features_only=True, out_indices=(1, 2, 3, 4)
    ).eval()
    for module in original.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
            module.weight.data.uniform_(0.5, 1.5)
    weights = {f"other.{k}": v for k, v in original.state_dict().items()}
    trunk = build_trunk(CONFIGS["nano_lite"].trunk).eval()
    tool.load_in_order(trunk, {**weights, "fc.weight": torch.zeros(2, 2)})

    picture = torch.rand(1, 3, 96, 96)
    for one, other in zip(original(picture), trunk(picture), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-3)

    tool.take_other_colours(trunk)
    mean, std = (torch.tensor(x)[:, None, None] for x in (IMAGE_MEAN, IMAGE_STD))
    seen = original.bn1(original.conv_stem((picture - 0.5) / 0.5))
    found = trunk.stem((picture - mean) / std)
    inside = (..., slice(2, -2), slice(2, -2))  # the border sees what is padded
    torch.testing.assert_close(found[inside], seen[inside], rtol=1e-3, atol=1e-3)


@torch.inference_mode()
def test_laterals_that_are_solved_for_give_the_maps_of_nano(tool):
    nano, model = build_model("nano", seed=0), build_model("nano", seed=0)
    for lateral in model.image_encoder.neck.laterals:
        torch.nn.init.normal_(lateral.weight)
    torch.manual_seed(1)
    pictures = torch.randn(24, 3, 64, 64)
    tool.solve_laterals(model, nano, pictures)
    wanted, found = (tool.maps_of_neck(each, pictures) for each in (nano, model))
    for one, other in zip(wanted, found, strict=True):
        left = (one - other).square().sum() / (one - one.mean()).square().sum()
        assert left < 0.01


def test_weights_are_averaged_and_trust_is_not_taken_along(tmp_path):
    new, old, out = (tmp_path / f"{name}.safetensors" for name in ("new", "old", "out"))
    for seed, path in enumerate((new, old)):
        notes = {TRUST_NOTE: "{}", "licence": f"licence {seed}"}
        save_model(build_model("nano", seed=seed), path, notes=notes)
    imported("average_weights").average(new, old, out, 0.25)
    a, b, mean = (load_model(path).state_dict() for path in (new, old, out))
    for name, value in mean.items():
        torch.testing.assert_close(
            value, 0.25 * a[name] + 0.75 * b[name], rtol=1e-3, atol=1e-6
        )
    assert read_notes(out)["licence"] == "licence 0"
    assert TRUST_NOTE not in read_notes(out)
