"""Objects that are away for a while: they are waited for as they were last seen."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from napari_sam2.interfaces import Arrays
from napari_sam2.tracking.batching import BatchKind
from napari_sam2.tracking.hard_cases.case import HardCase
from napari_sam2.tracking.memory.bank import MemoryBank
from napari_sam2.tracking.step_result import Prediction

SURE = 2.0
"""Presence score that is enough for a mask after an absence, or one that does not go on
from the mask last seen.

Right masks of nano have some 10, and 2 to 8 on the first frame after an absence; where
it takes another cell for one that is away, most often less than 1.5."""

HALF = 0.5
"""For the latter this share of the score before is enough: who fades is not away."""

GOES_ON = 0.5
"""A mask goes on from another if they share so much of the smaller one's area."""


class ComingBack(HardCase):
    """Takes what comes back, or lies elsewhere, only if sure; remembers no absence.

    After some frames without an object, memory would be of nothing else, and the object
    would be said to be away for good.
    """

    def __init__(self, bank: MemoryBank) -> None:
        self._bank = bank
        self._latest_score: dict[int, float] = {}

    def answer(self, seen: Prediction) -> Prediction:
        """Return tracked masks without those that are not sure, and have to be."""
        if seen.batch.kind is not BatchKind.TRACKED:
            return seen
        ids, score = seen.batch.object_ids, seen.heard.object_score
        latest = np.array([self._latest_score.get(one, np.inf) for one in ids])
        was_away = latest <= 0
        enough = np.where(was_away, SURE, np.minimum(SURE, HALF * latest))
        rows = np.flatnonzero((score > 0) & (score < enough))
        is_away = np.zeros(len(score), bool)
        is_away[rows] = [
            was_away[row] or self._is_elsewhere(seen, row) for row in rows.tolist()
        ]
        return seen.lowered(is_away, SURE) if is_away.any() else seen

    def _is_elsewhere(self, seen: Prediction, row: int) -> bool:
        """Tell whether an object's mask does not go on from the one last seen."""
        batch = seen.batch
        last = self._bank.nearest_logits([batch.object_ids[row]], batch.frame_index)
        before, now = last[0] > 0, seen.heard.logits[row] > 0
        smaller = min(np.count_nonzero(before), np.count_nonzero(now))
        return bool(np.count_nonzero(before & now) < GOES_ON * smaller)

    def waits(self, seen: Prediction) -> np.ndarray:
        """Note how sure objects are; tell which of the tracked ones are away."""
        scores = seen.heard.object_score
        self._latest_score |= zip(seen.batch.object_ids, scores.tolist(), strict=True)
        return (scores <= 0) & (seen.batch.kind is BatchKind.TRACKED)

    def forget(self, object_ids: Collection[int] | None = None) -> None:
        """Forget how sure objects were."""
        for one in list(self._latest_score) if object_ids is None else object_ids:
            self._latest_score.pop(one, None)

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return how sure objects were: ``(objects, 2)``, id and score."""
        known = sorted(self._latest_score.items())
        return {"latest_scores": np.asarray(known, np.float64).reshape(-1, 2)}

    def restore(self, arrays: Arrays) -> None:
        """Go on from there."""
        known = arrays["latest_scores"].tolist()
        self._latest_score = {int(one): score for one, score in known}
