"""Objects that touch: each is followed in the pieces that it had."""

from __future__ import annotations

from napari_sam2.tracking.batching import BatchKind
from napari_sam2.tracking.hard_cases.case import HardCase
from napari_sam2.tracking.memory.bank import MemoryBank
from napari_sam2.tracking.postprocess import other_components
from napari_sam2.tracking.step_result import Prediction


class OneComponent(HardCase):
    """Cuts off what does not go on from the mask before, see `other_components`."""

    def __init__(self, bank: MemoryBank) -> None:
        self._bank = bank

    def answer(self, seen: Prediction) -> Prediction:
        """Return tracked masks in one piece; prompted ones as they are."""
        batch = seen.batch
        if batch.kind is not BatchKind.TRACKED:
            return seen
        before = self._bank.nearest_logits(
            batch.object_ids, batch.frame_index, batch.tile
        )
        return seen.without(other_components(seen.heard.logits, before))
