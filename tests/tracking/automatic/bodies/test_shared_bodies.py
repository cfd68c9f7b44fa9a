"""Who is followed in the body of another one."""

from __future__ import annotations

import numpy as np
import pytest
from tests.tracking.automatic.bodies.bars import APART, GUEST, HOST, frame_of, labels_of

from napari_sam2.tracking.automatic.bodies.shared_bodies import SharedBodies


def at_an_angle() -> np.ndarray:
    labels = np.zeros((64, 64), np.uint16)
    labels[10:20, 10:30], labels[20:40, 22:30] = HOST, GUEST
    return labels


IN_ONE = labels_of(slice(10, 32), slice(32, 50))


def told(later: np.ndarray, shown: np.ndarray, frames: int = 4) -> list[object]:
    """Return what is told on frames after two on which both are apart."""
    shared = SharedBodies()
    for _ in range(2):
        assert shared.seen(frame_of(APART > 0), APART) == []
    return [shared.seen(frame_of(shown), later) for _ in range(frames)]


def test_two_in_one_body_are_told_once_and_who_fits_it_is_the_host() -> None:
    assert told(IN_ONE, IN_ONE > 0) == [[], [], [(HOST, GUEST)], []]


@pytest.mark.parametrize(
    ("later", "gap"),
    [
        (IN_ONE, slice(30, 34)),
        (labels_of(slice(8, 50), slice(50, 62)), slice(0)),
        (at_an_angle(), slice(0)),
        (labels_of(slice(10, 26), slice(12, 26), row=20), slice(0)),
    ],
    ids=["with a gap between them", "larger than either", "at an angle", "round"],
)
def test_two_bodies_are_not_one(later: np.ndarray, gap: slice) -> None:
    shown = later > 0
    shown[:, gap] = False
    assert told(later, shown) == [[]] * 4
