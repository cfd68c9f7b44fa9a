"""Masks are shown in the colours that files hold."""

import numpy as np
import pytest
from napari.layers import Labels

from napari_sam2.io.ome_zarr.metadata import object_colour
from napari_sam2.ui.layers.colors import object_color, object_colors


@pytest.mark.parametrize("object_id", [1, 2, 47, 48, 49, 50, 1000, 65535])
def test_colours_in_the_window_are_those_in_the_file(object_id):
    written = np.array(object_colour(object_id)) / 255
    np.testing.assert_allclose(object_color(object_id), written, atol=1e-3)
    layer = Labels(np.full((2, 2), object_id, np.uint16), colormap=object_colors())
    np.testing.assert_allclose(layer.get_color(object_id), written, atol=1e-3)
