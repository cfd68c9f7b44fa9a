"""One body that parts, and two who are followed on its halves: one came from elsewhere.

After a crossing two may hold on to one body. Where it divides, nobody is new, and no
mask falls into two: only both together are the mother, and the picture shows a cleft.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_sam2.tracking.automatic.bodies.clefts import clefts_of
from napari_sam2.tracking.automatic.bodies.shared_bodies import SharedBodies
from napari_sam2.tracking.automatic.bodies.sisters import is_bent, shape_of
from napari_sam2.tracking.automatic.masks import AutomaticMask

LONG = 3.0
"""The body is so many times as long as wide: two round ones that touch are not."""
FITS = (0.8, 1.3)
"""And has so many times the area that one of the two had by itself."""


def parting_bodies(
    frame: np.ndarray, labels: np.ndarray, shared: SharedBodies, is_last: bool
) -> Iterator[tuple[int, int, tuple[AutomaticMask, AutomaticMask]]]:
    """Yield host, guest and the halves of each body that parts under two.

    Parameters
    ----------
    frame
        ``(Y, X, 3)`` uint8.
    labels
        ``(Y, X)`` of whom is followed.
    shared
        Knows how large each was by itself.
    is_last
        See `clefts_of`.
    """
    for host, guest in shared.fitting(labels, FITS):
        together = np.where(labels == guest, host, labels)
        body = together == host
        if not is_bent(body) and shape_of(body)[0] >= LONG:
            found = clefts_of(frame, together, is_last, {host})
            for pair in found.values():
                yield host, guest, pair
