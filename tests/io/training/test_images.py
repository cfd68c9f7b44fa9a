"""Folders of images and masks: what is read, and what is refused."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_sam2.errors import InputError
from napari_sam2.io.training.images import (
    read_folder,
    read_pair,
    read_picture,
    to_uint8,
)


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


def test_palettes_are_colours_in_images_and_ids_in_masks(folder):
    indices = np.zeros((6, 8), np.uint8)
    indices[2:4, 2:5] = 1
    picture = Image.fromarray(indices).convert("P")
    picture.putpalette([10, 20, 30, 200, 100, 50])
    for part in ("images", "masks"):
        picture.save(folder / part / "a.png")
    one = read_pair(folder / "images" / "a.png", folder / "masks" / "a.png")
    assert one.frames[0, 0, 0].tolist() == [10, 20, 30]
    assert one.frames[0, 2, 2].tolist() == [200, 100, 50]
    np.testing.assert_array_equal(one.labels[0], indices)


def test_palettes_of_tiff_images_are_colours(folder):
    colours = np.zeros((3, 256), np.uint16)
    colours[:, 7] = np.array([200, 100, 50]) * 257
    image = folder / "images" / "c.tif"
    indices = np.full((6, 8), 7, np.uint8)
    tifffile.imwrite(image, indices, photometric="palette", colormap=colours)
    one = read_pair(image, folder / "masks" / "a.tif")
    assert one.frames[0, 0, 0].tolist() == [200, 100, 50]


def test_black_and_white_images_are_read(folder):
    white = np.zeros((6, 8), bool)
    white[1, 1] = True
    Image.fromarray(white).save(folder / "images" / "a.png")
    one = read_pair(folder / "images" / "a.png", folder / "masks" / "a.tif")
    np.testing.assert_array_equal(one.frames[0, ..., 0], white * np.uint8(255))


def test_printing_colours_become_rgb(folder):
    path = folder / "images" / "c.jpg"
    Image.new("CMYK", (8, 6), (0, 0, 0, 0)).save(path)
    one = read_pair(path, folder / "masks" / "a.tif")
    assert one.frames.min() > 250  # no ink


def test_hidden_files_are_passed_over(folder):
    for part in ("images", "masks"):
        (folder / part / "._a.png").write_bytes(b"of the file system")
    assert [one.name for one in read_folder(folder)] == ["a.png", "b.png"]


def test_nan_is_dark_and_the_rest_is_stretched(folder):
    pixels = np.linspace(3.0, 9.0, 48, dtype=np.float32).reshape(6, 8)
    pixels[0, 0], pixels[5, 7] = np.nan, np.inf
    shown = to_uint8(pixels)[..., 0]
    assert (shown[0, 0], shown[5, 7]) == (0, 255)
    assert np.all(np.diff(shown.ravel()[1:].astype(int)) >= 0)
    assert len(np.unique(shown)) > 40


def test_an_image_of_nan_alone_is_named(folder):
    path = folder / "images" / "a.tif"
    tifffile.imwrite(path, np.full((6, 8), np.nan, np.float32))
    with pytest.raises(InputError, match=r"a\.tif: no pixel"):
        read_pair(path, folder / "masks" / "a.tif")


@pytest.mark.parametrize(
    "value", [np.int16(-1), np.float32(1.5), np.float32("nan"), np.uint32(2**32 - 1)]
)
def test_masks_with_what_is_no_id_are_refused(folder, value):
    labels = np.zeros((6, 8), value.dtype)
    labels[3, 3] = value
    tifffile.imwrite(folder / "masks" / "a.tif", labels)
    with pytest.raises(InputError, match=r"a\.tif: holds .*write 0"):
        list(read_folder(folder))


def test_masks_of_whole_floats_are_read(folder):
    labels = np.zeros((6, 8), np.float32)
    labels[3, 3] = 5.0
    tifffile.imwrite(folder / "masks" / "a.tif", labels)
    assert next(read_folder(folder)).labels.max() == 5


def test_sixteen_bit_colours_keep_their_depth(folder):
    pixels = np.arange(6 * 8 * 3, dtype=np.uint16).reshape(6, 8, 3) * 20
    (folder / "images" / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    picture = read_picture(folder / "images" / "a.png")
    np.testing.assert_array_equal(picture, pixels, strict=True)


def test_masks_as_jpeg_are_refused(folder):
    Image.new("L", (8, 6), 1).save(folder / "masks" / "a.jpg")
    with pytest.raises(InputError, match="is a JPEG"):
        read_pair(folder / "images" / "a.png", folder / "masks" / "a.jpg")
