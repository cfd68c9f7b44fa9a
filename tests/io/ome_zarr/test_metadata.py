"""Other people's programs accept and show what we write, at any time."""

import json
import math
import warnings
from dataclasses import replace

import numpy as np
import ome_zarr_models
import pytest
import yaozarrs
import zarr
from hypothesis import given
from hypothesis import strategies as st
from napari_ome_zarr._reader import napari_get_reader

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.label_store.progress_journal import ProgressJournal
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.ome_zarr.embedded_image import embed_image, holds_image
from napari_sam2.io.ome_zarr.metadata import (
    LevelGeometry,
    calibrated_axes,
    label_attributes,
    object_colour,
    read_calibration,
)
from napari_sam2.prompts import PromptedObject


def validate(path):
    """Check a group with both validators; warnings are errors."""
    yaozarrs.validate_zarr_store(str(path))
    return ome_zarr_models.open_ome_zarr(zarr.open_group(path, mode="r"))


def read_layers(path):
    """Open a folder as napari-ome-zarr does."""
    return napari_get_reader(str(path))(str(path))


def write_all(store, fake_run):
    for frame_index in range(store.frame_count):
        store.write(fake_run.result(frame_index))
    store.commit(fake_run.progress(None), None)


def image_frames(count=30, shape=(48, 64)):
    return (np.full(shape, number, np.uint16) for number in range(count))


@pytest.fixture
def pyramid_image(tmp_path):
    """An OME-Zarr 0.5 image of three levels, with a channel axis and a label."""
    path = tmp_path / "image.zarr"
    datasets = [
        {
            "path": f"s{level}",
            "coordinateTransformations": [
                {"type": "scale", "scale": [30.0, 1.0, 0.5 * 2**level, 0.5 * 2**level]},
                {
                    "type": "translation",
                    "translation": [0.0, 0.0, 0.25 * (2**level - 1), 5.0],
                },
            ],
        }
        for level in range(3)
    ]
    axes = [
        {"name": "t", "type": "time", "unit": "second"},
        {"name": "c", "type": "channel"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    ome = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    group = zarr.create_group(path, attributes={"ome": ome, "mine": 1})
    for level in range(3):
        group.create_array(
            f"s{level}",
            shape=(30, 2, 49 // 2**level, 64 // 2**level),
            chunks=(1, 1, 49, 64),
            dtype="uint16",
            dimension_names=("t", "c", "y", "x"),
        )
    return path


def test_a_new_store_is_valid_and_opens_alone_while_it_is_written(new_store, fake_run):
    store = new_store()
    validate(store.path / "labels/masklets")
    store.write(fake_run.result(0))
    validate(store.path / "labels/masklets")
    attributes = store.array.metadata
    assert attributes.dimension_names == ("t", "y", "x")
    codecs = [codec.to_dict() for codec in attributes.codecs]
    assert {
        "name": "zstd",
        "configuration": {"level": 3, "checksum": True},
    } in codecs
    ome = zarr.open_group(store.path / "labels/masklets", mode="r").attrs["ome"]
    assert "source" not in ome["image-label"]


def test_napari_shows_colours_and_properties(new_store, fake_run):
    store = new_store()
    write_all(store, fake_run)
    store.finish()
    validate(store.path / "labels/masklets")
    ((data, layer, kind),) = read_layers(store.path / "labels/masklets")
    assert kind == "labels"
    assert len(data) == 1
    np.testing.assert_array_equal(np.asarray(data[0][4]), fake_run.result(4).labels)
    assert list(layer["scale"]) == [30.0, 0.65, 0.65]
    assert layer["units"] == ("second", "micrometer", "micrometer")
    assert set(layer["colormap"]) == {3, 7}
    assert layer["properties"] == {
        "index": [3, 7],
        "name": ["cell 3", None],
        "parent": [None, 3],
        "first-frame": [0, 0],
        "last-frame": [29, 29],
    }


def test_objects_that_never_appear_have_no_frames(new_store, fake_run):
    store = new_store(objects=[*fake_run.objects, PromptedObject(9)])
    for frame_index in (4, 5, 20):
        store.write(fake_run.result(frame_index, [3], shown=[3]))
    store.finish()
    first, second, third = OmeZarrLabelStore.open(store.path).objects
    assert (first.first_frame, first.last_frame) == (4, 20)
    assert (second.first_frame, second.last_frame) == (None, None)
    assert (third.object_id, third.first_frame) == (9, None)


def test_labels_inside_an_image_get_its_levels(pyramid_image, new_store, fake_run):
    before = {
        one: one.read_bytes() for one in pyramid_image.rglob("*") if one.is_file()
    }
    store = new_store(pyramid_image, frame_shape=(49, 64))
    labels = np.zeros((49, 64), np.uint16)
    labels[8:33, 20:41] = 3
    result = fake_run.result(2)
    store.write(replace(result, labels=labels))
    read_layers(pyramid_image)
    store.finish()

    validate(pyramid_image)
    group = zarr.open_group(pyramid_image / "labels/masklets", mode="r")
    assert group.attrs["ome"]["image-label"]["source"] == {"image": "../../"}
    assert [group[str(level)].shape for level in range(3)] == [
        (30, 1, 49, 64),
        (30, 1, 24, 32),
        (30, 1, 12, 16),
    ]
    np.testing.assert_array_equal(group["1"][2, 0], labels[:48:2, ::2])
    (entry,) = group.attrs["ome"]["multiscales"]
    transformations = [one["coordinateTransformations"] for one in entry["datasets"]]
    assert [one[0]["scale"] for one in transformations] == [
        [30.0, 1.0, 0.65, 0.65],
        [30.0, 1.0, 1.3, 1.3],
        [30.0, 1.0, 2.6, 2.6],
    ]
    assert transformations[2][1]["translation"] == [0.0, 0.0, 12.5 + 0.75, 3.0]
    for path, content in before.items():
        assert path.read_bytes() == content
    layers = read_layers(pyramid_image)
    assert [kind for _, _, kind in layers] == ["image", "labels"]
    assert len(layers[1][0]) == 3


def test_writing_again_takes_the_pyramid_back(pyramid_image, new_store, fake_run):
    store = new_store(pyramid_image, frame_shape=(49, 64))
    store.finish()
    store = OmeZarrLabelStore.open(pyramid_image)
    assert store.is_complete
    assert store.read_progress() is None
    result = fake_run.result(2)
    labels = np.pad(result.labels, ((0, 1), (0, 0)))
    store.write(replace(result, labels=labels))
    assert not OmeZarrLabelStore.open(pyramid_image).is_complete
    group = zarr.open_group(pyramid_image / "labels/masklets", mode="r")
    assert sorted(group.array_keys()) == ["0"]
    assert len(group.attrs["ome"]["multiscales"][0]["datasets"]) == 1
    store.finish()
    validate(pyramid_image)


def test_a_run_that_stopped_while_finishing_has_no_stale_levels(
    pyramid_image, new_store, provenance, monkeypatch
):
    store = new_store(pyramid_image, frame_shape=(49, 64))

    def refuse(*_):
        raise OSError("pulled out")

    with monkeypatch.context() as patched:
        patched.setattr(ProgressJournal, "close", refuse)
        with pytest.raises(OutputError, match="cannot finish the labels: pulled out"):
            store.finish()
    store = OmeZarrLabelStore.open_for_resume(pyramid_image, provenance)
    group = zarr.open_group(pyramid_image / "labels/masklets", mode="r")
    assert sorted(group.array_keys()) == ["0"]
    assert len(group.attrs["ome"]["multiscales"][0]["datasets"]) == 1
    store.finish()
    validate(pyramid_image)


def test_other_labels_of_an_image_stay_listed(pyramid_image, new_store):
    ome = {"version": "0.5", "labels": ["nuclei"]}
    labels = zarr.open_group(pyramid_image).create_group(
        "labels", attributes={"ome": ome, "theirs": True}
    )
    labels.create_group("nuclei")
    new_store(pyramid_image, frame_shape=(49, 64))
    attributes = zarr.open_group(pyramid_image / "labels", mode="r").attrs.asdict()
    assert attributes == {
        "ome": {"version": "0.5", "labels": ["nuclei", "masklets"]},
        "theirs": True,
    }


def test_an_image_of_another_size_is_refused(pyramid_image, new_store):
    with pytest.raises(OutputError, match=r"holds an image of 30 × 49 × 64 .*48 × 64"):
        new_store(pyramid_image)
    assert not (pyramid_image / "labels").exists()


def test_inside_an_image_of_version_0_4(tmp_path, new_store, fake_run):
    path = tmp_path / "old.zarr"
    transformation = {"type": "scale", "scale": [30.0, 0.65, 0.65]}
    multiscale = {
        "version": "0.4",
        "axes": [
            {"name": "t", "type": "time"},
            {"name": "y", "type": "space"},
            {"name": "x", "type": "space"},
        ],
        "datasets": [{"path": "0", "coordinateTransformations": [transformation]}],
    }
    group = zarr.create_group(
        path, zarr_format=2, attributes={"multiscales": [multiscale]}
    )
    group.create_array(
        "0",
        shape=(30, 48, 64),
        chunks=(1, 48, 64),
        dtype="uint8",
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )
    with warnings.catch_warnings():
        # The image has consolidated metadata, which would hide new labels.
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(path)
    store = new_store(path)
    write_all(store, fake_run)
    store.write_anchor(fake_run.anchor(3))
    store.commit(fake_run.progress(None), fake_run.snapshot(1))
    snapshot = OmeZarrLabelStore.open(path).read_progress()[1]
    assert snapshot["memories/spatial"].dtype == np.uint16
    store.finish()

    validate(path)
    reopened = OmeZarrLabelStore.open(path)
    assert reopened.array.metadata.zarr_format == 2
    assert (path / "labels/masklets/0/0/0/0").is_file()
    assert reopened.read_logits(3)[0] == (3, 7)
    assert len(reopened.read_anchors()) == 1
    # Through the consolidated metadata, too.
    assert "masklets" in zarr.open_group(path, mode="r")["labels"]
    layers = read_layers(path)
    assert [kind for _, _, kind in layers] == ["image", "labels"]
    assert layers[1][1]["properties"]["index"] == [3, 7]


def test_an_image_of_another_version_is_refused(tmp_path, new_store):
    path = tmp_path / "future.zarr"
    attributes = {"ome": {"version": "0.9", "multiscales": [{}]}}
    zarr.create_group(path, attributes=attributes)
    with pytest.raises(OutputError, match=r"version 0\.9, and labels .* 0\.4 and 0\.5"):
        new_store(path)


@pytest.mark.parametrize("frame_axis", ["t", "z"])
@pytest.mark.parametrize("is_rgb", [False, True])
def test_an_embedded_movie_is_an_image_with_labels(
    tmp_path, new_store, calibration, frame_axis, is_rgb
):
    path = tmp_path / "x.zarr"
    known = Calibration(calibration.scale, frame_axis=frame_axis)
    shape = (48, 64, 3) if is_rgb else (48, 64)
    frames = [np.full(shape, number, np.uint8) for number in range(30)]
    assert not holds_image(path)
    embed_image(path, iter(frames), frame_count=30, calibration=known)
    assert holds_image(path)
    store = new_store(path, calibration=known)
    store.finish()
    validate(path)
    layers = read_layers(path)
    assert layers[-1][2] == "labels"
    image = np.asarray(layers[0][0][0])
    channel_axis = layers[0][1].get("channel_axis")
    if is_rgb:
        assert image.shape[channel_axis] == 3
        image = np.take(image, 0, axis=channel_axis)
    assert image.shape == (30, 48, 64)
    assert (image[:, 5, 5] == np.arange(30)).all()
    with pytest.raises(OutputError, match="holds an image already"):
        embed_image(path, frames, frame_count=30, calibration=known)


def test_embedding_keeps_the_type_of_grey_frames(tmp_path, calibration):
    path = tmp_path / "x.zarr"
    embed_image(path, image_frames(), frame_count=30, calibration=calibration)
    array = zarr.open_group(path, mode="r")["0"]
    assert array.dtype == np.uint16
    assert array.chunks == (1, 48, 64)
    assert (array[:, 3, 3] == np.arange(30)).all()


numbers = st.floats(1e-6, 1e6)
space_units = st.sampled_from([None, "micrometer", "nanometer", "angstrom"])


@given(
    scale=st.tuples(numbers, numbers, numbers),
    translation=st.tuples(*[st.floats(-1e6, 1e6)] * 3),
    units=st.tuples(
        st.sampled_from([None, "second", "hour"]), space_units, space_units
    ),
    version=st.sampled_from(["0.4", "0.5"]),
)
def test_calibration_round_trip(scale, translation, units, version):
    calibration = Calibration(scale, translation, units)
    levels = [LevelGeometry(scale, translation)]
    axes = calibrated_axes(calibration)
    attributes = label_attributes(version, "x", axes, levels, [], has_image=False)
    assert read_calibration(json.loads(json.dumps(attributes))) == calibration


def test_colours_of_neighbouring_ids_differ():
    colours = np.array([object_colour(one)[:3] for one in range(1, 41)], float)
    steps = np.linalg.norm(np.diff(colours, axis=0), axis=1)
    assert steps.min() > 80
    apart = np.linalg.norm(colours[:, None] - colours, axis=2)
    assert apart[~np.eye(40, dtype=bool)].min() > 10
    assert colours.max(axis=1).min() > 150
    assert math.isclose(object_colour(7)[3], 255)
