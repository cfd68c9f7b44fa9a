import numpy as np
import pytest
import zarr

from napari_sam2.errors import InputError
from napari_sam2.io.movies.frame_sources import open_frames


def raw_frames(source, **options):
    frames = open_frames(source, **options)
    return np.stack([frames.read_raw(i)[0] for i in range(frames.frame_count)])


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_plain_array_is_a_movie(tmp_path, movie, zarr_format):
    path = tmp_path / "cells.zarr"
    zarr.create_array(path, data=movie, chunks=(3, 5, 5), zarr_format=zarr_format)
    np.testing.assert_array_equal(raw_frames(path), movie)
    np.testing.assert_array_equal(raw_frames(zarr.open_array(path, mode="r")), movie)


def test_sharded_arrays_are_read(tmp_path, movie):
    path = tmp_path / "cells.zarr"
    zarr.create_array(path, data=movie, chunks=(2, 4, 5), shards=(4, 12, 10))
    np.testing.assert_array_equal(raw_frames(path), movie)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_of_an_ome_zarr_image_the_finest_level_is_read(write_ome_zarr, movie, version):
    path = write_ome_zarr(movie, version=version)
    np.testing.assert_array_equal(raw_frames(path), movie)
    np.testing.assert_array_equal(raw_frames(f"{path}/"), movie)
    np.testing.assert_array_equal(raw_frames(path / "1"), movie[:, ::2, ::2])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_axes_are_known_at_every_level(write_ome_zarr, numbered, version):
    pixels = numbered((4, 2, 3, 8, 6))
    path = write_ome_zarr(pixels, version=version, axes="tczyx")
    for place, step in (("", 1), ("0", 1), ("1", 2)):
        with pytest.raises(InputError, match="3 z planes"):
            open_frames(path / place)
        np.testing.assert_array_equal(
            raw_frames(path / place, z=2, channels=1), pixels[:, 1, 2, ::step, ::step]
        )


def test_axes_of_old_ome_zarr_are_assumed(tmp_path, numbered):
    pixels = numbered((4, 1, 1, 8, 6))
    group = zarr.open_group(tmp_path / "old.zarr", mode="w", zarr_format=2)
    group.create_array("0", data=pixels)
    group.attrs["multiscales"] = [{"version": "0.1", "datasets": [{"path": "0"}]}]
    np.testing.assert_array_equal(raw_frames(tmp_path / "old.zarr"), pixels[:, 0, 0])


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_dimension_names_are_axes(tmp_path, numbered, zarr_format):
    pixels = numbered((4, 3, 8, 6))
    array = zarr.create_array(
        tmp_path / "cells.zarr",
        data=pixels,
        zarr_format=zarr_format,
        dimension_names=("time", "z", "y", "x") if zarr_format == 3 else None,
    )
    if zarr_format == 2:
        array.attrs["_ARRAY_DIMENSIONS"] = ["time", "z", "y", "x"]
    np.testing.assert_array_equal(
        raw_frames(tmp_path / "cells.zarr", z=1), pixels[:, 1]
    )


def test_axes_with_long_names_are_told_by_their_type(write_ome_zarr, movie):
    path = write_ome_zarr(movie)
    group = zarr.open_group(path, mode="r+")
    ome = group.attrs["ome"]
    names = ("timepoint", "height", "width")
    for axis, name in zip(ome["multiscales"][0]["axes"], names, strict=True):
        axis["name"] = name
    group.attrs["ome"] = ome
    frames = open_frames(path)
    assert frames.layout.axes == "TYX"
    assert frames.calibration.units == ("second", "micrometer", "micrometer")


def test_scales_of_another_length_are_passed_over(write_ome_zarr, movie):
    path = write_ome_zarr(movie, scale=[2.0, 3.0], translation=[1.0, 5.0, 7.0])
    assert open_frames(path).calibration.scale == (1.0, 1.0, 1.0)
    assert open_frames(path).calibration.translation == (1.0, 5.0, 7.0)


def test_dimension_names_of_another_length_are_passed_over(tmp_path, movie):
    array = zarr.create_array(tmp_path / "cells.zarr", data=movie, zarr_format=2)
    array.attrs["_ARRAY_DIMENSIONS"] = ["y", "x"]
    assert open_frames(tmp_path / "cells.zarr").layout.axes == "TYX"


def test_a_group_around_one_array_is_that_array(tmp_path, movie):
    zarr.open_group(tmp_path / "cells.zarr", mode="w").create_array("raw", data=movie)
    np.testing.assert_array_equal(raw_frames(tmp_path / "cells.zarr"), movie)


def test_labels_without_an_image_are_no_movie(tmp_path, movie):
    group = zarr.open_group(tmp_path / "cells.zarr", mode="w")
    group.create_group("labels").create_array("cells", data=movie)
    with pytest.raises(InputError, match="labels and no image"):
        open_frames(tmp_path / "cells.zarr")
    np.testing.assert_array_equal(raw_frames(tmp_path / "cells.zarr/labels"), movie)


def test_a_group_of_several_asks_for_one(tmp_path, movie):
    group = zarr.open_group(tmp_path / "cells.zarr", mode="w")
    group.create_array("nuclei", data=movie)
    group.create_array("membranes", data=movie)
    with pytest.raises(InputError, match="membranes, nuclei"):
        open_frames(tmp_path / "cells.zarr")


def test_an_empty_group_and_a_plate_are_refused(tmp_path):
    group = zarr.open_group(tmp_path / "cells.zarr", mode="w")
    with pytest.raises(InputError, match="holds: nothing"):
        open_frames(tmp_path / "cells.zarr")
    group.attrs["ome"] = {"version": "0.5", "plate": {}}
    with pytest.raises(InputError, match="is a plate; name one field"):
        open_frames(tmp_path / "cells.zarr")


@pytest.mark.parametrize(
    ("multiscale", "words"),
    [
        ({"datasets": []}, "multiscales"),
        ({}, "multiscales"),
        ({"datasets": [{"path": "9"}]}, "cannot be read"),
        ({"datasets": [{"path": "0"}], "axes": ["y", "x"]}, "name 2 axes"),
        ({"datasets": [{"path": "."}], "axes": ["t", "y", "x"]}, "is a group"),
    ],
)
def test_broken_ome_metadata_are_named(write_ome_zarr, movie, multiscale, words):
    path = write_ome_zarr(movie)
    group = zarr.open_group(path, mode="r+")
    group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
    with pytest.raises(InputError, match=words) as raised:
        open_frames(path)
    assert "\n" not in str(raised.value)


def test_broken_zarr_metadata_are_named(tmp_path):
    folder = tmp_path / "cells.zarr"
    folder.mkdir()
    (folder / "zarr.json").write_text("{")
    with pytest.raises(InputError, match=r"cells.zarr cannot be read as zarr"):
        open_frames(folder)


def test_a_damaged_chunk_is_named_by_its_frame(tmp_path, movie):
    path = tmp_path / "cells.zarr"
    zarr.create_array(path, data=movie, chunks=(1, 12, 10))
    (path / "c" / "4" / "0" / "0").write_bytes(b"garbage")
    frames = open_frames(path, contrast_limits=(0, 1000))
    frames.read(3)
    with pytest.raises(InputError, match=r"cells.zarr: frame 4 cannot be read"):
        frames.read(4)
