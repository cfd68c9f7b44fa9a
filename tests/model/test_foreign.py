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


@pytest.mark.parametrize("name", SHAPES)
def test_masks_of_a_movie_are_those_of_the_public_code(name, record_number):
    known, shape = np.load(REFERENCES / f"{name}.npz"), SHAPES[name]
    predictor = StreamingPredictor(
        built(FAMILIES[name]),
        frame_shape=shape,
        frame_count=FRAMES,
        device="cpu",
        precision="fp32",
        fill_holes=0,
    )
    for index in range(FRAMES):
        prompts = [prompt_of(shape)] if index == 0 else []
        step = predictor.step(index, frame_of(index, shape), prompts)
        expected = known[f"logits{index}"]
        assert 0.02 < (expected > 0).mean() < 0.98
        found = thinned(step.logits[0])
        off = float(np.abs(found - expected).max() / np.abs(expected).max())
        record_number(f"{name}, frame {index}, relative", off)
        assert off < 1e-4
