"""What is left out of the stored logits cannot be seen in the masks."""

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_sam2.interfaces import ABSENT_LOGIT
from napari_sam2.io.label_store.mask_logits import (
    LogitArray,
    keep_around_positive,
)

logit_maps = arrays(
    np.float32,
    array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9),
    elements=st.floats(-20, 4, width=32),
)


def upsample(logits, shape):
    """Bilinear, corners not aligned, weights as in torch: ``(objects, *shape)``."""
    for axis, length in zip((1, 2), shape, strict=True):
        size = logits.shape[axis]
        position = (np.arange(length, dtype=np.float32) + 0.5) * size / length - 0.5
        position = np.clip(position, 0, None).astype(np.float32)
        low = np.minimum(position.astype(int), size - 1)
        high = np.minimum(low + 1, size - 1)
        broadcast = [1, 1, 1]
        broadcast[axis] = length
        weight = (position - low).astype(np.float32).reshape(broadcast)
        low_values, high_values = (np.take(logits, one, axis) for one in (low, high))
        logits = low_values * (1 - weight) + high_values * weight
    return logits


@given(logits=logit_maps, height=st.integers(1, 30), width=st.integers(1, 30))
def test_upsampled_masks_and_positive_values_are_equal(logits, height, width):
    kept = keep_around_positive(logits)
    before = upsample(logits, (height, width))
    after = upsample(kept, (height, width))
    np.testing.assert_array_equal(after > 0, before > 0)
    np.testing.assert_array_equal(after[before > 0], before[before > 0])


@given(logits=logit_maps)
def test_only_pixels_next_to_positive_ones_are_kept(logits):
    kept = keep_around_positive(logits)
    padded = np.pad(logits, ((0, 0), (1, 1), (1, 1)), constant_values=-1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    near = windows.max(axis=(-1, -2)) > 0
    np.testing.assert_array_equal(kept, np.where(near, logits, ABSENT_LOGIT))
    assert kept.dtype == np.float32


def test_an_input_is_not_changed():
    logits = np.full((1, 4, 4), -3.0, np.float32)
    keep_around_positive(logits)
    assert (logits == -3.0).all()


@pytest.mark.parametrize("columns", [[0], [17, 3, 16], list(range(20)), [19, 18]])
def test_columns_of_several_chunks(tmp_path, columns):
    array = LogitArray.create(zarr.create_group(tmp_path / "x"), (2, 20, 3, 4))
    everything = np.random.default_rng(0).uniform(1, 2, (20, 3, 4)).astype(np.float32)
    array.write(1, list(range(20)), everything)
    replaced = np.random.default_rng(1).uniform(3, 4, (len(columns), 3, 4))
    array.write(1, columns, replaced.astype(np.float32))
    everything[columns] = replaced
    np.testing.assert_array_equal(array.read(1, range(20)), everything)
    np.testing.assert_array_equal(array.read(1, columns), everything[columns])
    assert (array.read(0, [4]) == ABSENT_LOGIT).all()


def test_masks_take_little_room(tmp_path):
    """A disc of 40 pixels in 256 × 256 logits, 10 objects: some kilobytes a frame."""
    array = LogitArray.create(zarr.create_group(tmp_path / "x"), (1, 10, 256, 256))
    rows, columns = np.mgrid[:256, :256]
    noise = np.random.default_rng(0).normal(0, 0.2, (10, 256, 256))
    logits = 20 - np.hypot(rows - 100, columns - 120) + noise
    array.write(0, list(range(10)), logits.astype(np.float32))
    size = sum(one.stat().st_size for one in tmp_path.rglob("c/*/*/*/*"))
    assert size < 10 * 40 * 40 * 4


def test_two_objects_far_apart_read_and_write_two_chunks_only(tmp_path, monkeypatch):
    """Objects 3 and 990 of 1,000: 32 logit maps pass through memory, not 1,000."""
    array = LogitArray.create(zarr.create_group(tmp_path / "x"), (2, 1000, 3, 4))
    logits = np.random.default_rng(0).uniform(1, 2, (2, 3, 4)).astype(np.float32)
    sizes = []
    inner = zarr.Array.__getitem__

    def counting(self, key):
        found = inner(self, key)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(zarr.Array, "__getitem__", counting)
    array.write(1, [990, 3], logits)
    np.testing.assert_array_equal(array.read(1, [990, 3]), logits)
    assert sum(sizes) <= 2 * (16 + 16)
    assert len(list((tmp_path / "x" / "logits" / "c" / "1").iterdir())) == 2
