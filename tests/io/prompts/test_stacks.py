"""Prompts in stacks over time: files that say planes, and what is refused."""

import json

import numpy as np
import pytest
import tifffile
import zarr

from napari_sam2.errors import InputError
from napari_sam2.io.prompts.bounds import PlaneBounds, PromptBounds
from napari_sam2.io.prompts.files import read_prompts
from napari_sam2.io.prompts.label_volumes import read_volume_plane
from napari_sam2.io.prompts.stacks import holds_label_volume, read_volume_prompts

BOUNDS = PromptBounds((8, 9), 5)


def read(path, *, frame=0, plane=None):
    planes = PlaneBounds(4, plane)
    return read_volume_prompts(path, frame=frame, bounds=BOUNDS, planes=planes)


def places(found):
    """Of each time point: object and planes."""
    return {
        frame: [(one.object_id, [p.frame_index for p in one.prompts]) for one in stack]
        for frame, stack in found.stacks.items()
    }


@pytest.fixture
def json_file(tmp_path):
    def write(*prompts, **facts):
        entries = [{"id": 3, "prompts": list(prompts), **facts}]
        path = tmp_path / "p.json"
        path.write_text(json.dumps({"version": 1, "objects": entries}))
        return path

    return write


def test_a_prompts_file_says_planes(json_file):
    click = {"frame": 4, "points": [[1, 2]]}
    path = json_file(
        {**click, "z": 2}, {**click, "z": 0}, {**click, "frame": 1, "z": 3}, name="a"
    )
    found = read(path)
    assert places(found) == {1: [(3, [3])], 4: [(3, [0, 2])]}
    assert [(one.object_id, one.name) for one in found.objects] == [(3, "a")]
    assert places(read(json_file(click), plane=1)) == {4: [(3, [1])]}


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        ([{"frame": 0, "points": [[1, 2]]}], "says nothing of the z plane"),
        ([{"frame": 0, "z": 4, "points": [[1, 2]]}], "there is no z plane 4"),
        ([{"frame": 5, "z": 0, "points": [[1, 2]]}], "there is no frame 5"),
        ([{"frame": 0, "z": 0, "points": [[8, 2]]}], "frame 0, points 0: row 8"),
        ([{"frame": 0, "z": 1, "points": [[1, 2]]}] * 2, "two prompts on plane 1"),
        ([], "holds no prompts"),
    ],
)
def test_what_does_not_fit_is_named(json_file, prompts, words):
    with pytest.raises(InputError, match=words):
        read(json_file(*prompts))


def test_planes_are_refused_in_movies_of_single_frames(json_file):
    path = json_file({"frame": 0, "z": 0, "points": [[1, 2]]})
    with pytest.raises(InputError, match="frame 0, z: only movies of stacks"):
        read_prompts(path, frame_shape=(8, 9), frame_count=5)


def test_points_of_napari_have_four_axes(tmp_path):
    path = tmp_path / "points.csv"
    rows = ["index,axis-0,axis-1,axis-2,axis-3,label"]
    rows += ["0,2.0,3.0,1.5,2.5,7", "1,2.0,3.0,4.0,2.0,7", "2,0.0,1.0,4.0,2.0,8"]
    path.write_text("\n".join(rows))
    found = read(path)
    assert places(found) == {0: [(8, [1])], 2: [(7, [3])]}
    assert len(found.stacks[2][0].prompts[0].points) == 2
    path.write_text("axis-0,axis-1\n4.0,2.0")
    assert places(read(path, frame=3, plane=1)) == {3: [(1, [1])]}
    path.write_text("axis-0,axis-1,axis-2\n0,4.0,2.0")
    with pytest.raises(InputError, match="axis-3 \\(frame, plane, row, column\\)"):
        read(path)


def test_labels_of_one_plane_or_of_stacks(tmp_path):
    labels = np.zeros((5, 4, 8, 9), np.uint16)
    labels[2, 1, 3:5, 3:5] = 6
    for name, array in (("one", labels[2, 1]), ("zyx", labels[2]), ("tzyx", labels)):
        tifffile.imwrite(tmp_path / f"{name}.tif", array, photometric="minisblack")
    assert places(read(tmp_path / "one.tif", frame=2, plane=1)) == {2: [(6, [1])]}
    assert not holds_label_volume(tmp_path / "one.tif")
    for name in ("zyx", "tzyx"):
        path = tmp_path / f"{name}.tif"
        assert holds_label_volume(path)
        plane = read_volume_plane(path, place=(2, 1), shape=labels.shape)
        np.testing.assert_array_equal(plane, labels[2, 1])
        for shape in ((5, 6, 8, 9), (5, 4, 9, 8)):
            with pytest.raises(InputError, match="give labels of one stack"):
                read_volume_plane(path, place=(2, 1), shape=shape)


def test_axes_of_label_stacks_are_what_the_file_says(tmp_path):
    labels = np.zeros((2, 3, 8, 8), np.uint16)
    labels[1, 2, 3, 5] = 6
    for axes, turned in (
        ("TZXY", labels.transpose(0, 1, 3, 2)),
        ("ZTYX", labels.transpose(1, 0, 2, 3)),
    ):
        path = tmp_path / f"{axes}.tif"
        tifffile.imwrite(
            path, turned, photometric="minisblack", metadata={"axes": axes}
        )
        plane = read_volume_plane(path, place=(1, 2), shape=labels.shape)
        np.testing.assert_array_equal(plane, labels[1, 2])
    path = tmp_path / "channels.tif"
    tifffile.imwrite(path, labels[1], ome=True, metadata={"axes": "CYX"})
    with pytest.raises(InputError, match=r"axes C, Y, X, but .* one channel and posi"):
        read_volume_plane(path, place=(1, 2), shape=labels.shape)


def test_label_stacks_are_laid_out_as_label_movies_are(tmp_path):
    """With axes of length 1 among them, in several containers, said and unsaid."""
    labels = np.zeros((2, 3, 8, 8), np.uint16)
    labels[1, 2, 3, 5] = 6
    np.save(tmp_path / "unsaid.npy", labels[:, None, :, None])
    zarr.create_array(
        tmp_path / "stack.zarr",
        data=labels[1, :, :, None, :],
        dimension_names=["z", "y", "channel", "x"],
    )
    tifffile.imwrite(
        tmp_path / "imagej.tif",
        labels[:, :, None],
        imagej=True,
        metadata={"axes": "TZCYX"},
    )
    tifffile.imwrite(
        tmp_path / "turned.ome.tif",
        labels.transpose(1, 0, 2, 3),
        photometric="minisblack",
        metadata={"axes": "ZTYX"},
    )
    for name in ("unsaid.npy", "stack.zarr", "imagej.tif", "turned.ome.tif"):
        assert holds_label_volume(tmp_path / name)
        plane = read_volume_plane(tmp_path / name, place=(1, 2), shape=labels.shape)
        np.testing.assert_array_equal(plane, labels[1, 2])
    for place in ((1, 2), (7, 2)):
        with pytest.raises(InputError, match="but the movie") as told:
            read_volume_plane(tmp_path / "imagej.tif", place=place, shape=(9, 3, 8, 8))
        assert "\n" not in str(told.value)
