"""From the local start attention looks at equal positions."""

from __future__ import annotations

import torch

from napari_sam2.model.config import CONFIGS
from napari_sam2.model.position import rotary_angles, rotate
from napari_sam2.model.sam2 import Sam2
from napari_sam2.train.trainer.initialise import initialise_local


def fresh() -> Sam2:
    torch.manual_seed(0)
    model = Sam2(CONFIGS["nano"])
    initialise_local(model)
    return model


def test_a_click_looks_at_its_own_place():
    model = fresh()
    attention = model.mask_decoder.transformer.layers[0].cross_attn_token_to_image
    grid = model.prompt_encoder.dense_position(16)[0].flatten(1).T  # (256, C)
    query, keys = attention.q_proj(grid[[100]]), attention.k_proj(grid)
    weights = (query @ keys.T / 8**0.5).softmax(dim=1)[0]
    assert int(weights.argmax()) == 100
    assert weights[100] > 5 / 256


def test_memory_is_read_locally():
    model = fresh()
    attention = model.memory_attention.layers[0].cross_attn_image
    queries = attention.q_proj.bias.expand(256, -1)
    keys = attention.k_proj.bias.expand(256, -1)
    angles = rotary_angles(128, 16, 16, torch.device("cpu"))
    score = rotate(queries, *angles) @ rotate(keys, *angles).T / 128**0.5
    weights = score.softmax(dim=1)
    assert torch.equal(weights.argmax(dim=1), torch.arange(256))
    near = torch.tensor([119, 120, 121, 103, 104, 105, 135, 136, 137])
    assert weights[120, near].sum() > 0.4
