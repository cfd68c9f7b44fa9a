"""Tiles cover the frame, and hold what they are chosen for."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.errors import InputError
from napari_sam2.tiles import TileLayout

GRID = 4
SIDES = st.integers(4, 40).map(lambda tokens: tokens * GRID)
SHAPES = st.tuples(st.integers(1, 400), st.integers(1, 400))


@given(SHAPES, SIDES)
def test_each_pixel_lies_in_a_tile_that_shows_what_is_around_it(shape, side):
    layout = TileLayout.of_side(shape, side, GRID)
    y, x = shape[0] - 1, shape[1] // 2
    assert layout.holds(layout.best((0, 0, 0, 0)), (0, 0, 0, 0))
    tile = layout.best((y, x, y, x))
    assert layout.holds(tile, (y, x, y, x))
    assert layout.windows([tile]) == [(*layout.origin(tile), *layout.tile_shape)]


@given(SHAPES, SIDES, st.data())
def test_what_is_smaller_than_the_overlap_lies_whole_in_some_tile(shape, side, data):
    layout = TileLayout.of_side(shape, side, GRID)
    extent = side // 4 - layout.token if not layout.is_whole else 1
    y = data.draw(st.integers(0, max(0, shape[0] - 1 - extent)))
    x = data.draw(st.integers(0, max(0, shape[1] - 1 - extent)))
    box = (y, x, min(y + extent, shape[0] - 1), min(x + extent, shape[1] - 1))
    assert layout.holds(layout.best(box), box)


@given(SHAPES, SIDES)
def test_neighbours_lie_whole_tokens_apart(shape, side):
    layout = TileLayout.of_side(shape, side, GRID)
    if layout.is_whole:
        assert len(layout) == 1
        return
    for starts in (layout.rows, layout.columns):
        assert starts[0] == 0
        assert all(start % layout.token == 0 for start in starts)
        assert list(starts) == sorted(set(starts))


def test_one_that_covers_the_frame_is_the_frame():
    layout = TileLayout.of_side((48, 64), 64, GRID)
    assert layout == TileLayout.whole((48, 64))
    frame = np.zeros((48, 64, 3), np.uint8)
    assert layout.crop(frame, 0) is frame


def test_beyond_the_frame_its_edge_is_repeated():
    layout = TileLayout.of_side((70, 64), 64, GRID)
    frame = np.arange(70 * 64).reshape(70, 64)
    crop = layout.crop(frame, 1)
    assert layout.origin(1) == (16, 0)
    assert crop.shape == (64, 64)
    np.testing.assert_array_equal(crop[:54], frame[16:])
    np.testing.assert_array_equal(crop[54:], np.repeat(frame[-1:], 10, axis=0))


def test_what_lies_between_two_tiles_does_not_go_to_and_fro():
    layout = TileLayout.of_side((64, 256), 64, 16)
    tile, changes = 0, []
    for x in (*range(10, 60), *range(60, 10, -1)):
        box = (30, x, 40, x + 8)
        before, tile = tile, layout.following(box, tile)
        assert layout.holds(tile, box)
        if tile != before:
            changes.append((before, tile, x))
    (*_, there), (*_, back) = changes
    assert [change[:2] for change in changes] == [(0, 1), (1, 0)]
    assert there > back


def test_a_side_that_tokens_do_not_divide_is_refused():
    with pytest.raises(InputError, match="multiple of 4"):
        TileLayout.of_side((480, 640), 66, GRID)


def test_a_layout_survives_the_trip_through_json():
    layout = TileLayout.of_side((480, 640), 64, GRID)
    assert TileLayout.from_json(json.loads(json.dumps(layout.as_json()))) == layout


@given(SHAPES, SIDES, st.data())
def test_tiles_of_a_region_are_those_of_a_frame_that_was_cut_out(shape, side, data):
    frame_shape = shape[0] + 20, shape[1] + 20
    y, x = data.draw(st.tuples(st.integers(0, 20), st.integers(0, 20)))
    region = (y, x, *(max(length, 16) for length in shape))
    if y + region[2] > frame_shape[0] or x + region[3] > frame_shape[1]:
        region = (0, 0, *region[2:])
    y, x = region[:2]
    inside = TileLayout.of_side(frame_shape, side, GRID, region)
    alone = TileLayout.of_side(region[2:], side, GRID)
    assert inside.covered == region
    assert len(inside) == len(alone)
    assert TileLayout.from_json(json.loads(json.dumps(inside.as_json()))) == inside
    frame = np.arange(np.prod(frame_shape)).reshape(frame_shape)
    cut = frame[y : y + region[2], x : x + region[3]]
    box = (region[2] // 3, region[3] // 2, region[2] // 2, region[3] - 1)
    moved = (box[0] + y, box[1] + x, box[2] + y, box[3] + x)
    assert inside.best(moved) == alone.best(box)
    for tile in range(len(alone)):
        np.testing.assert_array_equal(inside.crop(frame, tile), alone.crop(cut, tile))
        assert inside.holds(tile, moved) == alone.holds(tile, box)
        assert inside.following(moved, tile) == alone.following(box, tile)
        assert inside.shift(0, tile) == alone.shift(0, tile)
    beyond = (y + region[2], x, y + region[2], x)
    assert not any(inside.holds(tile, beyond) for tile in range(len(inside)))
