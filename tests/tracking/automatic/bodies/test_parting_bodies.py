"""Two who are followed on the halves of one body that parts."""

from __future__ import annotations

import numpy as np
import pytest
from tests.tracking.automatic.bodies.bars import APART, GUEST, HOST, frame_of, labels_of

from napari_sam2.tracking.automatic.bodies.parting_bodies import parting_bodies
from napari_sam2.tracking.automatic.bodies.shared_bodies import SharedBodies

HALVES = labels_of(slice(10, 30), slice(30, 50))


def told(labels: np.ndarray, gap: slice) -> list[tuple[int, int, list[int]]]:
    """Return who parts after a frame on which both were apart, and areas of halves."""
    shared = SharedBodies()
    shared.seen(frame_of(APART > 0), APART)
    shown = labels > 0
    shown[:, gap] = False
    found = parting_bodies(frame_of(shown), labels, shared, False)
    return [(*ids, [half.area for half in pair]) for *ids, pair in found]


def test_a_body_that_parts_under_two_is_whose_size_it_has() -> None:
    ((host, guest, areas),) = told(HALVES, slice(28, 32))
    assert (host, guest) == (HOST, GUEST)
    assert np.allclose(areas, 200, atol=10)


@pytest.mark.parametrize(
    ("labels", "gap"),
    [
        (HALVES, slice(0)),
        (labels_of(slice(1, 32), slice(32, 63)), slice(30, 34)),
        (labels_of(slice(10, 40), slice(30, 40), row=20), slice(24, 28)),
        (labels_of(slice(10, 30), slice(10, 30), row=20), slice(18, 22)),
    ],
    ids=["without a cleft", "larger than either", "at an angle", "round"],
)
def test_other_two_that_touch_do_not_part(labels: np.ndarray, gap: slice) -> None:
    assert told(labels, gap) == []
