"""A toy network with random weights that sees: none of torch's draws is in it."""

from __future__ import annotations

from os import PathLike

import numpy as np

POWERS = {
    "memory_tokenizer.pointer_time.bias": -4,
    "memory_encoder.mask_downsampler.0.bias": -3,
    "memory_encoder.mask_downsampler.3.bias": -4,
    "memory_encoder.pix_feat_proj.bias": -4,
    "memory_encoder.out_proj.bias": -3,
}
"""Of two, for tensors so small that their spread depends on torch's release."""


def save_toy(path: str | PathLike[str]) -> None:
    """Save a toy network whose masks are neither full nor empty nor absent.

    Its weights are as large as torch draws them, but drawn by numpy in steps that
    floats have exactly: they are the same, bit by bit, with every release of torch.
    """
    import torch

    from napari_sam2.model.checkpoints.checkpoint import build_model, save_model

    rng = np.random.default_rng(2)
    model = build_model("toy", seed=3)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point() and tensor.numel() > 1 and tensor.std() > 0:
                found = round(float(torch.log2(tensor.std())))
                scale = 2.0 ** POWERS.get(name, found)
                steps = rng.integers(-128, 129, tuple(tensor.shape)) / 64
                tensor.copy_(torch.from_numpy(steps * scale))
        model.mask_downsample.bias.fill_(0.11271512508392334)  # as torch 2.14 draws it
        model.mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(2.0)
        for mlp in model.mask_decoder.output_hypernetworks_mlps:
            mlp.layers[-1].weight.mul_(16.0)
    save_model(model, path)
