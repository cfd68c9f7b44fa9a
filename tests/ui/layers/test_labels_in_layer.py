import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.engine.movie.axes import lay_out_layer
from napari_sam2.ui.layers.labels_in_layer import LabelsInLayer

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
    seen = LabelsInLayer(STORED, AXES)[key]
    np.testing.assert_array_equal(seen, everything()[key])


def test_short_and_open_ended_indices():
    labels = LabelsInLayer(STORED, AXES)
    np.testing.assert_array_equal(labels[2], everything()[2])
    np.testing.assert_array_equal(labels[..., 0], everything()[..., 0])
    np.testing.assert_array_equal(np.asarray(labels), everything())
    assert (labels.shape, labels.ndim, labels.size) == (SHAPE, 5, everything().size)


def test_a_single_image_has_no_frame_axis():
    axes = lay_out_layer((6, 7), ("y", "x"), None, {})
    labels = LabelsInLayer(STORED[:1], axes)
    np.testing.assert_array_equal(labels[1:3, 2], STORED[0, 1:3, 2])


@given(
    st.tuples(*(parts_of(length) for length in SHAPE)),
    st.integers(0, 60_000),
)
def test_painting_any_part_changes_the_plane_and_nothing_else(key, value):
    stored = STORED.copy()
    labels = LabelsInLayer(stored, AXES)
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
    LabelsInLayer(stored, AXES)[2, 1, 0, 1:3, 2:-1] = 7
    expected = STORED.copy()
    expected[1, 1:3, 2:-1] = 7
    np.testing.assert_array_equal(stored, expected)


def test_single_places_as_napari_names_them():
    """Of two on the plane one counts from the end; the third lies off the plane."""
    stored = STORED.copy()
    labels = LabelsInLayer(stored, AXES)
    key = tuple(map(np.array, ([2, 2, 0], [1, -1, 1], [0, 1, 1], [3, 4, 5], [0, 0, 6])))
    np.testing.assert_array_equal(labels[key], everything()[key])
    labels[key] = np.array([70, 71, 72])
    expected = STORED.copy()
    expected[1, 3, 0], expected[3, 4, 0] = 70, 71
    np.testing.assert_array_equal(stored, expected)
    assert labels.take_off_plane()
    with pytest.raises(IndexError, match="4 index arrays"):
        labels[key[:4]]


def test_a_single_image_can_be_painted_on():
    stored = STORED[:1].copy()
    LabelsInLayer(stored, lay_out_layer((6, 7), ("y", "x"), None, {}))[2:4, 5] = 9
    assert (stored[0, 2:4, 5] == 9).all()
    assert (stored == 9).sum() - (STORED[:1] == 9).sum() in (1, 2)
