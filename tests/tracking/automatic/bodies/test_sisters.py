"""Sizes and shapes that speak for a division, or against it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam2.tracking.automatic.bodies.sisters import (
    are_cut_off,
    are_in_line,
    are_joined,
    came_out_of,
    is_bent,
    is_dented,
    lobes_of,
)
from napari_sam2.tracking.automatic.recent_labels import RecentLabels


def disc(x: float, radius: float = 10) -> np.ndarray:
    rows, columns = np.mgrid[:40, :80]
    return np.hypot(rows - 20, columns - x) < radius


@pytest.mark.parametrize(("distance", "joined"), [(12, True), (18, True), (21, False)])
def test_lobes_with_a_waist_are_one_body(distance: float, joined: bool) -> None:
    one, other = disc(30), disc(30 + distance)
    assert are_joined(one, other) == joined


def test_daughters_are_no_larger_than_their_mother_was() -> None:
    pair = disc(20), disc(50)
    one = int(np.count_nonzero(pair[0]))
    assert came_out_of(pair, [])
    assert came_out_of(pair, [round(1.8 * one), round(1.9 * one), one])
    assert not came_out_of(pair, [one])
    # The larger one is all that was there before: the other is somebody else.
    assert not came_out_of((disc(20), disc(50, 4)), [one])


def test_the_border_cuts_halves_of_long_bodies_only() -> None:
    """Rims of round cells beside the border became daughters."""
    rows, columns = np.mgrid[:40, :80]
    rod = (abs(rows - 20) < 5) & (columns < 40)
    assert are_cut_off((rod & (columns >= 10), rod & (columns < 10))) == (False, True)
    assert are_cut_off((np.roll(rod, 5, 1), rod & False)) == (False, False)
    cell = disc(6)
    assert are_cut_off((cell & (columns >= 4), cell & (columns < 4))) == (False, False)


def test_two_side_by_side_have_a_dent_between_them() -> None:
    assert is_dented(disc(30) | disc(52))
    assert not is_dented(disc(30))
    assert not is_dented(np.zeros((5, 5), bool))


def test_a_size_counts_where_neither_border_nor_neighbour_cuts() -> None:
    recent = RecentLabels(4)
    whole, beside, outside = disc(30), disc(49), disc(5)
    for frame_index, labels in enumerate((whole, whole + 2 * beside, outside)):
        recent.put(frame_index, labels.astype(np.uint16))
    assert recent.sizes_before(1, 5, 0) == ([np.count_nonzero(whole)], True)
    # Who never was whole is taken to be as large as the others.
    assert recent.sizes_before(2, 5, 0) == ([np.count_nonzero(whole)], False)


def test_who_never_was_whole_was_no_smaller_than_she_showed() -> None:
    recent = RecentLabels(4)
    large, small = disc(5, 15), disc(60, 5)
    for frame_index in range(3):
        recent.put(frame_index, (large + 2 * small).astype(np.uint16))
    assert recent.sizes_before(1, 5, 0) == ([np.count_nonzero(large)], False)


def test_lobes_of_a_mask_are_told_by_its_waist_or_its_gap() -> None:
    labels = np.where(disc(20) | disc(42), 1, 2 * disc(65))
    apart = lobes_of(labels)
    labels[18:23, 28:34] = 1
    joined = lobes_of(labels)
    assert set(apart) == set(joined) == {1}
    for pair in (*apart.values(), *joined.values()):
        assert [round(one.point[1]) for one in pair] == [20, 42]
    assert sum(one.area for one in joined[1]) == np.count_nonzero(labels == 1)
    assert lobes_of(1 * (disc(20) | disc(32))) == {}


def test_two_at_an_angle_are_bent_and_two_in_line_are_not() -> None:
    mask = np.zeros((60, 60), bool)
    mask[10:20, 5:50] = True
    assert not is_bent(mask)
    mask[20:50, 40:50] = True
    assert is_bent(mask)


def bar(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((40, 80), bool)
    mask[rows, columns] = True
    return mask


@pytest.mark.parametrize(
    ("other", "in_line"),
    [
        (bar(slice(10, 16), slice(30, 45)), True),
        (bar(slice(15, 30), slice(30, 36)), False),
        (bar(slice(18, 24), slice(12, 27)), False),
        (bar(slice(0, 16), slice(30, 36)), True),
        (disc(35, 4), True),
    ],
    ids=["end to end", "at an angle", "side by side", "cut by the border", "round"],
)
def test_long_daughters_lie_end_to_end(other: np.ndarray, in_line: bool) -> None:
    rod = bar(slice(10, 16), slice(10, 25))
    expected = in_line
    assert are_in_line(rod, other) == expected
    assert are_in_line(other, rod) == expected
