"""What learns and how fast; memory that is saved; corrections of a low rank."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from napari_sam2.model.config import CONFIGS
from napari_sam2.model.sam2 import Sam2
from napari_sam2.train.trainer.low_rank import add_low_rank, merged
from napari_sam2.train.trainer.optimisation import (
    denormals_flushed,
    freeze,
    parameter_groups,
    save_memory,
    set_rate,
)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Sam2(CONFIGS["toy"])


def scale_of(model: Sam2, groups: list[dict], name: str) -> float:
    wanted = dict(model.named_parameters())[name]
    (scale,) = (
        group["scale"] for group in groups if any(p is wanted for p in group["params"])
    )
    return scale


def test_every_parameter_is_in_one_group(model):
    groups = parameter_groups(model, 0.1, trunk_rate=0.5, layer_decay=0.9)
    ids = [id(p) for group in groups for p in group["params"]]
    assert sorted(ids) == sorted(id(p) for p in model.parameters())
    for group in groups:
        light = [p.ndim < 2 for p in group["params"]]
        if group["weight_decay"]:
            assert not any(light)


def test_tokens_do_not_decay_and_lone_parameters_do(model):
    heavy, light = (group["params"] for group in parameter_groups(model, 0.1))
    parameters = dict(model.named_parameters())
    for name in ("no_memory", "absent_pointer", "absent_memory"):
        assert any(parameters[name] is one for one in heavy), name
    for name in ("mask_decoder.iou_token.weight", "memory_attention.norm.weight"):
        assert any(parameters[name] is one for one in light), name


def test_lower_blocks_learn_more_slowly(model):
    groups = parameter_groups(model, 0.1, trunk_rate=0.5, layer_decay=0.9)
    trunk = "image_encoder.trunk.model."
    depth = 6
    names = {
        f"{trunk}blocks.5.mlp.fc1.weight": 0.5 * 0.9,
        f"{trunk}blocks.0.mlp.fc1.weight": 0.5 * 0.9**depth,
        f"{trunk}patch_embed.proj.weight": 0.5 * 0.9 ** (depth + 1),
        f"{trunk}pos_embed": 0.5,
        "image_encoder.neck.laterals.0.weight": 0.5,
        "memory_attention.norm.weight": 1.0,
    }
    for name, expected in names.items():
        assert scale_of(model, groups, name) == pytest.approx(expected), name
    optimizer = torch.optim.AdamW(groups)
    set_rate(optimizer, 2.0)
    rates = {group["lr"] for group in optimizer.param_groups}
    assert max(rates) == 2.0
    assert min(rates) == pytest.approx(2.0 * 0.5 * 0.9**7)


def test_equal_rates_are_the_two_groups_of_older_checkpoints(model):
    groups = parameter_groups(model, 0.1)
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]


@pytest.mark.parametrize(
    ("what", "learns"),
    [
        ("nothing", {"image_encoder.trunk", "image_encoder.neck", "memory_attention"}),
        ("trunk", {"image_encoder.neck", "memory_attention", "mask_decoder"}),
        ("all_but_decoder", {"mask_decoder", "prompt_encoder"}),
    ],
)
def test_frozen_parts_do_not_learn(model, what, learns):
    freeze(model, what)
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    for part in (
        "image_encoder.trunk",
        "image_encoder.neck",
        "memory_attention",
        "mask_decoder",
    ):
        learning = any(name.startswith(f"{part}.") for name in names)
        assert learning == (part in learns or what == "nothing"), part


def gradients(model: Sam2, images: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    embedding = model.embed(images)
    (embedding.features.sum() + embedding.high_res[0].sum()).backward()
    return {
        n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None
    }


def test_saved_memory_changes_no_gradient(model):
    images = torch.rand(2, 3, 64, 64)
    expected = gradients(model, images)
    saving = copy.deepcopy(model)
    save_memory(saving)
    found = gradients(saving, images)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient)


def test_low_rank_starts_as_the_model_and_learns_in_attention_alone(model):
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = model.embed(images).features
    count = add_low_rank(model, 2)
    assert count > 20
    torch.testing.assert_close(model.embed(images).features, before)
    learning = [n for n, p in model.named_parameters() if p.requires_grad]
    assert learning
    assert all("parametrizations.weight.0." in name for name in learning)
    assert any("blocks.0.attn.qkv" in name for name in learning)
    assert any("cross_attn_image.k_proj" in name for name in learning)


def test_merged_weights_are_an_ordinary_model_that_does_the_same(model):
    plain = set(model.state_dict())
    add_low_rank(model, 2)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".b"):
                parameter.normal_(0, 0.1)
    images = torch.from_numpy(np.random.default_rng(0).random((1, 3, 64, 64), "f4"))
    ordinary = merged(model)
    assert set(ordinary.state_dict()) == plain
    assert not any("parametr" in name for name, _ in ordinary.named_modules())
    with torch.no_grad():
        torch.testing.assert_close(
            ordinary.embed(images).features, model.embed(images).features
        )
    assert isinstance(ordinary.memory_attention.layers[0].self_attn.q_proj, nn.Linear)


def test_training_leaves_denormal_numbers_as_they_were():
    tiny = 2.0**-1060

    @denormals_flushed()
    def train():
        assert tiny / 2 == 0
        raise KeyError

    with pytest.raises(KeyError):
        train()
    assert tiny / 2 > 0
