"""What happens where the tracker meets labels that it does not own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_sam2.session.plan import MergePolicy


def merge_labels(
    existing: np.ndarray,
    tracked: np.ndarray,
    owned: Sequence[int],
    policy: MergePolicy,
) -> np.ndarray:
    """Combine a frame's existing labels with the tracker's.

    Parameters
    ----------
    existing
        ``(Y, X)`` labels on disk; those of ``owned`` ids are the tracker's own earlier
        ones and are replaced.
    tracked
        ``(Y, X)`` new labels of all owned objects.
    owned
        Ids that belong to the tracker.
    policy
        What happens to the others.

    Returns
    -------
    np.ndarray
        ``(Y, X)`` labels to write.
    """
    foreign = np.where(np.isin(existing, list(owned)), 0, existing)
    if policy is MergePolicy.FILL and foreign.any():
        return existing
    if policy is MergePolicy.REPLACE:
        return np.where(tracked > 0, tracked, foreign)
    return np.where(foreign > 0, foreign, tracked)
