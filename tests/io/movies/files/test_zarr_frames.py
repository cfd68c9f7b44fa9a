import os
import shutil
import warnings
from contextlib import closing

import numpy as np
import pytest
import zarr

from napari_sam2.errors import InputError
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.io.ome_zarr.folder_image import read_images
from napari_sam2.io.ome_zarr.parent import open_parent


def raw_frames(source, **options):
    frames = open_frames(source, **options)
    return np.stack([frames.read_raw(i)[0] for i in range(frames.frame_count)])


def as_file(chunk):
    """A file where the folder of a chunk was."""
    shutil.rmtree(chunk.parent)
    chunk.parent.write_bytes(b"x")


def as_folder(chunk):
    chunk.unlink()
    chunk.mkdir()


def as_dead_link(chunk):
    chunk.unlink()
    chunk.symlink_to("nowhere")


def as_nothing(chunk):
    chunk.write_bytes(b"")


def as_pipe(chunk):
    chunk.unlink()
    os.mkfifo(chunk)


IN_PLACE_OF_CHUNKS = [as_file, as_folder, as_nothing]
if os.name != "nt":
    IN_PLACE_OF_CHUNKS += [as_dead_link, as_pipe]


@pytest.mark.parametrize("replace", IN_PLACE_OF_CHUNKS)
@pytest.mark.parametrize("kind", ["version 2", "version 3", "shards"])
def test_what_lies_in_the_place_of_a_chunk_is_no_background(
    tmp_path, movie, kind, replace
):
    options = {"version 2": {"zarr_format": 2}, "shards": {"shards": (1, 12, 10)}}
    if kind == "version 2":
        options[kind]["chunk_key_encoding"] = {"name": "v2", "separator": "/"}
    chunks = (1, 6, 10)
    zarr.create_array(tmp_path, data=movie, chunks=chunks, **options.get(kind, {}))
    (chunk,) = {file for file in tmp_path.rglob("3/0/0") if file.is_file()}
    replace(chunk)
    frames = open_frames(tmp_path, percentiles=None, contrast_limits=(0, 900))
    np.testing.assert_array_equal(frames.read_raw(2)[0], movie[2])
    with pytest.raises(InputError, match=r"frame 3 cannot be read.*chunk"):
        frames.read_raw(3)
    frames.close()


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
        ({"datasets": [{"path": "../b/0"}], "axes": ["t", "y", "x"]}, "inside of its"),
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


def write_image(path, pixels, multiscale, *, version="0.5"):
    """Write an OME-Zarr image of one level, with any metadata."""
    is_v2 = version in ("0.1", "0.2", "0.3", "0.4")
    group = zarr.open_group(path, mode="w", zarr_format=2 if is_v2 else 3)
    group.create_array("0", data=pixels)
    if is_v2:
        group.attrs["multiscales"] = [{"version": version, **multiscale}]
    else:
        group.attrs["ome"] = {"version": version, "multiscales": [multiscale]}
    return path


@pytest.mark.parametrize("name", ["position", "p", "fov", "Scene", "stage_position"])
def test_positions_are_no_frames(tmp_path, movie, name):
    axes = [{"name": name}, {"name": "y"}, {"name": "x"}]
    path = write_image(
        tmp_path / "a.zarr", movie, {"axes": axes, "datasets": [{"path": "0"}]}
    )
    with pytest.raises(InputError, match="7 stage positions: choose one"):
        open_frames(path)
    frames = open_frames(path, position=3)
    np.testing.assert_array_equal(frames.read_raw(0)[0], movie[3])
    assert frames.frame_count == 1


@pytest.mark.parametrize("name", ["angle", "lifetime", "i", "q", "roi"])
def test_unknown_axes_are_asked_for(tmp_path, movie, name):
    axes = [{"name": name}, {"name": "y", "type": "space"}, "x"]
    path = write_image(
        tmp_path / "a.zarr", movie, {"axes": axes, "datasets": [{"path": "0"}]}
    )
    with pytest.raises(InputError, match=rf"calls it {name!r}"):
        open_frames(path)
    np.testing.assert_array_equal(raw_frames(path, axes="TYX"), movie)


@pytest.mark.parametrize("kind", ["space", "angle"])
def test_the_type_of_an_axis_counts_more_than_its_name(tmp_path, movie, kind):
    axes = [{"name": "t", "type": kind}, {"name": "y"}, {"name": "x"}]
    path = write_image(
        tmp_path / "a.zarr", movie, {"axes": axes, "datasets": [{"path": "0"}]}
    )
    with pytest.raises(InputError, match=f"calls it 't of type {kind}'"):
        open_frames(path)


@pytest.mark.parametrize("name", ["s", "Sample"])
def test_samples_that_do_not_come_last_are_no_colours(tmp_path, numbered, name):
    pixels, path = numbered((3, 12, 10)), tmp_path / "a.zarr"
    zarr.create_array(path, data=pixels, dimension_names=(name, "y", "x"))
    with pytest.raises(InputError, match=f"calls it {name.lower()!r}"):
        open_frames(path)
    path = tmp_path / "b.zarr"
    zarr.create_array(
        path, data=np.moveaxis(pixels, 0, -1), dimension_names=("y", "x", name)
    )
    frames = open_frames(path)
    np.testing.assert_array_equal(frames.read_raw(0), pixels)


def test_plain_dimension_names_that_are_unknown_are_asked_for(tmp_path, movie):
    zarr.create_array(
        tmp_path / "a.zarr", data=movie, dimension_names=("angle", "y", "x")
    )
    with pytest.raises(InputError, match="calls it 'angle'"):
        open_frames(tmp_path / "a.zarr")


def version_6(axes, transformations, **more):
    named = [{"name": name, "type": KINDS.get(name, "space")} for name in axes]
    return {
        "coordinateSystems": [{"name": "world", "axes": named}],
        "datasets": [{"path": "0", "coordinateTransformations": transformations}],
        **more,
    }


KINDS = {"t": "time", "c": "channel"}
OUTPUTS = [{"name": "world"}, "world"]


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("axes", ["tyx", "zyx"])
def test_axes_of_version_6_stand_in_coordinate_systems(tmp_path, movie, axes, output):
    scale = {"type": "scale", "scale": [3.0, 0.5, 0.5]}
    path = write_image(
        tmp_path / "a.zarr",
        movie,
        version_6(axes, [{**scale, "input": "0", "output": output}]),
        version="0.6",
    )
    frames = open_frames(path)
    assert frames.layout.axes == axes.upper()
    assert frames.calibration.scale == (3.0, 0.5, 0.5)


def test_sequences_of_version_6_are_composed(tmp_path, movie):
    steps = [
        {"type": "scale", "scale": [2.0, 0.5, 0.5]},
        {"type": "translation", "translation": [1.0, 10.0, 20.0]},
    ]
    sequence = {"type": "sequence", "transformations": steps, "output": "world"}
    path = write_image(
        tmp_path / "a.zarr", movie, version_6("tyx", [sequence]), version="0.6"
    )
    calibration = open_frames(path).calibration
    assert calibration.scale == (2.0, 0.5, 0.5)
    assert calibration.translation == (1.0, 10.0, 20.0)


@pytest.mark.parametrize(
    ("multiscale", "version", "words"),
    [
        (version_6("tyx", [{"type": "mapAxis", "output": "world"}]), "0.6", "mapAxis"),
        (version_6("tyx", [{"type": "scale", "output": "else"}]), "0.6", "0.6"),
        ({"datasets": [{"path": "0"}]}, "0.6", "version 0.6 must list the axes"),
        (
            version_6("tyx", [{"type": "identity"}]) | {"axes": ["z", "y", "x"]},
            "0.6",
            "name other axes",
        ),
        ({"datasets": [{"path": "0"}]}, "0.9", "version 0.9 must list the axes"),
        (version_6("tyx", [{"type": "identity"}]), "1.0", "version 1.0 is none of"),
        ({"axes": list("tyx"), "datasets": [{"path": "0"}]}, "0.7", "version 0.7 is"),
        ({"axes": list("tyx"), "datasets": [{"path": "0"}]}, "0.10", "version 0.10 is"),
        ({"datasets": [{"path": "0"}]}, "0.4", "version 0.4 must list the axes"),
    ],
)
def test_later_versions_are_never_taken_for_the_first(
    tmp_path, movie, multiscale, version, words
):
    path = write_image(tmp_path / "a.zarr", movie, multiscale, version=version)
    with pytest.raises(InputError, match=words) as raised:
        open_frames(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "transformations",
    [None, [], [{"type": "identity"}], [{"type": "scale", "path": "s"}]],
)
def test_transformations_that_say_nothing_leave_the_scale_open(
    tmp_path, movie, transformations
):
    dataset = {"path": "0"}
    if transformations is not None:
        dataset["coordinateTransformations"] = transformations
    path = write_image(
        tmp_path / "a.zarr",
        movie,
        {"axes": [{"name": name} for name in "tyx"], "datasets": [dataset]},
    )
    assert open_frames(path).calibration.scale == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_consolidated_metadata_that_are_out_of_date_do_not_count(
    tmp_path, movie, zarr_format
):
    path = tmp_path / "a.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    group.create_array("old", data=movie[:1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(path)
    group = zarr.open_group(path, mode="r+", use_consolidated=False)
    group.create_array("new", data=movie)
    del group["old"]
    np.testing.assert_array_equal(raw_frames(path), movie)


def write_two_images(path, version):
    """Write a group of a raw and a deconvolved movie, as two images of one name."""
    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    axes = [{"name": "t", "type": "time"}] + [
        {"name": name, "type": "space", "unit": "micrometer"} for name in "yx"
    ]
    images = []
    for number, (name, step) in enumerate((("raw", 1.0), ("deconvolved", 0.5))):
        group.create_array(str(number), data=np.full((3, 4, 5), number, np.uint8))
        scale = {"type": "scale", "scale": [1.0, step, step]}
        datasets = [{"path": str(number), "coordinateTransformations": [scale]}]
        images.append({"name": name, "axes": axes, "datasets": datasets})
    if version == "0.5":
        group.attrs["ome"] = {"version": version, "multiscales": images}
    else:
        group.attrs["multiscales"] = [{"version": version, **one} for one in images]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_of_two_images_in_one_group_one_is_asked_for(tmp_path, version):
    write_two_images(tmp_path, version)
    with pytest.raises(InputError, match=r"2 images.*/0 \(raw\).*/1 \(deconvolved\)"):
        open_frames(tmp_path)
    for number, step in enumerate((1.0, 0.5)):
        with closing(open_frames(tmp_path / str(number))) as frames:
            assert (frames.read_raw(0) == number).all()
            assert frames.calibration.scale == (1.0, step, step)


def test_of_two_images_the_finest_levels_are_named(tmp_path):
    write_two_images(tmp_path, "0.5")
    group = zarr.open_group(tmp_path)
    ome = dict(group.attrs["ome"])
    for image in ome["multiscales"]:
        (level,) = image["datasets"]
        coarse = {
            "path": f"coarse-{level['path']}",
            "coordinateTransformations": [{"type": "scale", "scale": [1.0, 8.0, 8.0]}],
        }
        group.create_array(coarse["path"], data=np.zeros((3, 2, 3), np.uint8))
        image["datasets"] = [coarse, level]
    group.attrs["ome"] = ome
    with pytest.raises(InputError, match=r"2 images.*/0 \(raw\).*/1 \(deconvolved\)"):
        open_frames(tmp_path)


def test_two_descriptions_of_one_image_are_no_two_images(tmp_path):
    write_two_images(tmp_path, "0.5")
    group = zarr.open_group(tmp_path)
    ome = dict(group.attrs["ome"])
    ome["multiscales"] = [ome["multiscales"][0]] * 2
    group.attrs["ome"] = ome
    with closing(open_frames(tmp_path)) as frames:
        assert frames.frame_count == 3


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("field", ["B/03/0", "A/1/2", "H/12/0"])
def test_the_hint_for_a_plate_names_a_field_that_is_there(tmp_path, zarr_format, field):
    path = tmp_path / "plate.zarr"
    plate = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    plate.create_group(field).create_array("0", data=np.zeros((2, 4, 4), np.uint8))
    well = field.rpartition("/")[0]
    metadata = {"plate": {"wells": [{"path": well}]}}
    plate.attrs.put(metadata if zarr_format == 2 else {"ome": metadata})
    with pytest.raises(InputError, match=f"for example {path}/{field}$"):
        open_frames(path)
    plate[well].attrs.put({"well": {"images": [{"path": field[-1]}]}})
    with pytest.raises(InputError, match=f"is a well; .* {path}/{field}$"):
        open_frames(path / well)


def test_a_movie_of_a_million_million_frames_opens_and_reads(tmp_path):
    shape = (10**12, 16, 16)
    zarr.create_array(
        tmp_path / "a.zarr", shape=shape, chunks=(1, 16, 16), dtype=np.uint16
    )
    frames = open_frames(tmp_path / "a.zarr")
    assert frames.frame_count == 10**12
    assert not frames.read_raw(10**12 - 1).any()


def test_frames_of_countless_chunks_are_refused(tmp_path):
    """Minutes passed in silence while a million chunks were asked for."""
    path = tmp_path / "a.zarr"
    zarr.create_array(path, shape=(2, 2000, 2000), chunks=(1, 1, 1), dtype="u1")
    with pytest.raises(InputError, match="chunks, more than 100000"):
        open_frames(path)


@pytest.mark.parametrize("chunks", [(1, 16, 16), (1, 10**6, 10**6)])
def test_frames_larger_than_memory_are_refused(tmp_path, chunks):
    zarr.create_array(
        tmp_path / "a.zarr", shape=(3, 10**6, 10**6), chunks=chunks, dtype=np.uint16
    )
    with pytest.raises(InputError, match=r"one frame needs 1\.8 TB, but"):
        open_frames(tmp_path / "a.zarr")


def test_chunks_larger_than_memory_are_refused(tmp_path):
    zarr.create_array(
        tmp_path / "a.zarr", shape=(10**10, 16, 16), chunks=(10**10, 16, 16), dtype="u1"
    )
    with pytest.raises(InputError, match=r"one frame needs 2\.3 TB, but"):
        open_frames(tmp_path / "a.zarr")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("says_scales", [True, False])
def test_of_levels_in_any_order_the_finest_is_read(
    write_ome_zarr, movie, version, says_scales
):
    path = write_ome_zarr(movie, version=version)
    group = zarr.open_group(path, mode="r+", use_consolidated=False)
    ome = group.attrs.asdict()
    (image,) = ome.get("ome", ome)["multiscales"]
    image["datasets"].reverse()
    if not says_scales:
        for dataset in image["datasets"]:
            dataset["coordinateTransformations"] = []
    group.attrs.put(ome)
    np.testing.assert_array_equal(raw_frames(path), movie)
    assert open_parent(path, "r").image.levels[0].shape["y"] == movie.shape[1]
    assert read_images(path)[0].levels[0].shape == movie.shape
    if says_scales:  # else nobody knows that the one that is missing was coarser
        shutil.rmtree(path / "1")
        np.testing.assert_array_equal(raw_frames(path), movie)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_graph_of_tracks_is_no_movie(tmp_path, zarr_format):
    tracks = zarr.create_group(
        tmp_path / "t.geff", zarr_format=zarr_format, attributes={"geff": {}}
    )
    tracks.create_group("nodes").create_array("ids", data=np.arange(3))
    with pytest.raises(InputError, match=r"of tracks .* napari-sam2 import reads"):
        open_frames(tmp_path / "t.geff")
