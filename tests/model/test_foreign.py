"""Networks of others answer as in their own public code, number by number.

`tools/foreign_references.py` made what they answered.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.model.foreign import (
    FRAMES,
    SHAPES,
    frame_of,
    made_weight,
    prompt_of,
    thinned,
)
from tests.rounding import with_other_last_bits

from napari_sam2.model.checkpoints.families import FAMILIES
from napari_sam2.model.checkpoints.official_keys import rename_key
from napari_sam2.model.config import CONFIGS
from napari_sam2.model.sam2 import Sam2
from napari_sam2.tracking.predictor import StreamingPredictor

REFERENCES = Path(__file__).parents[1] / "data" / "foreign"


def built(family):
    """Return our network of a family with weights by formula."""
    config = replace(
        CONFIGS[family.layout],
        image_size=max(SHAPES[family.name]),
        frame_fit=family.frame_fit,
    )
    with torch.device("meta"):
        model = Sam2(config)
    state = {}
    for key, like in model.state_dict().items():
        made = made_weight(rename_key(key, to_official=True), tuple(like.shape))
        state[key] = torch.from_numpy(made)
    model.load_state_dict(state, strict=True, assign=True)
    return model.eval()


def test_what_is_offered_was_shown_to_be_equal():
    shown = [(FAMILIES[name].layout, FAMILIES[name].frame_fit) for name in SHAPES]
    for family in FAMILIES.values():
        assert (family.layout, family.frame_fit) in shown


def masks_of_a_movie(model, shape):
    """Return the logits of each frame, thinned as the references are."""
    predictor = StreamingPredictor(
        model,
        frame_shape=shape,
        frame_count=FRAMES,
        device="cpu",
        precision="fp32",
        fill_holes=0,
    )
    prompts = [[prompt_of(shape)], *[[]] * (FRAMES - 1)]
    return [
        thinned(predictor.step(index, frame_of(index, shape), asked).logits[0])
        for index, asked in enumerate(prompts)
    ]


def distances(found, expected):
    """Return the largest difference of each frame, in parts of its largest logit."""
    return [
        float(np.abs(one - other).max() / np.abs(other).max())
        for one, other in zip(found, expected, strict=True)
    ]


@pytest.mark.parametrize("name", SHAPES)
def test_masks_of_a_movie_are_those_of_the_public_code(name, record_number):
    known, shape = np.load(REFERENCES / f"{name}.npz"), SHAPES[name]
    expected = [known[f"logits{index}"] for index in range(FRAMES)]
    assert all(0.02 < (one > 0).mean() < 0.98 for one in expected)
    found = masks_of_a_movie(built(FAMILIES[name]), shape)
    off, allowed = distances(found, expected), [1e-4] * FRAMES
    for index, one in enumerate(off):
        record_number(f"{name}, frame {index}, relative", one)
    if max(off) >= 1e-4:
        # Another processor rounds otherwise than that of the references: no frame may
        # be farther off than the last bit of the weights moves it.
        moved = with_other_last_bits(built(FAMILIES[name]))
        moves = distances(masks_of_a_movie(moved, shape), found)
        allowed = [max(pair) for pair in zip(allowed, moves, strict=True)]
    assert all(one < most for one, most in zip(off, allowed, strict=True)), (
        off,
        allowed,
    )
