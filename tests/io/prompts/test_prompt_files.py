"""Prompts that are not JSON: label images and napari's points."""

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_sam2.errors import InputError
from napari_sam2.io.prompts.files import read_prompts
from napari_sam2.io.prompts.label_images import prompts_from_labels
from napari_sam2.prompts import PointPrompt

MOVIE = {"frame_shape": (6, 8), "frame_count": 5}


@pytest.fixture
def labels():
    image = np.zeros((6, 8), np.uint16)
    image[0:2, 0:3] = 4
    image[3:5, 2:8] = 300
    return image


def assert_masks(objects, labels, frame):
    assert [item.object_id for item in objects] == sorted(set(labels.flat) - {0})
    for item in objects:
        (prompt,) = item.prompts
        assert prompt.frame_index == frame
        np.testing.assert_array_equal(prompt.mask.mask, labels == item.object_id)


@pytest.mark.parametrize("suffix", ["tif", "png"])
@pytest.mark.parametrize("frame", [0, 3])
def test_each_label_is_a_mask_on_the_frame(tmp_path, labels, suffix, frame):
    path = tmp_path / f"labels.{suffix}"
    if suffix == "tif":
        tifffile.imwrite(path, labels)
    else:
        Image.fromarray(labels).save(path)
    assert_masks(read_prompts(path, frame=frame, **MOVIE), labels, frame)


@pytest.mark.parametrize("kind", ["tif", "zarr", "folder"])
def test_of_a_stack_of_labels_only_the_frame_is_taken(tmp_path, labels, kind):
    stack = np.stack([(labels > 0) * (labels % 9 + number) for number in range(5)])
    stack = stack.astype(np.uint8)
    path = tmp_path / ("labels.tif" if kind == "tif" else "labels")
    if kind == "tif":
        tifffile.imwrite(path, stack)
    elif kind == "zarr":
        zarr.create_array(path, data=stack)
    else:
        path.mkdir()
        for number, image in enumerate(stack):
            Image.fromarray(image).save(path / f"{number}.png")
    assert_masks(read_prompts(path, frame=2, **MOVIE), stack[2], 2)


@pytest.mark.parametrize("axes", ["CYX", "PYX"])
def test_channels_and_positions_of_labels_are_no_frames(tmp_path, labels, axes):
    path = tmp_path / "labels.tif"
    stack = np.stack([labels] * 5)
    tifffile.imwrite(path, stack, metadata={"axes": axes}, photometric="minisblack")
    with pytest.raises(InputError, match=f"axes {', '.join(axes)}; labels are one"):
        read_prompts(path, frame=2, **MOVIE)


def test_labels_whose_columns_come_first_are_turned(tmp_path):
    labels = np.triu(np.full((6, 6), 3, np.uint8))
    zarr.create_array(tmp_path / "labels", data=labels.T, dimension_names=["x", "y"])
    objects = read_prompts(tmp_path / "labels", frame_shape=(6, 6), frame_count=5)
    assert_masks(objects, labels, 0)


def test_a_stack_of_one_label_image_is_that_image(tmp_path, labels):
    tifffile.imwrite(tmp_path / "l.ome.tif", labels[None], metadata={"axes": "TYX"})
    assert_masks(read_prompts(tmp_path / "l.ome.tif", frame=4, **MOVIE), labels, 4)


def test_labels_saved_as_float_or_bool_are_understood(labels):
    assert_masks(prompts_from_labels(labels.astype(np.float32), frame=0), labels, 0)
    (item,) = prompts_from_labels(labels == 4, frame=0)
    assert item.object_id == 1


@pytest.mark.parametrize("kind", ["png", "tif", "npy"])
def test_a_mask_of_several_objects_is_not_one_object(tmp_path, labels, kind):
    """As Fiji and ilastik save what they segmented: 255 wherever something is."""
    mask = np.where(labels > 0, 255, 0).astype(np.uint8)
    path = tmp_path / f"mask.{kind}"
    if kind == "npy":
        np.save(path, mask)
    else:
        Image.fromarray(mask).save(path)
    with pytest.raises(InputError, match="a mask in 2 pieces does not say whether"):
        read_prompts(path, **MOVIE)
    with pytest.raises(InputError, match="a mask in 2 pieces does not say whether"):
        prompts_from_labels(mask > 0, frame=0)
    (item,) = prompts_from_labels(mask // 255, frame=0)
    assert item.object_id == 1, "numbered by hand"
    (item,) = prompts_from_labels(mask * (labels == 4), frame=0)
    assert item.object_id == 255, "in one piece"


def test_numbers_of_kinds_of_pixels_are_no_objects(tmp_path, labels):
    """As VOC's void (255), and ilastik's Simple Segmentation, without a background."""
    void = np.where(np.roll(labels, 1, axis=1) > labels, 255, labels).astype(np.uint8)
    indexed = Image.fromarray(void, "P")
    indexed.putpalette([*range(256)] * 3)
    indexed.save(tmp_path / "voc.png")
    with pytest.raises(InputError, match=r"255 beside .* VOC and DAVIS: set it to 0"):
        read_prompts(tmp_path / "voc.png", **MOVIE)
    kinds = np.where(labels > 0, 2, 1).astype(np.uint8)
    tifffile.imwrite(tmp_path / "x_Simple Segmentation.tif", kinds)
    with pytest.raises(InputError, match=r"no pixel is background \(0\), and 1 covers"):
        read_prompts(tmp_path / "x_Simple Segmentation.tif", **MOVIE)
    tiled = np.arange(1, 49, dtype=np.uint8).reshape(6, 8) // 16 + 1
    assert len(prompts_from_labels(tiled, frame=0)) == 4


@pytest.mark.parametrize(
    ("labels", "options", "words"),
    [
        (np.ones((6, 7), np.uint8), {}, ["6 × 7", "6 × 8"]),
        (np.zeros((6, 8), np.uint8), {"frame": 3}, ["frame 3", "only background"]),
        (np.full((6, 8), -1, np.int16), {}, ["-1"]),
        (np.full((6, 8), 70_000, np.uint32), {}, ["70000", "65535"]),
        (np.full((6, 8), 1.5, np.float32), {}, ["whole numbers"]),
        (np.full((6, 8), np.nan, np.float32), {}, ["whole numbers"]),
        (np.ones((6, 8), np.complex64), {}, ["complex64"]),
        (np.ones((4, 6, 8), np.uint8), {}, ["4 label images", "5 frames"]),
        (np.ones((5, 2, 6, 8), np.uint8), {}, ["(5, 2, 6, 8)"]),
        (np.ones((6, 8, 3), np.uint8), {}, ["colour"]),
        (np.ones((6, 8), np.uint8), {"frame": 5}, ["no frame 5", "0 to 4"]),
        (np.ones((6, 8), np.uint8), {"frame": -1}, ["no frame -1"]),
    ],
)
def test_labels_that_do_not_fit_are_told(tmp_path, labels, options, words):
    path = tmp_path / "labels.tif"
    photometric = "rgb" if labels.shape[-1] == 3 else "minisblack"
    tifffile.imwrite(path, labels, photometric=photometric)
    with pytest.raises(InputError) as raised:
        read_prompts(path, **options, **MOVIE)
    message = str(raised.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("name", ["none.json", "none.tif", "none.csv"])
def test_a_missing_file_is_told(tmp_path, name):
    with pytest.raises(InputError, match=f"{name} does not exist"):
        read_prompts(tmp_path / name, **MOVIE)


def test_a_file_of_another_kind_is_told(tmp_path):
    (tmp_path / "prompts.txt").write_text("hello")
    with pytest.raises(InputError, match="unknown kind"):
        read_prompts(tmp_path / "prompts.txt", **MOVIE)


@pytest.fixture
def save(tmp_path):
    def save(text):
        path = tmp_path / "points.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return save


def test_points_that_are_no_text_are_told(tmp_path):
    (tmp_path / "points.csv").write_bytes(b"axis-0,axis-1\n\xff\xfe,1\n")
    with pytest.raises(InputError, match=r"points.csv cannot be read as CSV"):
        read_prompts(tmp_path / "points.csv", **MOVIE)


def test_clicks_are_gathered_by_object_and_frame(save):
    path = save(
        "index,axis-0,axis-1,axis-2,label,positive\n"
        "0,3.0,1.5,2.0,9,True\n"
        "1,0.0,4.0,7.0,2.0,1\n"
        "2,0.0,5.0,7.0,9,true\n"
        "3,3.0,0.0,0.5,9,False\n"
    )
    second, ninth = read_prompts(path, frame=4, **MOVIE)
    assert (second.object_id, ninth.object_id) == (2, 9)
    assert second.prompts[0].points == (PointPrompt(4, 7, True),)
    assert [prompt.frame_index for prompt in ninth.prompts] == [0, 3]
    assert ninth.prompts[1].points == (
        PointPrompt(1.5, 2, True),
        PointPrompt(0, 0.5, False),
    )


def test_clicks_without_a_frame_are_on_the_frame_given(save):
    path = save("index,axis-0,axis-1\n0,1,2\n1,3,4\n")
    first, second = read_prompts(path, frame=4, **MOVIE)
    assert (first.object_id, second.object_id) == (1, 2)
    assert second.prompts[0].frame_index == 4
    assert second.prompts[0].points == (PointPrompt(3, 4, True),)


def test_names_of_columns_may_be_capitals(save):
    """Or the column of objects would be passed over, each click an object."""
    (item,) = read_prompts(save("Axis-0,Axis-1,Label\n1,2,7\n3,4,7\n"), **MOVIE)
    assert (item.object_id, len(item.prompts[0].points)) == (7, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["axis-0", "found none"]),
        ("y,x\n1,2\n", ["axis-0", "found y, x"]),
        ("axis-0,axis-1,axis-2,axis-3\n1,2,3,4\n", ["axis-0"]),
        ("axis-0,axis-1\n", ["holds no points"]),
        ("axis-0,axis-1\n1,\n", ["line 2, axis-1", "''"]),
        ("axis-0,axis-1\n1\n", ["line 2, axis-1", "''"]),
        ("axis-0,axis-2\n1,2\n", ["found axis-0, axis-2"]),
        ("axis-0,axis-1,axis-1\n1,2,3\n", ["two columns axis-1"]),
        ("axis-0,axis-1\n1,5,2,5\n", ["line 2", "4 cells for 2 columns"]),
        ('axis-0,axis-1,note\n1,2,"a\nb"\n1,x,\n', ["line 4, axis-1", "'x'"]),
        ("axis-0,axis-1\n1,2\n1,9\n", ["line 3", "column 9", "outside"]),
        ("axis-0,axis-1\n1,nan\n", ["line 2", "outside"]),
        ("axis-0,axis-1,axis-2\n5,1,2\n", ["line 2", "no frame 5"]),
        ("axis-0,axis-1,axis-2\n0.5,1,2\n", ["line 2, axis-0", "0.5"]),
        ("axis-0,axis-1,axis-2\ninf,1,2\n", ["line 2, axis-0", "inf"]),
        ("axis-0,axis-1,label\n1,2,0\n", ["line 2", "object id 0"]),
        ("axis-0,axis-1,label\n1,2,65536\n", ["line 2", "65536"]),
        ("axis-0,axis-1,label\n1,2,x\n", ["line 2, label", "'x'"]),
        ("axis-0,axis-1,label,positive\n1,2,1,maybe\n", ["positive", "'maybe'"]),
        ("axis-0,axis-1,positive\n1,2,False\n", ["line 2", "column label"]),
        # Cells that a line lacks are no column that the table lacks.
        ("axis-0,axis-1,label\n1,2,2\n1,3\n", ["line 3, label", "''"]),
        ("axis-0,axis-1,label,positive\n1,2,1\n", ["line 2, positive", "''"]),
    ],
)
def test_faults_in_points_name_line_and_column(save, text, words):
    with pytest.raises(InputError) as raised:
        read_prompts(save(text), **MOVIE)
    message = str(raised.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_intensities_are_no_labels():
    image = np.random.default_rng(0).integers(100, 400, (40, 40)).astype(np.uint16)
    with pytest.raises(InputError, match="frame 3: looks like intensities"):
        prompts_from_labels(image, frame=3, where="movie.tif, frame 3")


def test_many_touching_labels_are_no_intensities():
    labels = np.arange(1, 401, dtype=np.uint16).reshape(20, 20)
    labels = np.kron(labels, np.ones((3, 3), np.uint16))
    assert len(prompts_from_labels(labels, frame=0)) == 400
    specks = np.zeros((40, 40), np.uint16)
    specks[::2, ::2] = np.arange(1, 401).reshape(20, 20)
    assert len(prompts_from_labels(specks, frame=0)) == 400
