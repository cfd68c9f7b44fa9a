"""Which truth belongs to which prediction, and how much they overlap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Areas and common areas of two label images.

    Attributes
    ----------
    truth_area, predicted_area
        Pixels of each object id that is present.
    common
        Pixels of each pair ``(truth id, predicted id)`` that touches.
    """

    truth_area: dict[int, int]
    predicted_area: dict[int, int]
    common: dict[tuple[int, int], int]

    def region(self, object_id: int, predicted_id: int | None) -> float:
        """Return J of a pair; 1 if both are empty, as `region_similarity`."""
        truth = self.truth_area.get(object_id, 0)
        if predicted_id is None:
            return float(truth == 0)
        common = self.common.get((object_id, predicted_id), 0)
        union = truth + self.predicted_area.get(predicted_id, 0) - common
        return common / union if union else 1.0


@dataclass(frozen=True, slots=True)
class Match:
    """A truth object and the predicted one that stands for it.

    Attributes
    ----------
    object_id, predicted_id
        Ids in the truth and in the prediction.
    overlap
        Their intersection over union on the frame where they were matched.
    """

    object_id: int
    predicted_id: int
    overlap: float


def count_overlaps(truth: np.ndarray, prediction: np.ndarray) -> Overlaps:
    """Count the pixels of every object and every pair in one pass.

    Parameters
    ----------
    truth, prediction
        ``(Y, X)`` integer label images of equal shape, 0 for background.
    """
    anything = (truth != 0) | (prediction != 0)
    # Numbered anew, as products of large ids would not fit an integer.
    true_ids, true_rank = np.unique(truth[anything], return_inverse=True)
    predicted_ids, predicted_rank = np.unique(prediction[anything], return_inverse=True)
    shape = (len(true_ids), len(predicted_ids))
    codes = true_rank * shape[1] + predicted_rank
    table = np.bincount(codes, minlength=shape[0] * shape[1]).reshape(shape)
    return Overlaps(
        truth_area=_areas(true_ids, table.sum(1)),
        predicted_area=_areas(predicted_ids, table.sum(0)),
        common={
            (int(true_ids[row]), int(predicted_ids[column])): int(table[row, column])
            for row, column in np.argwhere(table)
            if true_ids[row] and predicted_ids[column]
        },
    )


def sum_of_overlaps(parts: Iterable[Overlaps]) -> Overlaps:
    """Return the overlaps of two stacks from those of their planes."""
    truth, predicted = Counter[int](), Counter[int]()
    common = Counter[tuple[int, int]]()
    for part in parts:
        truth.update(part.truth_area)
        predicted.update(part.predicted_area)
        common.update(part.common)
    return Overlaps(dict(truth), dict(predicted), dict(common))


def _areas(ids: np.ndarray, areas: np.ndarray) -> dict[int, int]:
    pairs = zip(ids.tolist(), areas.tolist(), strict=True)
    return {object_id: area for object_id, area in pairs if object_id}


def match_objects(
    truth: np.ndarray, prediction: np.ndarray, minimum_overlap: float = 0.5
) -> list[Match]:
    """Pair the objects of two label images of one frame, as `match_overlaps` does.

    Parameters
    ----------
    truth, prediction
        ``(Y, X)`` integer label images of equal shape, 0 for background.
    minimum_overlap
        Least intersection over union, above 0 and up to 1.
    """
    return match_overlaps(count_overlaps(truth, prediction), minimum_overlap)


def match_overlaps(overlaps: Overlaps, minimum_overlap: float = 0.5) -> list[Match]:
    """Pair the objects of a frame, each at most once.

    The pairing has the greatest sum of overlaps; pairs below the minimum are left out.

    Parameters
    ----------
    minimum_overlap
        Least intersection over union, above 0 and up to 1.

    Returns
    -------
    list of Match
        In the order of truth ids.
    """
    true_ids = sorted(overlaps.truth_area)
    predicted_ids = sorted(overlaps.predicted_area)
    table = np.zeros((len(true_ids), len(predicted_ids)))
    for true_id, predicted_id in overlaps.common:
        place = true_ids.index(true_id), predicted_ids.index(predicted_id)
        table[place] = overlaps.region(true_id, predicted_id)
    # Not above: all that knows of masks would import it, for longer than numpy.
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-table)
    return [
        Match(true_ids[row], predicted_ids[column], float(table[row, column]))
        for row, column in zip(rows, columns, strict=True)
        if table[row, column] >= max(minimum_overlap, 1e-12)
    ]
