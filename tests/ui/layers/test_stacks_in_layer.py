"""Stacks in a layer are indexed as numpy's arrays are."""

import numpy as np
import pytest

from napari_sam2.ui.layers.stacks_in_layer import StacksInLayer

SHAPE = (3, 4, 5, 6)


@pytest.mark.parametrize(
    "key",
    [
        (1, 2),
        (1, 2, slice(None), slice(None)),
        (slice(None), 2, slice(1, 3), 4),
        (2, slice(None, None, 2), 3, 4),
        (1, 2, 3, 4),
        (..., 4),
        -1,
        (slice(0, 0), 1),
    ],
)
def test_parts_are_those_of_an_array(key):
    stored = np.arange(360, dtype=np.uint16).reshape(SHAPE)
    seen = StacksInLayer(lambda frame, plane: stored[frame, plane], SHAPE, stored.dtype)
    found = seen[key]
    if found.size or stored[key].size:
        np.testing.assert_array_equal(found, stored[key])
    np.testing.assert_array_equal(np.asarray(seen), stored)
    assert len(seen) == 3
