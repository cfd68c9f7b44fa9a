from types import SimpleNamespace

import dask.array as da
import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.engine.movie.axes import lay_out_layer
from napari_sam2.errors import InputError
from napari_sam2.ui.layers.labels_in_layer import LabelsInLayer


class Frames:
    """Label images that are all there."""

    def __init__(self, labels):
        self.labels, self.dtype = labels, labels.dtype

    def read(self, frames):
        return (self.labels[one] for one in frames)

    look = read

    def paint(self, frame_index, rows, columns, labels):
        self.labels[frame_index][rows, columns] = labels


def seen_in(labels, axes):
    return LabelsInLayer(Frames(labels), axes)


STORED = np.arange(1, 4 * 6 * 7 + 1, dtype=np.uint16).reshape(4, 6, 7)
SHAPE = (3, 4, 2, 6, 7)
AXES = lay_out_layer(SHAPE, ("z", "t", "c", "y", "x"), 1, {0: 2})


def everything():
    """The same, written out: on plane 2, in both channels."""
    whole = np.zeros(SHAPE, np.uint16)
    whole[2, :, 0] = whole[2, :, 1] = STORED
    return whole


def parts_of(length):
    inside = st.integers(-length, length - 1)
    return st.one_of(inside, st.slices(length))


@given(st.tuples(*(parts_of(length) for length in SHAPE)))
def test_any_part_is_what_the_whole_would_give(key):
    seen = seen_in(STORED, AXES)[key]
    np.testing.assert_array_equal(seen, everything()[key])


def test_short_and_open_ended_indices():
    labels = seen_in(STORED, AXES)
    np.testing.assert_array_equal(labels[2], everything()[2])
    np.testing.assert_array_equal(labels[..., 0], everything()[..., 0])
    np.testing.assert_array_equal(np.asarray(labels), everything())
    assert (labels.shape, labels.ndim, labels.size) == (SHAPE, 5, everything().size)


def test_a_single_image_has_no_frame_axis():
    axes = lay_out_layer((6, 7), ("y", "x"), None, {})
    labels = seen_in(STORED[:1], axes)
    np.testing.assert_array_equal(labels[1:3, 2], STORED[0, 1:3, 2])


@given(
    st.tuples(*(parts_of(length) for length in SHAPE)),
    st.integers(0, 60_000),
)
def test_painting_any_part_changes_the_plane_and_nothing_else(key, value):
    stored = STORED.copy()
    labels = seen_in(stored, AXES)
    block = labels[key]
    new = (np.arange(block.size, dtype=np.uint16) + np.uint16(value)).reshape(
        block.shape
    )
    expected = everything()
    expected[key] = new
    labels[key] = new
    z, _, c, _, _ = (np.arange(n)[part] for n, part in zip(SHAPE, key, strict=True))
    if 2 in np.atleast_1d(z) and np.size(c):
        channel = int(np.atleast_1d(c)[0])
        np.testing.assert_array_equal(stored, expected[2, :, channel])
        assert not labels.take_off_plane()
    else:
        np.testing.assert_array_equal(stored, STORED)
        assert labels.take_off_plane()
        assert not labels.take_off_plane()


def test_one_value_is_painted_everywhere():
    stored = STORED.copy()
    seen_in(stored, AXES)[2, 1, 0, 1:3, 2:-1] = 7
    expected = STORED.copy()
    expected[1, 1:3, 2:-1] = 7
    np.testing.assert_array_equal(stored, expected)


def test_single_places_as_napari_names_them():
    """Of two on the plane one counts from the end; the third lies off the plane."""
    stored = STORED.copy()
    labels = seen_in(stored, AXES)
    key = tuple(map(np.array, ([2, 2, 0], [1, -1, 1], [0, 1, 1], [3, 4, 5], [0, 0, 6])))
    np.testing.assert_array_equal(labels[key], everything()[key])
    labels[key] = np.array([70, 71, 72])
    expected = STORED.copy()
    expected[1, 3, 0], expected[3, 4, 0] = 70, 71
    np.testing.assert_array_equal(stored, expected)
    assert labels.take_off_plane()


FANCY = [
    ([2, 0],),
    (2, [0, -1, 0]),
    (2, slice(None), 0, [5, 0], slice(None, None, -1)),
    ([[2], [1]], [0, 3], Ellipsis, 4),
    (slice(None), 1, None, [1, 0]),
    (Ellipsis, np.arange(42).reshape(6, 7) % 5 == 0),
    (np.arange(3) == 2, slice(3, None, -2)),
    ([], 0),
    everything() > 20,
    (*map(np.array, (2, [1, -1], 1, [3, 4], [0, 0])),),
]


@pytest.mark.parametrize("key", FANCY, ids=str)
def test_lists_and_masks_are_indices_as_numpy_has_them(key):
    np.testing.assert_array_equal(seen_in(STORED, AXES)[key], everything()[key])
    stored, expected = STORED.copy(), everything()
    seen_in(stored, AXES)[key] = 9
    expected[key] = 9
    named = np.zeros(SHAPE, bool)
    named[key] = True
    np.testing.assert_array_equal(stored == 9, named[2].any(axis=1) | (STORED == 9))


@pytest.mark.parametrize("key", [(0,) * 6, 3, (0, [4]), (..., ...), True, 0.5])
def test_what_is_no_index_is_refused(key):
    with pytest.raises((IndexError, TypeError)):
        seen_in(STORED, AXES)[key]


def test_they_are_computed_with_like_an_array():
    labels = seen_in(STORED, AXES)
    np.testing.assert_array_equal(labels == 20, everything() == 20)
    np.testing.assert_array_equal(2 + labels, 2 + everything())
    assert np.max(labels) == everything().max()
    assert len(labels) == SHAPE[0]
    np.testing.assert_array_equal(labels.astype(float), everything())
    np.testing.assert_array_equal(da.from_array(labels)[2, 1].compute(), labels[2, 1])
    with pytest.raises(TypeError):
        labels += 1
    with pytest.raises(ValueError, match="copy"):
        np.array(labels, copy=False)


def test_what_does_not_fit_into_memory_is_refused_and_names_the_export(monkeypatch):
    labels = seen_in(STORED, AXES)
    monkeypatch.setattr(
        psutil, "virtual_memory", lambda: SimpleNamespace(available=1000)
    )
    with pytest.raises(InputError, match=r"save the layer as \.zarr"):
        np.asarray(labels)
    assert labels[2, 1, 0].shape == (6, 7)


def test_a_single_image_can_be_painted_on():
    stored = STORED[:1].copy()
    seen_in(stored, lay_out_layer((6, 7), ("y", "x"), None, {}))[2:4, 5] = 9
    assert (stored[0, 2:4, 5] == 9).all()
    assert (stored == 9).sum() - (STORED[:1] == 9).sum() in (1, 2)
