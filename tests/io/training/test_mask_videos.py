"""Videos with masks, in the layouts of the benchmarks."""

import numpy as np
import pytest
from PIL import Image

from napari_sam2.errors import InputError
from napari_sam2.io.training.mask_videos import open_videos

SHAPE = (12, 16)


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def youtube(tmp_path):
    """Six pictures, of which the first and the last have masks; 2 comes later."""
    for number in range(6):
        picture = np.full((*SHAPE, 3), number, np.uint8)
        write(tmp_path / f"JPEGImages/bear/{number:05}.png", picture)
    first, last = np.zeros((2, *SHAPE), np.uint8)
    first[2:4, 2:4] = last[3:5, 3:5] = 1
    last[8:, 8:] = 2
    last[0, 0] = 255
    write(tmp_path / "Annotations/bear/00000.png", first)
    write(tmp_path / "Annotations/bear/00005.png", last)
    return tmp_path


def test_masks_belong_to_the_pictures_of_their_name(youtube):
    (video,) = open_videos(youtube, "youtube-vos")
    assert (video.name, video.frame_count, video.annotated) == ("bear", 6, (0, 5))
    assert video.read_frame(4).shape == (*SHAPE, 3)
    assert (video.read_frame(4) == 4).all()
    assert list(video.read_masks(0)) == [1]
    assert {one: mask.sum() for one, mask in video.read_masks(5).items()} == {
        1: 4,
        2: 32,
    }


def test_davis_may_have_a_folder_of_the_resolution(youtube, tmp_path_factory):
    folder = tmp_path_factory.mktemp("davis")
    for kind in ("JPEGImages", "Annotations"):
        (folder / kind).mkdir()
        (youtube / kind).rename(folder / kind / "480p")
    (video,) = open_videos(folder, "davis")
    assert video.annotated == (0, 5)


def test_grey_masks_are_one_object(youtube):
    for path in (youtube / "Annotations/bear").iterdir():
        labels = np.asarray(Image.open(path))
        Image.fromarray(np.where(labels == 1, 255, 0).astype(np.uint8)).save(path)
    (video,) = open_videos(youtube, "davis")
    assert {one: mask.sum() for one, mask in video.read_masks(0).items()} == {1: 4}


def test_objects_of_sav_may_overlap(tmp_path):
    for number in range(9):
        picture = np.zeros((*SHAPE, 3), np.uint8)
        write(tmp_path / f"JPEGImages_24fps/sav_1/{number:05}.png", picture)
    for number in (0, 4, 8):
        for one in range(2):
            mask = np.zeros(SHAPE, np.uint8)
            if (number, one) != (4, 1):
                mask[one : one + 4, 2:6] = 255
            write(tmp_path / f"Annotations_6fps/sav_1/00{one}/{number:05}.png", mask)
    (video,) = open_videos(tmp_path, "sav-test")
    assert video.annotated == (0, 4, 8)
    masks = video.read_masks(0)
    assert (masks[1] & masks[2]).any()
    assert list(video.read_masks(4)) == [1]


def test_a_mask_without_a_picture_is_fatal(youtube):
    (youtube / "JPEGImages/bear/00005.png").unlink()
    with pytest.raises(InputError, match=r"00005.png has no image"):
        list(open_videos(youtube, "youtube-vos"))


def test_unknown_layouts_are_refused(tmp_path):
    with pytest.raises(InputError, match="--layout movies: known are"):
        open_videos(tmp_path, "movies")
