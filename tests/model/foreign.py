"""Weights, frames and a prompt by formula: equal on every machine, stored nowhere."""

from __future__ import annotations

import math
import zlib

import numpy as np

from napari_sam2.prompts import FramePrompt, MaskPrompt

FRAMES = 3

SHAPES = {
    "medsam2": (512, 512),
    "hvit_t_cells": (192, 256),
    "edgetam": (512, 512),
    **{
        f"efficienttam_{ending}": (256, 256)
        for ending in ("ti", "ti_1", "ti_2", "s", "s_1", "s_2")
    },
}
"""``(Y, X)`` of the frames that each family is asked about.

The longer side is that of the input, so that nothing is resized.
"""

EMBEDDINGS = ("embed", "token", "tpos_enc", "no_", "perceiver.latents")

GAINS = {
    "neck.convs": 0.3,
    "cross_attn_image.q_proj": 1.5,
    "cross_attn_image.k_proj": 1.5,
    "cross_attn_image.out_proj": 2.0,
}


def made_weight(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the float32 weight of a name in the official layout."""
    drawn = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape)
    return np.asarray(_scaled(key, drawn), np.float32)


def _scaled(key: str, drawn: np.ndarray) -> np.ndarray:
    """Scale a weight so that activations keep their size, and objects are present."""
    if key.endswith("gaussian_matrix"):
        return drawn
    if key == "sam_mask_decoder.pred_obj_score_head.layers.2.bias":
        return drawn + 20
    if key.endswith(("bias", "running_mean")):
        return 0.1 * drawn
    if key.endswith("gamma"):
        return 0.5 + 0.2 * drawn
    if drawn.ndim < 2:
        return 1 + 0.2 * drawn
    is_embedding = any(word in key for word in EMBEDDINGS)
    if is_embedding and "proj" not in key:
        return 0.5 * drawn
    fan_in = drawn.shape[0] if "output_upscaling" in key else drawn[0].size
    gain = next((gain for word, gain in GAINS.items() if word in key), 1.0)
    return gain * drawn / math.sqrt(fan_in)


def frame_of(index: int, shape: tuple[int, int]) -> np.ndarray:
    """Return a ``(Y, X, 3)`` uint8 picture of waves that move."""
    y, x = _grid(shape) * 2 * np.pi
    waves = [
        np.sin(3 * x + index + channel) + np.cos((5 + channel) * y - 0.5 * index)
        for channel in range(3)
    ]
    grey = 128 + 60 * np.stack(waves, axis=-1)
    return grey.round().clip(0, 255).astype(np.uint8)


def prompt_of(shape: tuple[int, int]) -> FramePrompt:
    """Return a disc on the first frame."""
    y, x = _grid(shape)
    mask = np.hypot(y - 0.4, x - 0.55) < 0.2
    return FramePrompt(1, 0, mask=MaskPrompt(mask))


def _grid(shape: tuple[int, int]) -> np.ndarray:
    return np.mgrid[: shape[0], : shape[1]] / max(shape)


def thinned(logits: np.ndarray) -> np.ndarray:
    """Return the part of ``(h, w)`` logits that is stored.

    Every third of small ones: decoders without fine maps answer in patterns of four.
    """
    step = 3 if len(logits) <= 64 else 4
    return logits[::step, ::step]
