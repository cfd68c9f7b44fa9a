"""A grafted trunk sees what the trunk that it came from saw."""

import importlib.util
from pathlib import Path

import pytest
import timm
import torch

from napari_sam2.model.config import CONFIGS
from napari_sam2.model.encoders.trunk import build_trunk
from napari_sam2.train.data.appearance import IMAGE_MEAN, IMAGE_STD

TOOL = Path(__file__).parent.parent / "tools" / "graft_trunk.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("graft_trunk", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@torch.inference_mode()
def test_folded_statistics_and_other_colours_change_nothing(tool):
    config = CONFIGS["nano_lite"].trunk
    torch.manual_seed(0)
    original = timm.create_model(
        config.timm_name, features_only=True, out_indices=config.out_indices
    ).eval()
    for module in original.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
            module.weight.data.uniform_(0.5, 1.5)
    weights = {f"other.{k}": v for k, v in original.state_dict().items()}
    trunk = build_trunk(config).eval()
    tool.load_in_order(trunk, {**weights, "fc.weight": torch.zeros(2, 2)})

    picture = torch.rand(1, 3, 64, 64)
    for one, other in zip(original(picture), trunk(picture), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-3)

    tool.take_other_colours(trunk)
    mean, std = (torch.tensor(x)[:, None, None] for x in (IMAGE_MEAN, IMAGE_STD))
    seen = original.bn1(original.conv_stem((picture - 0.5) / 0.5))
    found = trunk.bn1(trunk.conv_stem((picture - mean) / std))
    inside = (..., slice(2, -2), slice(2, -2))  # the border sees what is padded
    torch.testing.assert_close(found[inside], seen[inside], rtol=1e-3, atol=1e-3)
