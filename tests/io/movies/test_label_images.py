"""Label images of any program: numbers as they were stored, or a sentence."""

import pickle
from contextlib import closing

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_sam2.errors import InputError
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.io.movies.label_frames import (
    EVERYTHING,
    LabelSelection,
    cut_label_frames,
)
from napari_sam2.io.prompts.files import read_prompts

SHAPE = (24, 32)
MOVIE = {"frame_shape": SHAPE, "frame_count": 3}


@pytest.fixture
def labels():
    image = np.zeros(SHAPE, np.uint8)
    image[2:9, 3:12] = 1
    image[14:22, 18:30] = 2
    return image


def indexed(path, labels, colors=((0, 0, 0), (128, 0, 0), (0, 128, 0)), **options):
    image = Image.fromarray(labels, mode="P")
    image.putpalette([part for color in colors for part in color])
    image.save(path, **options)


def ids_of(path, **options):
    return [one.object_id for one in read_prompts(path, **MOVIE, **options)]


# --- Indices are numbers


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_an_indexed_png_holds_ids(tmp_path, labels, bits):
    indexed(tmp_path / "00000.png", labels, bits=bits)
    assert ids_of(tmp_path / "00000.png") == [1, 2]


def test_an_indexed_bmp_and_tiff_hold_ids(tmp_path, labels):
    indexed(tmp_path / "l.bmp", labels)
    colormap = np.zeros((3, 256), np.uint16)
    colormap[:, 1:3] = [[60000, 0], [0, 60000], [9, 9]]
    tifffile.imwrite(
        tmp_path / "l.tif", labels, photometric="palette", colormap=colormap
    )
    assert ids_of(tmp_path / "l.bmp") == [1, 2]
    assert ids_of(tmp_path / "l.tif") == [1, 2]


def test_a_palette_of_white_first_is_no_matter(tmp_path, labels):
    colors = ((255, 255, 255), (255, 255, 255), (9, 9, 9))
    indexed(tmp_path / "l.png", labels, colors)
    assert ids_of(tmp_path / "l.png") == [1, 2]


def test_a_folder_of_indexed_images_is_a_movie_of_labels(tmp_path, labels):
    for frame in range(3):
        indexed(tmp_path / f"{frame:05d}.png", np.roll(labels, frame, 1))
    frames = cut_label_frames(tmp_path, EVERYTHING)
    assert (frames.frame_count, frames.frame_shape) == (3, SHAPE)
    np.testing.assert_array_equal(frames.read(2), np.roll(labels, 2, 1))
    assert ids_of(tmp_path, frame=1) == [1, 2]


# --- What a file for labels cannot be


@pytest.mark.parametrize("kind", ["jpg", "png-that-is-jpeg", "tif", "folder", "json"])
def test_lossy_labels_are_refused(tmp_path, labels, kind):
    path = tmp_path / "mask.jpg"
    Image.fromarray(labels * 120).save(path, quality=95)
    if kind == "png-that-is-jpeg":
        path = path.rename(tmp_path / "mask.png")
    elif kind == "tif":
        path = tmp_path / "mask.tif"
        tifffile.imwrite(path, labels * 120, compression="jpeg", tile=(16, 16))
    elif kind == "folder":
        path = tmp_path
    elif kind == "json":
        path = tmp_path / "p.json"
        path.write_text(
            '{"version": 1, "objects": [{"id": 1, "prompts": '
            '[{"frame": 0, "mask": "mask.jpg"}]}]}'
        )
    with pytest.raises(InputError, match=r"JPEG.*PNG or uncompressed TIFF"):
        read_prompts(path, **MOVIE)


@pytest.mark.parametrize("codec", ["jpegxr", "jpeg2000", "webp", "jpegxl", "lerc"])
def test_codecs_that_may_change_pixels_are_refused(tmp_path, labels, codec):
    path = tmp_path / "l.tif"
    pixels = np.stack([labels] * 3, -1) if codec == "webp" else labels
    options = {"photometric": "rgb"} if codec == "webp" else {}
    tifffile.imwrite(path, pixels, compression=codec, tile=(16, 16), **options)
    with pytest.raises(InputError, match="changes pixels"):
        read_prompts(path, **MOVIE)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["00000.png", "00001.png", "00003.png"], "time 2 is missing"),
        (["1.png", "01.png", "2.png"], "have the same number"),
        (["a1.png", "a2.png", "b1.png"], "no file of|not all say"),
        (["left_1.png", "right_1.png", "left_2.png"], "2 series"),
    ],
)
def test_folders_of_labels_are_read_as_folders_of_images_are(
    tmp_path, labels, names, words
):
    for name in names:
        indexed(tmp_path / name, labels)
    with pytest.raises(InputError, match=words) as raised:
        cut_label_frames(tmp_path, EVERYTHING)
    assert raised.value.settings == ()
    assert "pattern" not in str(raised.value)


def test_of_a_folder_with_images_and_masks_the_masks_are_labels(tmp_path, labels):
    for frame in (9, 10, 11):
        tifffile.imwrite(tmp_path / f"t{frame}.tif", labels + np.uint8(100))
        indexed(tmp_path / f"t{frame}_cp_masks.png", np.roll(labels, frame, 1))
    frames = cut_label_frames(tmp_path, EVERYTHING)
    assert frames.frame_count == 3
    np.testing.assert_array_equal(frames.read(1), np.roll(labels, 10, 1))


def test_labels_as_floats_are_labels(tmp_path, labels):
    tifffile.imwrite(tmp_path / "a.tif", labels.astype(np.float32), imagej=True)
    with closing(cut_label_frames(tmp_path / "a.tif", EVERYTHING)) as frames:
        np.testing.assert_array_equal(frames.read(0), labels)
    tifffile.imwrite(tmp_path / "b.tif", labels / np.float32(2), imagej=True)
    tifffile.imwrite(tmp_path / "c.tif", labels * np.float32(1e30), imagej=True)
    for name in ("b.tif", "c.tif"):
        frames = cut_label_frames(tmp_path / name, EVERYTHING)
        with closing(frames), pytest.raises(InputError, match="whole numbers"):
            frames.read(0)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.roi", "Fiji"),
        ("RoiSet.zip", "ROIs of Fiji"),
        ("a.h5", "ilastik"),
        ("a.npz", r"\.npy"),
        ("a.tsv", r"table as \.csv"),
        ("tracks.xml", "napari-sam2 import"),
        ("a.geojson", "label images"),
        ("a.zvi", "Fiji"),
        ("a.xyz", "TIFF, PNG"),
    ],
)
def test_other_kinds_of_file_say_what_to_do(tmp_path, name, words):
    (tmp_path / name).write_bytes(b"PK\3\4 something")
    with pytest.raises(InputError, match=f"{name} is of an unknown kind: .*{words}"):
        read_prompts(tmp_path / name, **MOVIE)
    with pytest.raises(InputError, match=f"{name} is of an unknown kind: "):
        open_frames(tmp_path / name)


@pytest.mark.parametrize("name", ["slide.vsi", "photo.NEF", "photo.dng"])
def test_a_preview_is_neither_movie_nor_labels(tmp_path, name):
    tifffile.imwrite(tmp_path / name, np.ones((8, 9), np.uint8))
    with pytest.raises(InputError, match="small picture; open it in Fiji"):
        open_frames(tmp_path / name)
    with pytest.raises(InputError, match="small picture; open it in Fiji"):
        read_prompts(tmp_path / name, **MOVIE)


class Program:
    """What a pickle may hold: it leaves a file behind when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("there", [(), ("a_cp_masks.png",), ("a_cp_masks.tif",)])
def test_cellpose_s_pickle_is_refused_and_not_run(tmp_path, there):
    for name in there:
        (tmp_path / name).write_bytes(b"")
    path, trap = tmp_path / "a_seg.npy", tmp_path / "trap"
    np.save(path, np.array({"masks": Program(trap)}, object), allow_pickle=True)
    with pytest.raises(InputError, match=r"pickle.*a_cp_masks\.(png|tif)") as raised:
        read_prompts(path, **MOVIE)
    assert [name in str(raised.value) for name in there] in ([], [True])
    for read in (open_frames, lambda one: cut_label_frames(one, EVERYTHING)):
        with pytest.raises(InputError, match="pickle"):
            read(path)
    assert not trap.exists()


@pytest.mark.parametrize("kind", ["objects", "bare", "structured"])
def test_other_pickles_are_refused_and_not_run(tmp_path, kind):
    path, trap = tmp_path / "labels.npy", tmp_path / "trap"
    if kind == "bare":
        path.write_bytes(pickle.dumps(Program(trap)))
    else:
        array = np.array([Program(trap)], object)
        if kind == "structured":
            array = np.array([(1, Program(trap))], [("a", int), ("b", object)])
        np.save(path, array, allow_pickle=True)
    for read in (open_frames, lambda one: read_prompts(one, **MOVIE)):
        with pytest.raises(InputError, match="pickle is a program"):
            read(path)
    assert not trap.exists()


def test_numbers_in_npy_are_read(tmp_path, labels):
    np.save(tmp_path / "l.npy", labels)
    assert ids_of(tmp_path / "l.npy") == [1, 2]
    np.save(tmp_path / "movie.npy", np.zeros((3, *SHAPE), np.uint8))
    assert open_frames(tmp_path / "movie.npy").frame_count == 3


# --- What stands for background, planes and channels


def test_minus_one_is_background(tmp_path, labels):
    signed = labels.astype(np.int16)
    signed[labels == 0] = -1
    tifffile.imwrite(tmp_path / "l.tif", signed)
    assert ids_of(tmp_path / "l.tif") == [1, 2]
    with closing(cut_label_frames(tmp_path / "l.tif", EVERYTHING)) as frames:
        np.testing.assert_array_equal(frames.read(0), labels)
    tifffile.imwrite(tmp_path / "m.tif", signed - 1)
    with (
        closing(cut_label_frames(tmp_path / "m.tif", EVERYTHING)) as frames,
        pytest.raises(InputError, match=r"-2 is no label"),
    ):
        frames.read(0)


def test_what_is_transparent_is_background(tmp_path, labels):
    grey = np.where(labels > 0, labels, 77)
    opaque = np.where(labels > 0, 255, 0)
    pixels = np.stack([grey, opaque], axis=-1).astype(np.uint8)
    Image.fromarray(pixels, mode="LA").save(tmp_path / "l.png")
    assert ids_of(tmp_path / "l.png") == [1, 2]


def test_colors_are_ids_of_their_own(tmp_path, labels):
    colors = np.array([[0, 0, 0], [200, 0, 0], [0, 0, 9]], np.uint8)
    Image.fromarray(colors[labels]).save(tmp_path / "l.png")
    frames = cut_label_frames(tmp_path / "l.png", EVERYTHING)
    read = frames.read(0)
    assert frames.saw_colors
    np.testing.assert_array_equal(read == 0, labels == 0)
    first, second = np.unique(read[labels == 1]), np.unique(read[labels == 2])
    assert len(first) == len(second) == 1
    assert first != second


def test_a_plane_and_a_channel_of_the_truth_are_chosen(tmp_path, labels):
    stack = np.zeros((3, 2, 4, *SHAPE), np.uint16)
    stack[:, 1, 2] = labels
    zarr.create_array(tmp_path / "l.zarr", data=stack)
    with pytest.raises(InputError, match="does not say") as raised:
        cut_label_frames(tmp_path / "l.zarr", EVERYTHING)
    assert raised.value.settings == ("axes",)
    part = LabelSelection(axes="TCZYX", z=2, channel=1)
    frames = cut_label_frames(tmp_path / "l.zarr", part)
    np.testing.assert_array_equal(frames.read(1), labels)


def test_messages_about_labels_hold_no_words_of_images(tmp_path):
    tifffile.imwrite(
        tmp_path / "l.tif",
        np.zeros((3, 2, *SHAPE), np.uint16),
        metadata={"axes": "TCYX"},
        photometric="minisblack",
    )
    with pytest.raises(InputError, match="channels") as raised:
        cut_label_frames(tmp_path / "l.tif", EVERYTHING)
    assert "intensity" not in str(raised.value)
    assert str(raised.value).endswith("has 2 channels: choose one, 0 to 1")
