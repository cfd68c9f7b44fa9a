"""Clicks into the innermost pixel of each object."""

import numpy as np
import pytest

from napari_sam2.synthetic import SimulatedMovie, preset
from napari_sam2.synthetic.clicks import clicks_inside, innermost_pixel


def test_innermost_pixel_is_the_first_of_the_deepest():
    mask = np.zeros((9, 20), bool)
    mask[1:4, 2:7] = True  # depth 2 along (2, 3) … (2, 5)
    mask[4:9, 15:20] = True  # depth 3 at (6, 17)
    assert innermost_pixel(mask[:, :10]) == (2, 3)
    assert innermost_pixel(mask) == (6, 17)


def test_the_edge_of_the_image_is_a_border_of_the_mask():
    assert innermost_pixel(np.ones((5, 5), bool)) == (2, 2)


def test_an_empty_mask_is_refused():
    with pytest.raises(ValueError, match="empty mask"):
        innermost_pixel(np.zeros((3, 3), bool))


def test_every_cell_gets_one_click_on_itself():
    labels = SimulatedMovie(preset("phase")).labels(0)
    clicks = clicks_inside(labels)
    assert sorted(clicks) == np.unique(labels)[1:].tolist()
    for object_id, (y, x) in clicks.items():
        assert labels[y, x] == object_id
        assert (y, x) == innermost_pixel(labels == object_id)
