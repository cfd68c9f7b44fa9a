"""LoRA: attention learns small corrections, everything else stays.

Each projection ``W`` of an attention becomes ``W + B·A`` with narrow ``A`` and ``B``.
`merged` adds them up, so that what is exported is an ordinary checkpoint.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import parametrize

from napari_sam2.model.sam2 import Sam2

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj", "qkv", "proj")


class LowRank(nn.Module):
    """Adds ``B·A`` to a matrix; nothing at the start.

    Parameters
    ----------
    weight
        The ``(out, in)`` matrix.
    rank
        Rows of A.
    """

    def __init__(self, weight: torch.Tensor, rank: int) -> None:
        super().__init__()
        out, into = weight.shape
        self.a = nn.Parameter(torch.empty(rank, into))
        self.b = nn.Parameter(torch.zeros(out, rank))
        nn.init.normal_(self.a, std=into**-0.5)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the corrected matrix."""
        return weight + self.b @ self.a


def add_low_rank(model: nn.Module, rank: int) -> int:
    """Fix all parameters and let attention learn corrections of a rank.

    Returns
    -------
    int
        How many projections were found.
    """
    model.requires_grad_(False)
    found = [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and _is_projection(name)
    ]
    for module in found:
        low_rank = LowRank(module.weight, rank)
        parametrize.register_parametrization(module, "weight", low_rank)
    return len(found)


def merged(model: Sam2) -> Sam2:
    """Return an ordinary model in which corrections are part of the matrices.

    A model without corrections is returned as it is.
    """
    corrected = {
        name: module
        for name, module in model.named_modules()
        if parametrize.is_parametrized(module, "weight")
    }
    if not corrected:
        return model
    state = {}
    for key, value in model.state_dict().items():
        path, is_corrected, rest = key.partition(".parametrizations.weight.")
        if not is_corrected:
            state[key] = value
        elif rest == "original":
            weight: torch.Tensor = corrected[path].weight
            state[f"{path}.weight"] = weight.detach()
    ordinary = Sam2(model.config)
    ordinary.load_state_dict(state)
    return ordinary.eval()


def _is_projection(name: str) -> bool:
    *path, last = name.split(".")
    return last in PROJECTIONS and any("att" in part or part == "xca" for part in path)
