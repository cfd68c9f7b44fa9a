"""Make the outputs of others' public code that `tests/model/test_foreign.py` knows.

    git clone https://github.com/bowang-lab/MedSAM2 /tmp/MedSAM2
    python tools/foreign_references.py medsam2 /tmp/MedSAM2

    git clone -b dev https://github.com/computational-cell-analytics/micro-sam /tmp/m
    python tools/foreign_references.py hvit_t_cells /tmp/m  # with Meta's sam2

    git clone https://github.com/yformer/EfficientTAM /tmp/EfficientTAM
    python tools/foreign_references.py efficienttam_s_2 /tmp/EfficientTAM

    git clone https://github.com/facebookresearch/EdgeTAM /tmp/EdgeTAM
    python tools/foreign_references.py edgetam /tmp/EdgeTAM

That code is no part of this repository, and the tests need none of it. Weights, frames
and the mask that prompts the first frame are made by formulas
(`tests/model/foreign.py`), so that they are the same on every machine.
"""

from __future__ import annotations

import runpy
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.model.foreign import (
    FRAMES,
    SHAPES,
    frame_of,
    made_weight,
    prompt_of,
    thinned,
)

from napari_sam2.prompts import FramePrompt, MaskPrompt

REFERENCES = Path(__file__).parents[1] / "tests" / "data" / "foreign"

Fit = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Foreign:
    """How others' code is asked.

    Attributes
    ----------
    build
        Makes the video predictor for an input side.
    fit
        Brings ``(Y, X, …)`` uint8 frames of a clone into the square.
    """

    build: Callable[[int], Any]
    fit: Callable[[Path], Fit] = lambda clone: lambda frame: frame


def sam2_predictor(config: str) -> Callable[[int], Any]:
    """Build by what calls itself ``sam2``: Meta's package, or a clone of a fork."""

    def build(side: int) -> Any:
        from sam2.build_sam import build_sam2_video_predictor

        options = [f"++model.image_size={side}"]
        return build_sam2_video_predictor(
            config, device="cpu", hydra_overrides_extra=options
        )

    return build


def efficienttam_predictor(ending: str) -> Callable[[int], Any]:
    """Build one of EfficientTAM, whose own builder lets nobody set the input's side."""
    config = f"configs/efficienttam/efficienttam_{ending}.yaml"
    decoder = "++model.sam_mask_decoder_extra_args.dynamic_multimask"

    def build(side: int) -> Any:
        from efficient_track_anything import efficienttam_video_predictor as module
        from hydra import compose
        from hydra.utils import instantiate

        options = [
            f"++model._target_={module.__name__}.EfficientTAMVideoPredictor",
            f"++model.image_size={side}",
            "++model.compile_image_encoder=false",
            f"{decoder}_via_stability=true",
            f"{decoder}_stability_delta=0.05",
            f"{decoder}_stability_thresh=0.98",
            "++model.binarize_mask_from_pts_for_mem_enc=true",
        ]
        return instantiate(compose(config, overrides=options).model).eval()

    return build


def edgetam_predictor(side: int) -> Any:
    """Build EdgeTAM, whose trunk would be fetched from a hub."""
    from sam2.build_sam import build_sam2_video_predictor
    from sam2.modeling.backbones import timm as backbones

    create = backbones.create_model
    backbones.create_model = lambda name, pretrained, **options: create(name, **options)
    attention = "++model.memory_attention.layer.cross_attention"
    options = [
        f"++model.image_size={side}",
        f"{attention}.q_sizes=[{side // 16},{side // 16}]",
    ]
    return build_sam2_video_predictor(
        "configs/edgetam.yaml", device="cpu", hydra_overrides_extra=options
    )


def padded_by(clone: Path) -> Fit:
    """Return micro-sam's own way into the square; the package is not imported."""
    path = clone / "micro_sam" / "v2" / "transforms" / "resize.py"
    pad = runpy.run_path(str(path))["resize_longest_side_and_pad_tensor"]

    def fit(frame: np.ndarray) -> np.ndarray:
        planes = torch.from_numpy(frame.reshape(*frame.shape[:2], -1)).float()
        square, _ = pad(planes.permute(2, 0, 1)[None], max(frame.shape[:2]))
        pixels = square[0].permute(1, 2, 0).round().numpy().astype(np.uint8)
        return pixels.reshape(*pixels.shape[:2], *frame.shape[2:])

    return fit


FOREIGN = {
    "medsam2": Foreign(sam2_predictor("configs/sam2.1_hiera_t512.yaml")),
    "hvit_t_cells": Foreign(
        sam2_predictor("configs/sam2.1/sam2.1_hiera_t.yaml"), padded_by
    ),
    "edgetam": Foreign(edgetam_predictor),
    **{
        f"efficienttam_{ending}": Foreign(efficienttam_predictor(ending))
        for ending in ("ti", "ti_1", "ti_2", "s", "s_1", "s_2")
    },
}


def outputs(name: str, clone: Path) -> dict[str, np.ndarray]:
    """Return part of the logits of each frame, and say how much of it is mask."""
    from tests.model.official_stream import OfficialStream

    shape, foreign = SHAPES[name], FOREIGN[name]
    fit = foreign.fit(clone)
    frames = [fit(frame_of(index, shape)) for index in range(FRAMES)]
    mask = prompt_of(shape).mask
    assert mask is not None
    prompt = FramePrompt(
        1, 0, mask=MaskPrompt(fit(mask.mask.astype(np.uint8)).astype(bool))
    )
    predictor = foreign.build(max(shape))
    with torch.inference_mode():
        for key, weight in predictor.state_dict().items():
            weight.copy_(torch.from_numpy(made_weight(key, tuple(weight.shape))))
    predictor.fill_hole_area = 0  # on a CPU it cannot
    found = {}
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        stream = OfficialStream(predictor, frames, Path(folder))
        stream.prompt(prompt)
        for index, masks in stream.run(0):
            logits = masks.logits[0]
            found[f"logits{index}"] = thinned(logits)
            print(f"frame {index}: {(logits > 0).mean():.2f} of it is mask")
    return found


if __name__ == "__main__":
    name, clone = sys.argv[1], Path(sys.argv[2]).resolve()
    sys.path.insert(0, str(clone))
    REFERENCES.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(REFERENCES / f"{name}.npz", **outputs(name, clone))
