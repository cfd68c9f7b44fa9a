"""Folders of images and masks: what is read, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_sam2.errors import InputError
from napari_sam2.io.training_images import read_folder, to_uint8


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    colour = np.stack([grey, grey + 1, grey + 2, np.full_like(grey, 255)], axis=-1)
    labels = np.zeros((6, 8), np.uint16)
    labels[2:4, 2:5] = 300
    Image.fromarray(grey).save(tmp_path / "images" / "a.png")
    Image.fromarray(colour).save(tmp_path / "images" / "b.png")
    for name in "ab":
        tifffile.imwrite(tmp_path / "masks" / f"{name}.tif", labels)
    return tmp_path


def test_pairs_are_read_in_order(folder):
    one, two = read_folder(folder)
    assert (one.name, two.name) == ("a.png", "b.png")
    assert one.frames.shape == (1, 6, 8, 1)
    assert two.frames.shape == (1, 6, 8, 3)
    assert one.labels.max() == 300
    assert one.frames.dtype == np.uint8


def test_equal_channels_become_one():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    opaque = np.stack([grey, grey, grey, np.full_like(grey, 255)], axis=-1)
    np.testing.assert_array_equal(to_uint8(opaque)[..., 0], grey)
    assert to_uint8(opaque).shape == (3, 4, 1)


def test_other_depths_are_stretched():
    wide = np.linspace(5000, 60000, 100).reshape(10, 10).astype(np.uint16)
    narrow = to_uint8(wide)
    assert (narrow.min(), narrow.max()) == (0, 255)
    assert np.all(np.diff(narrow.ravel().astype(int)) >= 0)


def test_a_missing_mask_is_named(folder):
    (folder / "masks" / "b.tif").unlink()
    with pytest.raises(InputError, match=r"b\.png"):
        list(read_folder(folder))


def test_unequal_shapes_are_refused(folder):
    tifffile.imwrite(folder / "masks" / "a.tif", np.zeros((5, 8), np.uint16))
    with pytest.raises(InputError, match="same pixels"):
        list(read_folder(folder))


def test_missing_or_empty_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        list(read_folder(tmp_path))
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(InputError, match="holds no image"):
        list(read_folder(tmp_path))


def test_a_broken_image_is_named(folder):
    (folder / "images" / "a.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(InputError, match=r"a\.png"):
        list(read_folder(folder))
