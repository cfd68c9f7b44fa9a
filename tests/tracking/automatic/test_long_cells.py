"""Long cells in a movie: who parts under two, and who lies side by side."""

from __future__ import annotations

import numpy as np
import pytest
from tests.tracking.automatic import worlds
from tests.tracking.automatic.worlds import (
    SHAPE,
    FollowsBoth,
    Pictured,
    World,
    discover,
    dividing,
    prompted,
    still,
)

from napari_sam2.tracking.automatic.masklet_options import Divisions


def bar(y: float, x: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return (np.abs(rows - y) < 5) & (np.abs(columns - x) < radius)


def test_long_ones_side_by_side_part_and_are_no_daughters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worlds, "disc", bar)
    cells = {
        "mother": still(30, 30, range(12), 18),
        "left": still(24, 30, range(12, 24), 9),
        "right": still(36, 30, range(12, 24), 9),
    }
    world = FollowsBoth(cells, 24, dividing().follows)
    found = discover(world, divisions=Divisions.ACCEPT)
    assert found.divisions == []
    assert [one.parent for one in found.objects] == [None, None]


class Shared(Pictured):
    """A world in which a guest comes into the body of a host before it parts."""

    def mask(self, name: str, frame_index: int) -> np.ndarray:
        side = {"host": slice(None, 30), "guest": slice(30, None)}.get(name)
        if side is None or frame_index < 11:
            return World.mask(self, name, frame_index)
        # The network's pixels are too coarse for the gap.
        body = bar(30, 30, 6)
        for half in ("host", "left", "right"):
            body |= World.mask(self, half, frame_index)
        own = np.zeros(SHAPE, bool)
        own[:, side] = body[:, side]
        return own


@pytest.mark.parametrize("divisions", [Divisions.ACCEPT, Divisions.PROPOSE])
def test_who_parts_under_two_is_a_mother_and_the_guest_was_lost(
    divisions: Divisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worlds, "disc", bar)
    cells = {
        "host": still(30, 30, range(12), 18),
        "guest": still(52, 30, range(9), 12),
        "left": still(30, 20, range(12, 24), 9),
        "right": still(30, 40, range(12, 24), 9),
    }
    world = Shared(cells, 24, {})
    found = discover(world, divisions=divisions)
    assert [one.frame_index for one in found.divisions] == [12]
    if divisions is Divisions.PROPOSE:
        assert found.divisions[0].daughters == (1, 2)
        return
    mother = found.divisions[0].mother
    parents = [one.parent for one in found.objects]
    assert parents.count(mother) == 2
    assert {10: False} in [
        {frame: there for frame, there in one.items() if not there}
        for one in prompted(found)
    ]
