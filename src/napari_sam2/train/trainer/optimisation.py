"""What is trained, how fast, with how much memory, and what is left out at random."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from napari_sam2.model.memory_attention import MemoryAttentionLayer
from napari_sam2.model.sam2 import Sam2

Freeze = Literal["nothing", "trunk", "all_but_decoder"]

BLOCK = re.compile(r"(.*\b|^)blocks\.\d+$")

DECODER = ("prompt_encoder.", "mask_decoder.")


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Take denormal numbers, which attention makes many of, for 0 in this thread.

    They cost tenfold on CPUs. Afterwards they are numbers again: the thread may be one
    in which others count on them.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def freeze(model: Sam2, what: Freeze) -> None:
    """Stop parameters from learning.

    ``"trunk"`` keeps the image trunk as it is; ``"all_but_decoder"`` trains the prompt
    encoder and the mask decoder alone.
    """
    for name, parameter in model.named_parameters():
        if what == "trunk":
            fixed = name.startswith("image_encoder.trunk.")
        else:
            fixed = what == "all_but_decoder" and not name.startswith(DECODER)
        if fixed:
            parameter.requires_grad_(False)


def parameter_groups(
    model: nn.Module, decay: float, *, trunk_rate: float = 1.0, layer_decay: float = 1.0
) -> list[dict[str, Any]]:
    """Group parameters by weight decay and learning rate.

    Whatever has two or more dimensions decays: matrices, kernels, and parameters that
    stand alone, such as positions and what stands for no memory. Biases, norms, and the
    tokens that are weights of an `torch.nn.Embedding` do not.

    Parameters
    ----------
    model
        A `Sam2`, or anything else for which ``trunk_rate`` and ``layer_decay`` are 1.
    trunk_rate
        Learning rate of the image encoder, in parts of the other rate.
    layer_decay
        From each block of the trunk to the one below, the rate is multiplied by this.

    Returns
    -------
    list
        Groups for torch; ``"scale"`` multiplies the learning rate. Of fixed parameters
        there are none.
    """
    scales = _scales(model, trunk_rate, layer_decay)
    embeddings = {
        id(module.weight)
        for module in model.modules()
        if isinstance(module, nn.Embedding)
    }
    # With equal rates these are two groups, heavy and light, as in older checkpoints.
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {
        (1.0, False): [],
        (1.0, True): [],
    }
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_light = parameter.ndim < 2 or id(parameter) in embeddings
            groups.setdefault((scales.get(name, 1.0), is_light), []).append(parameter)
    return [
        {"params": found, "weight_decay": 0.0 if is_light else decay, "scale": scale}
        for (scale, is_light), found in groups.items()
    ]


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all groups, each times its scale."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("scale", 1.0)


def _scales(
    model: nn.Module, trunk_rate: float, layer_decay: float
) -> dict[str, float]:
    """Return parameter → scale of the rate, for the image encoder."""
    prefix = "image_encoder."
    scales = {
        name: trunk_rate for name, _ in model.named_parameters() if prefix in name
    }
    blocks = [name for name, _ in model.named_modules() if BLOCK.match(name)]
    depth = 0
    for name in scales:
        if ".trunk." not in name or name.rsplit(".", 1)[-1].startswith("pos_embed"):
            continue
        inside = [
            i for i, block in enumerate(blocks, 1) if name.startswith(f"{block}.")
        ]
        # What lies between two blocks belongs to the lower one.
        depth = inside[0] if inside else depth
        scales[name] = trunk_rate * layer_decay ** (len(blocks) + 1 - depth)
    return scales


def save_memory(model: Sam2) -> None:
    """Let trunk blocks and memory attention compute again instead of remembering.

    Results are the same; a step takes about a third longer and needs far less memory.
    """
    trunk = model.image_encoder.trunk
    blocks: Iterable[nn.Module] = [
        *(module for name, module in trunk.named_modules() if BLOCK.match(name)),
        *model.memory_attention.layers,
    ]
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)


def regularise(model: Sam2, drop_path: float, dropout: float) -> None:
    """Let branches of the trunk and answers of the memory attention be dropped.

    Only while training, and without a weight more: checkpoints stay what they are.

    Parameters
    ----------
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
