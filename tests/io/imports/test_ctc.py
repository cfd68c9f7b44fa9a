"""Results of the Cell Tracking Challenge come back, or are refused with their row."""

from contextlib import closing

import numpy as np
import pytest
import tifffile

from napari_sam2.errors import InputError
from napari_sam2.io.imports.formats import open_tracked

SHAPE = (20, 30)
TRACKS = "1 0 1 0\n2 2 3 1\n3 2 3 1\n4 0 0 0\n5 2 3 4\n"
IDS = ((1, 4), (1,), (2, 3, 5), (2, 3, 5))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "01_RES"
    folder.mkdir()
    (folder / "res_track.txt").write_text(TRACKS)
    for frame, ids in enumerate(IDS):
        labels = np.zeros(SHAPE, np.uint16)
        for place, one in enumerate(ids):
            labels[2:8, 2 + 8 * place : 8 + 8 * place] = one
        tifffile.imwrite(folder / f"mask{frame:03d}.tif", labels)
    return folder


def test_a_lone_track_after_a_gap_is_the_same_object(folder):
    tracked = open_tracked(folder)
    assert tracked.mothers == {2: 1, 3: 1}
    assert tracked.frame_shape == SHAPE
    ids = [set(np.unique(labels)) - {0} for _, labels in tracked.frames()]
    assert ids == [{1, 4}, {1}, {2, 3, 4}, {2, 3, 4}]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (TRACKS + "1 5 6 0\n", "row 6: track 1 is in row 1 already"),
        (TRACKS + "9 0 1 8\n", "row 6: parent 8 of track 9 is in no row"),
        ("1 0 1 2\n2 2 3 1\n", "row 1: track 1 begins on frame 0, but its parent 2"),
        (TRACKS + "six\n", "row 6: give four whole numbers"),
        (TRACKS + "6 3 2 0\n", "row 6: track 6 from frame 3 to 2 cannot be"),
        (TRACKS + "6 3 3 0\n", "row 6: track 6 is in no mask"),
        (TRACKS.replace("3 2 3 1\n", ""), "frame 2.: id 3 is in no row"),
        (TRACKS.replace("3 2 3 1", "3 3 3 1"), "frame 2.: id 3 is there, but row 3"),
        (TRACKS.replace("3 2 3 1", "3 2 9 1"), "row 3: track 3 is there until frame 9"),
        ("", "holds no track"),
    ],
)
def test_contradictions_are_refused_with_row_or_frame(folder, table, said):
    (folder / "res_track.txt").write_text(table)
    with pytest.raises(InputError, match=said):
        list(open_tracked(folder).frames())


def test_a_missing_mask_is_named(folder):
    (folder / "mask001.tif").unlink()
    with pytest.raises(InputError, match="the mask of frame 1 is missing"):
        open_tracked(folder)


def test_a_mask_with_an_absurd_number_is_told_at_once(folder):
    (folder / "mask003.tif").rename(folder / "mask999999999999999.tif")
    with pytest.raises(InputError, match="the mask of frame 3 is missing"):
        open_tracked(folder)


def test_another_movie_is_refused(folder):
    with pytest.raises(InputError, match="the movie has"):
        open_tracked(folder).check_fits(4, (20, 31))


def test_label_images_are_read_without_lineage(tmp_path):
    labels = np.zeros((3, *SHAPE), np.uint16)
    labels[1, 4:9, 4:9] = 7
    kind = {"photometric": "minisblack", "metadata": {"axes": "TYX"}}
    tifffile.imwrite(tmp_path / "labels.tif", labels, **kind)
    with closing(open_tracked(tmp_path / "labels.tif")) as tracked:
        assert tracked.mothers == {}
        found = [one for _, one in tracked.frames()]
    np.testing.assert_array_equal(found, labels)


def test_unknown_formats_are_refused(folder):
    with pytest.raises(InputError, match="no format 'xml'"):
        open_tracked(folder, "xml")


def test_tables_of_any_unicode_are_read(folder):
    table = folder / "res_track.txt"
    for encoding in ("utf-8-sig", "utf-16"):
        table.write_bytes(TRACKS.replace("\n", "\r\n").encode(encoding))
        assert open_tracked(folder).mothers == {2: 1, 3: 1}


@pytest.mark.parametrize(
    ("pixels", "options", "words"),
    [
        (np.zeros(SHAPE, np.uint8), {"compression": "jpeg"}, "changes pixels"),
        (np.zeros((2, *SHAPE), np.uint16), {}, "holds a stack"),
        (np.zeros((*SHAPE, 3), np.uint8), {"photometric": "rgb"}, "in colour"),
        (np.full(SHAPE, 0.5, np.float32), {}, "labels are whole numbers"),
        (np.zeros((9, 9), np.uint16), {}, "all masks have one shape"),
    ],
)
def test_masks_that_are_no_labels_are_refused(folder, pixels, options, words):
    options = {"photometric": "minisblack", **options}
    tifffile.imwrite(folder / "mask001.tif", pixels, **options)
    with pytest.raises(InputError, match=f"mask001.tif.*{words}"):
        list(open_tracked(folder).frames())


def test_a_damaged_mask_is_named(folder):
    (folder / "mask002.tif").write_bytes(b"II*\0 no more")
    with pytest.raises(InputError, match=r"mask002.tif is empty"):
        list(open_tracked(folder).frames())
