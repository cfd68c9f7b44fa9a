"""Parts of the network that are left out at random while it learns."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from napari_sam2.model.memory_attention import MemoryAttentionLayer
from napari_sam2.model.sam2 import Sam2


def regularise(model: Sam2, drop_path: float, dropout: float) -> None:
    """Let branches of the trunk and answers of the memory attention be dropped.

    Only while training, and without a weight more: checkpoints stay what they are.

    Parameters
    ----------
    model
        The network that is trained.
    drop_path
        Probability that a residual branch of the trunk's last block is skipped for a
        frame; it grows from 0 at the first block.
    dropout
        Probability that a number is zeroed in what self-attention, cross-attention and
        feed-forward of the memory attention add.
    """
    if drop_path:
        _drop_paths(model.image_encoder.trunk, drop_path)
    if dropout:
        for layer in model.memory_attention.modules():
            if isinstance(layer, MemoryAttentionLayer):
                for branch in (layer.self_attn, layer.cross_attn_image, layer.linear2):
                    branch.register_forward_hook(_Dropout(dropout))


def seed_step(seed: int, step: int, worker: int) -> None:
    """Seed torch for a step, so that a resumed run drops what an unbroken one does."""
    state = np.random.SeedSequence((seed, step, worker)).generate_state(1)
    torch.manual_seed(int(state[0]))


def _drop_paths(trunk: nn.Module, rate: float) -> None:
    from timm.layers.drop import DropPath  # not above: timm imports triton

    # Trunks differ in names (drop_path; drop_path1 and drop_path2), not in the rule.
    blocks = [
        (block, names)
        for block in trunk.modules()
        if (
            names := [n for n, _ in block.named_children() if n.startswith("drop_path")]
        )
    ]
    for depth, (block, names) in enumerate(blocks):
        for name in names:
            setattr(block, name, DropPath(rate * depth / max(1, len(blocks) - 1)))


class _Dropout:
    """Forward hook that drops numbers of a module's output while it trains."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(
        self, module: nn.Module, _given: object, out: torch.Tensor
    ) -> torch.Tensor:
        return functional.dropout(out, self.rate, module.training)
