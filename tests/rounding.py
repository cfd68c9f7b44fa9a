"""What rounding alone may do: processors sum otherwise, and trackers amplify it."""

from __future__ import annotations

import torch

from napari_sam2.model.sam2 import Sam2


def with_other_last_bits(model: Sam2) -> Sam2:
    """Move each weight of a model to the next number, up or down by chance."""
    random = torch.Generator().manual_seed(0)
    for weight in model.parameters():
        up = torch.rand(weight.shape, generator=random) < 0.5
        weight.data = weight.data.nextafter(torch.where(up, torch.inf, -torch.inf))
    return model
