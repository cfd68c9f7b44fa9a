"""nano's trunk beside timm's: the same names, the same bits; and without timm."""

import builtins
import subprocess
import sys

import pytest
import timm
import torch

from napari_sam2.errors import ModelError
from napari_sam2.model.config import CONFIGS
from napari_sam2.model.encoders.edgenext import EdgeNext
from napari_sam2.model.encoders.trunk import build_trunk

NANO = CONFIGS["nano"].trunk

LOADS = """
import sys
import numpy as np
from napari_sam2.model.checkpoints.checkpoint import load_model
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.tracking.predictor import StreamingPredictor
predictor = StreamingPredictor(load_model("nano"), frame_shape=(64, 64), device="cpu")
click = FramePrompt(1, 0, points=(PointPrompt(30, 30),))
for frame_index, prompts in enumerate(([click], [])):
    predictor.step(frame_index, np.zeros((64, 64, 3), np.uint8), prompts)
heavy = {"timm", "torchvision", "torch._dynamo", "triton", "sympy"}
print(sorted(heavy & {*sys.modules}))
"""


@pytest.mark.parametrize("side", [128, 192])
def test_maps_are_bit_for_bit_those_of_timm(side: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        ours = EdgeNext(NANO).eval()
        with torch.no_grad():
            for weight in ours.parameters():  # branches that begin with nearly nothing
                weight.add_(torch.randn_like(weight), alpha=0.1)
        images = torch.randn(2, 3, side, side)
    theirs = timm.create_model("edgenext_xx_small", features_only=True).eval()
    assert list(theirs.state_dict()) == list(ours.state_dict())
    theirs.load_state_dict(ours.state_dict())
    with torch.inference_mode():
        pairs = list(zip(ours(images), theirs(images), strict=True))
    assert [one.shape[1] for one, _ in pairs] == list(NANO.channels)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_what_training_needs_of_it_is_there() -> None:
    model = EdgeNext(NANO).train()
    sum(part.square().mean() for part in model(torch.randn(1, 3, 64, 64))).backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_it_is_trained_after_it_was_looked_through() -> None:
    """Fine-tuning scores the base first, at the size that it is then trained at."""
    model, images = EdgeNext(NANO).train(), torch.randn(1, 3, 96, 96)
    with torch.inference_mode():
        model(images)
    sum(part.square().mean() for part in model(images)).backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_nano_tracks_without_what_takes_as_long_to_import_as_torch() -> None:
    command = [sys.executable, "-c", LOADS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_timm_or_torchvision_that_cannot_be_imported_comes_with_its_remedy(
    monkeypatch,
):
    # A torchvision of another build than torch breaks when timm imports it.
    original = builtins.__import__

    def broken(name, *rest):
        if name == "timm":
            raise RuntimeError("operator torchvision::nms does not exist")
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(ModelError, match=r"nms.*pip install .*torch torchvision"):
        build_trunk(CONFIGS["sam2.1_tiny"].trunk)
