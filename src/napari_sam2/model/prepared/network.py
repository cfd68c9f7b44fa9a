"""A network whose parts were prepared."""

from __future__ import annotations

from copy import copy

from torch import Tensor, nn

from napari_sam2.model.prepared.mask_decoder import PreparedMaskDecoder
from napari_sam2.model.prepared.memory_encoder import PreparedMemoryEncoder
from napari_sam2.model.prompt_encoder import PromptEncoder, PromptTensors
from napari_sam2.model.sam2 import Sam2


def prepared(model: Sam2) -> Sam2:
    """Return a network that computes the same in less time, without gradients.

    Weights that allow no other order of sums (`Sam2Config.free_order`) stay as they
    are. The result shares all weights; those that change later, or move elsewhere, it
    does not follow.

    Parameters
    ----------
    model
        On a CPU, in float32, set to evaluate.
    """
    if not model.config.free_order:
        return model
    parts: dict[str, nn.Module] = {
        "memory_encoder": PreparedMemoryEncoder(model.memory_encoder),
        "mask_decoder": PreparedMaskDecoder(model.mask_decoder),
        "prompt_encoder": PreparedPromptEncoder(model.prompt_encoder),
    }
    quick = copy(model)  # which has the very dictionary of the model's parts
    quick._modules = {**model._modules, **parts}
    return quick


class PreparedPromptEncoder(nn.Module):
    """A `PromptEncoder` that keeps what it says of places, and of no prompt at all."""

    def __init__(self, encoder: PromptEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self._places: dict[int, Tensor] = {}
        self._unprompted: dict[int, tuple[Tensor, Tensor]] = {}

    def forward(self, prompts: PromptTensors, grid: int) -> tuple[Tensor, Tensor]:
        """Encode the prompts of all objects."""
        objects, count, _ = prompts.points.shape
        if count or prompts.mask_logits is not None:
            sparse, dense = self.encoder(prompts, grid)
            return sparse, dense
        if grid not in self._unprompted:
            self._unprompted[grid] = self.encoder(
                PromptTensors.empty(1, prompts.points.device), grid
            )
        sparse, dense = self._unprompted[grid]
        return sparse.expand(objects, -1, -1), dense

    def dense_position(self, grid: int) -> Tensor:
        """Position encoding of the embedding's tokens."""
        if grid not in self._places:
            self._places[grid] = self.encoder.dense_position(grid)
        return self._places[grid]
