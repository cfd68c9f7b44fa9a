"""The places of a step at which a hard case may do something."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from napari_sam2.interfaces import Arrays
from napari_sam2.tracking.step_result import Prediction


class HardCase:
    """What a tracker does besides in one kind of movie; by itself, nothing.

    A result follows from the anchors of a gap and from its frames alone. So a case that
    remembers something forgets it in `forget`, and hands it on in `snapshot`.
    """

    def show(self, frame_index: int, frame: np.ndarray) -> None:
        """Look at a ``(Y, X, 3)`` uint8 frame before anything is recalled for it.

        Here the memory policy belongs: what the bank holds is moved, or forgotten.
        """

    def answer(self, seen: Prediction) -> Prediction:
        """Return the masks to go on with: the choice, and clean-up before memory."""
        return seen

    def waits(self, seen: Prediction) -> np.ndarray:
        """Note what is to be remembered; tell of which tracked objects nothing is.

        Their time stands still, see `MemoryBank.wait`. ``(objects,)`` bool.
        """
        return np.zeros(len(seen.batch), bool)

    def forget(self, object_ids: Collection[int] | None = None) -> None:
        """Forget what was seen of objects: they begin a gap.

        None: forget all that was seen, a new walk through the movie begins.
        """

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return what is remembered, by names that no other case uses."""
        return {}

    def restore(self, arrays: Arrays) -> None:
        """Remember what a `snapshot` held, and nothing else."""
