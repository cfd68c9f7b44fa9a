"""Area, centre and brightness of labelled regions."""

import numpy as np
import pytest

from napari_sam2.metrics.regions import areas, measure


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_measurements_are_those_of_each_mask(dtype):
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 6, (30, 40)).astype(dtype)
    image = rng.normal(100, 10, labels.shape)
    found = measure(labels, (5, 2, 900), image)
    for column, object_id in enumerate((5, 2)):
        y, x = np.nonzero(labels == object_id)
        assert found.area[column] == len(y)
        np.testing.assert_allclose(found.centroid_y[column], y.mean(), rtol=1e-6)
        np.testing.assert_allclose(found.centroid_x[column], x.mean(), rtol=1e-6)
        inside = image[labels == object_id].mean()
        np.testing.assert_allclose(found.mean_intensity[column], inside, rtol=1e-6)
    assert found.area[2] == 0
    others = (found.centroid_y, found.centroid_x, found.mean_intensity)
    assert np.isnan([values[2] for values in others]).all()
    np.testing.assert_array_equal(areas(labels, (5, 2, 900)), found.area)


@pytest.mark.parametrize("labels", [np.eye(3, dtype=np.uint16), np.zeros((0, 4), int)])
def test_of_no_objects_nothing_is_measured(labels):
    assert measure(labels, ()).area.shape == areas(labels, ()).shape == (0,)


def test_large_ids_take_no_memory():
    labels = np.zeros((4, 5), np.uint32)
    labels[1, 2:4], labels[3] = 2**32 - 1, 3_000_000_000
    ids = (3_000_000_000, 2**32 - 1)
    assert areas(labels, ids).tolist() == [5, 2]
    assert measure(labels, ids).centroid_x.tolist() == [2.0, 2.5]
