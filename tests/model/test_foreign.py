"""Networks of others answer as in their own public code, number by number.

`tools/foreign_references.py` made what they answered.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.model.foreign import FRAMES, THINNING, frame_of, made_weight, prompt_of

from napari_sam2.model.checkpoints.families import FAMILIES
from napari_sam2.model.checkpoints.official_keys import rename_key
from napari_sam2.model.config import CONFIGS
from napari_sam2.model.sam2 import Sam2
from napari_sam2.tracking.predictor import StreamingPredictor

REFERENCES = Path(__file__).parents[1] / "data" / "foreign"


def built(family):
    """Return our network of a family with weights by formula."""
    config = replace(CONFIGS[family.layout], image_size=family.image_size)
    with torch.device("meta"):
        model = Sam2(config)
    state = {}
    for key, like in model.state_dict().items():
        made = made_weight(rename_key(key, to_official=True), tuple(like.shape))
        state[key] = torch.from_numpy(made)
    model.load_state_dict(state, strict=True, assign=True)
    return model.eval()


@pytest.mark.parametrize("name", FAMILIES)
def test_masks_of_a_movie_are_those_of_the_public_code(name, record_number):
    family = FAMILIES[name]
    known = np.load(REFERENCES / f"{name}.npz")
    side = family.image_size
    predictor = StreamingPredictor(
        built(family),
        frame_shape=(side, side),
        frame_count=FRAMES,
        device="cpu",
        precision="fp32",
        fill_holes=0,
    )
    for index in range(FRAMES):
        prompts = [prompt_of(side)] if index == 0 else []
        step = predictor.step(index, frame_of(index, side), prompts)
        expected = known[f"logits{index}"]
        assert 0.02 < (expected > 0).mean() < 0.98
        found = step.logits[0][::THINNING, ::THINNING]
        off = float(np.abs(found - expected).max() / np.abs(expected).max())
        record_number(f"{name}, frame {index}, relative", off)
        assert off < 1e-4
