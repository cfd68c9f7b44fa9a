"""Layouts of labelled movies: tiny ones, written here, read as they were meant."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_sam2.errors import InputError
from napari_sam2.io.training.coco import read_coco, stacked_labels
from napari_sam2.io.training.ctc import read_ctc, read_tracks
from napari_sam2.io.training.davis import read_davis
from napari_sam2.io.training.images import LabelledImage
from napari_sam2.io.training.sav import read_sav
from napari_sam2.io.training.sources import TrainingSource, read_source, shrunk

SHAPE = (24, 32)


def square(top: int, left: int, size: int = 8) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[top : top + size, left : left + size] = True
    return mask


# --- Cell Tracking Challenge


@pytest.fixture
def ctc(tmp_path):
    """Four frames; cell 7 moves, cell 9 begins on frame 2; frame 1 has no masks."""
    for folder in ("01", "01_GT/TRA", "01_GT/SEG"):
        (tmp_path / folder).mkdir(parents=True)
    for frame in range(4):
        markers = np.zeros(SHAPE, np.uint16)
        markers[5:7, 4 + frame : 6 + frame] = 7
        segments = np.where(square(2, 1 + frame), 1, 0).astype(np.uint16)
        if frame >= 2:
            markers[15:17, 20:22] = 9
            segments[square(12, 17)] = 2
        segments[23, 31] = 3  # without a track
        picture = (1000 + 500 * (segments > 0)).astype(np.uint16)
        tifffile.imwrite(tmp_path / f"01/t{frame:03}.tif", picture)
        tifffile.imwrite(tmp_path / f"01_GT/TRA/man_track{frame:03}.tif", markers)
        if frame != 1:
            tifffile.imwrite(tmp_path / f"01_GT/SEG/man_seg{frame:03}.tif", segments)
    (tmp_path / "01_GT/TRA/man_track.txt").write_text("7 0 3 0\n9 2 3 0\n")
    return tmp_path


def test_segments_get_the_ids_of_their_tracks(ctc):
    first, second = read_ctc(ctc)
    assert not first.is_complete  # a segment has no track
    assert (first.name, second.name) == ("01 0-0", "01 2-3")
    assert second.frames.shape == (2, *SHAPE, 1)
    assert second.frames.min() == 0
    assert second.frames.max() == 255
    np.testing.assert_array_equal(second.labels[1] == 7, square(2, 4))
    np.testing.assert_array_equal(second.labels[0] == 9, square(12, 17))
    assert set(np.unique(first.labels)) == {0, 7}


def test_silver_truth_is_taken_where_there_is_one(ctc):
    (ctc / "01_ST/SEG").mkdir(parents=True)
    for frame in range(4):
        segments = np.where(square(2, 1 + frame), 5, 0).astype(np.uint16)
        tifffile.imwrite(ctc / f"01_ST/SEG/man_seg{frame:03}.tif", segments)
    (movie,) = read_ctc(ctc)
    assert (movie.name, len(movie.frames)) == ("01", 4)
    assert all((labels == 7).sum() == 64 for labels in movie.labels)


def test_a_track_where_it_must_not_be_is_refused(ctc):
    (ctc / "01_GT/TRA/man_track.txt").write_text("7 0 3 0\n9 3 3 0\n")
    with pytest.raises(InputError, match=r"man_track002.*9.*frame 2"):
        list(read_ctc(ctc))


def test_volumes_are_refused(ctc):
    tifffile.imwrite(ctc / "01/t000.tif", np.zeros((2, *SHAPE), np.uint16))
    with pytest.raises(InputError, match="2D"):
        list(read_ctc(ctc))


def test_a_tracked_cell_without_a_mask_is_unknown_not_absent(ctc):
    for frame in range(4):
        segments = np.where(square(2, 1 + frame), 1, 0).astype(np.uint16)
        if frame == 3:  # cell 9 has a mask here only, and a marker on frame 2, too
            segments[square(12, 17)] = 2
        tifffile.imwrite(ctc / f"01_GT/SEG/man_seg{frame:03}.tif", segments)
    (movie,) = read_ctc(ctc)
    assert not movie.is_complete
    assert all(set(np.unique(labels)) == {0, 7} for labels in movie.labels)


def test_masks_of_all_tracks_are_complete(ctc):
    for frame in range(4):
        segments = np.where(square(2, 1 + frame), 1, 0).astype(np.uint16)
        if frame >= 2:
            segments[square(12, 17)] = 2
        tifffile.imwrite(ctc / f"01_GT/SEG/man_seg{frame:03}.tif", segments)
    (movie,) = read_ctc(ctc)
    assert movie.is_complete
    assert (movie.labels == 9).any((1, 2)).tolist() == [False, False, True, True]


@given(st.text(max_size=40))
def test_any_track_file_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("tracks") / "man_track.txt"
    path.write_text(text)
    try:
        tracks = read_tracks(path)
    except InputError:
        return
    assert all(track.first <= track.last for track in tracks.values())


# --- DAVIS


@pytest.fixture
def davis(tmp_path):
    images, masks = (
        tmp_path / part / "480p" / "cell" for part in ("JPEGImages", "Annotations")
    )
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    for frame in range(3):
        indices = np.where(square(3, 2 + frame), 2, 0).astype(np.uint8)
        indices[0] = 255
        colour = np.repeat((indices * 40)[..., None], 3, axis=-1)
        colour[..., 0] += 9
        Image.fromarray(colour).save(images / f"{frame:05}.jpg")
        picture = Image.fromarray(indices)
        picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0] + [0] * 759)
        picture.save(masks / f"{frame:05}.png")
    return tmp_path


def test_davis_masks_are_palette_indices(davis):
    (video,) = read_davis(davis)
    assert video.name == "cell"
    assert video.frames.shape == (3, *SHAPE, 3)
    np.testing.assert_array_equal(video.labels[2] == 2, square(3, 4))
    assert set(np.unique(video.labels)) == {0, 2}  # void is not an object
    assert not video.is_complete


def test_a_mask_without_image_is_named(davis):
    (davis / "JPEGImages/480p/cell/00001.jpg").unlink()
    with pytest.raises(InputError, match=r"00001\.png"):
        list(read_davis(davis))


def test_grey_masks_of_davis_2016_are_one_object(davis):
    for path in sorted((davis / "Annotations").rglob("*.png")):
        with Image.open(path) as opened:
            grey = np.where(np.asarray(opened) == 2, 255, 0).astype(np.uint8)
        Image.fromarray(grey).save(path)
    (video,) = read_davis(davis)
    np.testing.assert_array_equal(video.labels[2] == 1, square(3, 4))
    assert video.labels.max() == 1


def test_one_resolution_of_davis_is_read(davis):
    for part in ("JPEGImages", "Annotations"):
        shutil.copytree(davis / part / "480p", davis / part / "Full-Resolution")
    (video,) = read_davis(davis)
    assert video.name == "cell"


# --- COCO and SA-V


def test_coco_polygons_and_codes(tmp_path):
    coco = pytest.importorskip("pycocotools.mask")
    Image.fromarray(np.zeros(SHAPE, np.uint8)).save(tmp_path / "a.png")
    code = coco.encode(np.asfortranarray(square(14, 20).astype(np.uint8)))
    code["counts"] = code["counts"].decode()
    polygon = [2.0, 3.0, 18.0, 3.0, 18.0, 12.0, 2.0, 12.0]
    annotations = [
        {"image_id": 5, "segmentation": code, "iscrowd": 0},
        {"image_id": 5, "segmentation": [polygon]},
        {"image_id": 5, "segmentation": [polygon], "iscrowd": 1},
    ]
    content = {
        "images": [{"id": 5, "file_name": "a.png"}, {"id": 6, "file_name": "b.png"}],
        "annotations": annotations,
    }
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content))
    (image,) = read_coco(path, tmp_path)
    assert image.frames.shape == (1, *SHAPE, 1)
    np.testing.assert_array_equal(image.labels[0] == 2, square(14, 20))
    rows, columns = np.nonzero(image.labels[0] == 1)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 11, 2, 17)


@pytest.mark.parametrize("text", ["[]", "{", '{"images": [{}], "annotations": []}'])
def test_other_json_is_refused(tmp_path, text):
    path = tmp_path / "instances.json"
    path.write_text(text)
    with pytest.raises(InputError, match="COCO"):
        list(read_coco(path, tmp_path))


def test_broken_segmentations_are_refused(tmp_path):
    pytest.importorskip("pycocotools.mask")
    Image.fromarray(np.zeros(SHAPE, np.uint8)).save(tmp_path / "a.png")
    path = tmp_path / "instances.json"
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [{"image_id": 1, "segmentation": None}],
    }
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="segmentation"):
        list(read_coco(path, tmp_path))


def test_small_masks_lie_on_top():
    labels = stacked_labels([square(4, 4, 2), square(2, 2, 8)], SHAPE)
    assert labels[4, 4] == 2
    assert labels[2, 2] == 1


def test_sav_masklets_belong_to_every_fourth_frame(tmp_path):
    av = pytest.importorskip("av")
    coco = pytest.importorskip("pycocotools.mask")
    masklets = []
    with av.open(str(tmp_path / "sav_000001.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=24)
        stream.width, stream.height, stream.pix_fmt = SHAPE[1], SHAPE[0], "yuv420p"
        for frame in range(9):
            grey = np.full((*SHAPE, 3), 20 * frame, np.uint8)
            picture = av.VideoFrame.from_ndarray(grey, format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    for index in range(3):
        codes = []
        for mask in (square(2, 2 + index, 12), square(4, 4, 3)):
            code = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
            codes.append({**code, "counts": code["counts"].decode()})
        masklets.append(codes)
    path = tmp_path / "sav_000001_manual.json"
    path.write_text(json.dumps({"masklet": masklets}))
    (video,) = read_sav(tmp_path)
    assert video.name == "sav_000001"
    assert video.labels.shape == (3, *SHAPE)
    np.testing.assert_allclose(video.frames.mean((1, 2, 3)), [0, 80, 160], atol=6)
    np.testing.assert_array_equal(video.labels[1] == 2, square(4, 4, 3))
    assert (video.labels[2] == 1).sum() == 144 - 9


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.mask", None)
    Image.fromarray(np.zeros(SHAPE, np.uint8)).save(tmp_path / "a.png")
    path = tmp_path / "instances.json"
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [{"image_id": 1, "segmentation": [[0, 0, 4, 0, 4, 4]]}],
    }
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"napari-sam2\[evaluate\]"):
        list(read_coco(path, tmp_path))


# --- The door


def test_large_pictures_are_shrunk(davis):
    (video,) = read_source(TrainingSource("davis", davis, max_side=16))
    assert video.frames.shape == (3, 12, 16, 3)
    assert video.labels.shape == (3, 12, 16)
    assert (video.labels[0] == 2).sum() == 16


def test_shrinking_keeps_masks_and_pictures_together():
    labels = np.kron(np.arange(12).reshape(3, 4), np.ones((3, 3), int))[None]
    image = LabelledImage("a", (labels * 20).astype(np.uint8)[..., None], labels)
    small = shrunk(image, 4)
    np.testing.assert_array_equal(small.frames[..., 0], small.labels * 20)
