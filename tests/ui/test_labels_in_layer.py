import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.ui.labels_in_layer import LabelsInLayer
from napari_sam2.ui.layer_axes import lay_out_layer

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
