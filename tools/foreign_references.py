"""Make the outputs of others' public code that `tests/model/test_foreign.py` knows.

    git clone https://github.com/bowang-lab/MedSAM2 /tmp/MedSAM2
    python tools/foreign_references.py /tmp/MedSAM2 tests/data/foreign/medsam2.npz

That code is no part of this repository, and the tests need none of it. Weights, frames
and the mask that prompts the first frame are made by formulas
(`tests/model/foreign.py`), so that they are the same on every machine.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.model.foreign import FRAMES, THINNING, frame_of, made_weight, prompt_of

CONFIG, SIDE = "configs/sam2.1_hiera_t512.yaml", 512


def built() -> Any:
    """Build the public video predictor with weights by formula."""
    from sam2.build_sam import build_sam2_video_predictor

    predictor = build_sam2_video_predictor(CONFIG, device="cpu")
    with torch.inference_mode():
        for key, weight in predictor.state_dict().items():
            weight.copy_(torch.from_numpy(made_weight(key, tuple(weight.shape))))
    predictor.fill_hole_area = 0  # on a CPU it cannot
    return predictor


def outputs() -> dict[str, np.ndarray]:
    """Return every `THINNING`-th logit of each frame, and how much of it is mask."""
    from tests.model.official_stream import OfficialStream

    frames = [frame_of(index, SIDE) for index in range(FRAMES)]
    found = {}
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        stream = OfficialStream(built(), frames, Path(folder))
        stream.prompt(prompt_of(SIDE))
        for index, masks in stream.run(0):
            logits = masks.logits[0]
            found[f"logits{index}"] = logits[::THINNING, ::THINNING]
            print(f"frame {index}: {(logits > 0).mean():.2f} of it is mask")
    return found


if __name__ == "__main__":
    repository, out = map(Path, sys.argv[1:])
    sys.path.insert(0, str(repository))
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out, **outputs())
