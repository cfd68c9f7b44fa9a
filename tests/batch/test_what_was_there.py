"""Nothing under OUT that we did not write is changed, deleted or replaced."""

import contextlib
import warnings

import numpy as np
import pytest
import zarr
from tests.io.fake_run import FRAME_SHAPE, LOGITS_SHAPE, PROVENANCE, FakeRun

from napari_sam2.batch.movie_files import write_movie_zarr
from napari_sam2.batch.output import Output
from napari_sam2.errors import NapariSam2Error, OutputError
from napari_sam2.io.label_store.export import PlainLabels, write_labels
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.synthetic import SimulatedMovie, preset

FRAMES = 30
OLD = ("0.2", "0.4")
OURS = ("labels/masklets/", "labels/.", "labels/zarr.json", "labels/zarr.")


def image_metadata(axes="tyx", version="0.5"):
    scale = {"type": "scale", "scale": [1.0] * len(axes)}
    dataset = {"path": "0", "coordinateTransformations": [scale]}
    kinds = {"t": "time", "c": "channel"}
    named = [{"name": one, "type": kinds.get(one, "space")} for one in axes]
    entry = {"axes": named, "datasets": [dataset]}
    if version in OLD:
        return {"multiscales": [{"version": version, **entry}]}
    return {"ome": {"version": version, "multiscales": [entry]}}


def group(path, zarr_format=3, **attributes):
    return zarr.create_group(path, zarr_format=zarr_format, attributes=attributes)


def pixels(node, name="0"):
    data = np.arange(FRAMES * np.prod(FRAME_SHAPE), dtype=np.uint32)
    node.create_array(name, data=data.reshape(FRAMES, *FRAME_SHAPE), chunks=(9, 48, 64))


def plain_group(path, zarr_format=3):
    pixels(group(path, zarr_format, mine=1))


def group_of_images(path):
    outer = group(path)
    inner = outer.create_group("0", attributes=image_metadata())
    pixels(inner)
    pixels(inner.create_group("labels/cells"))


def ome_image(path, version="0.5"):
    zarr_format = 2 if version in OLD else 3
    pixels(group(path, zarr_format, **image_metadata(version=version)))


def image_with_labels(path):
    ome_image(path)
    labels = zarr.open_group(path).create_group(
        "labels", attributes={"ome": {"version": "0.5", "labels": ["theirs"]}}
    )
    pixels(labels.create_group("theirs"))
    pixels(labels.create_group("masklets"))


def plate(path):
    wells = {"ome": {"version": "0.5", "plate": {"wells": [{"path": "A/1"}]}}}
    pixels(group(path, **wells).create_group("A/1/0"))


def collection(path):
    pixels(group(path, 2, **{"bioformats2raw.layout": 3}).create_group("0"))


def files(path):
    path.mkdir()
    (path / "notes.txt").write_text("mine")
    (path / "0").write_text("mine too")


def one_array(path):
    data = np.zeros((FRAMES, *FRAME_SHAPE), np.uint8)
    zarr.create_array(path, data=data)


def labels_are_a_file(path):
    plain_group(path)
    (path / "labels").write_text("mine")


def partial_files(path):
    group(path, mine=1)
    (path / "upload.partial").write_text("half of mine")
    (path / "labels").mkdir()
    (path / "labels" / "stack.ome.partial").write_text("half of mine")


def link_to_a_group(path):
    elsewhere = path.with_name("elsewhere.zarr")
    plain_group(elsewhere)
    path.symlink_to(elsewhere, target_is_directory=True)


def link_to_an_array(path):
    elsewhere = path.with_name("elsewhere.zarr")
    one_array(elsewhere)
    group(path, mine=1)
    (path / "0").symlink_to(elsewhere, target_is_directory=True)


def our_labels_and_their_array(path):
    """A group that we made, into which somebody put an array later."""
    open_output(path, name="other")
    pixels(zarr.open_group(path))


def n5(path):
    """What another format calls a container, with an array."""
    (path / "0" / "0").mkdir(parents=True)
    (path / "attributes.json").write_text('{"n5": "2.0.0"}')
    (path / "0" / "attributes.json").write_text('{"dimensions": [1]}')
    (path / "0" / "0" / "0").write_bytes(b"mine")


def labels_of_another_program(path):
    ome_image(path)
    ome = {"version": "0.5", "labels": ["masklets"]}
    labels = zarr.open_group(path).create_group("labels", attributes={"ome": ome})
    pixels(labels.create_group("masklets", attributes=image_metadata()))


def labels_that_are(kind):
    """Put a file, or a link to what lies elsewhere, in the place of the labels."""

    def make(path):
        ome_image(path)
        elsewhere = path.with_name("elsewhere.zarr")
        plain_group(elsewhere)
        place = path / "labels/masklets"
        place.parent.mkdir()
        if kind == "a file":
            place.write_text("mine")
        else:
            target = path.with_name("gone") if kind == "a dead link" else elsewhere
            place.symlink_to(target, target_is_directory=True)

    return make


CONTENTS = {
    "plain v2": lambda path: plain_group(path, 2),
    "plain v3": plain_group,
    "group of images": group_of_images,
    "image 0.2": lambda path: ome_image(path, "0.2"),
    "image 0.4": lambda path: ome_image(path, "0.4"),
    "image 0.5": ome_image,
    "image 0.6": lambda path: ome_image(path, "0.6"),
    "image with labels": image_with_labels,
    "plate": plate,
    "collection": collection,
    "files": files,
    "file": lambda path: path.write_text("mine"),
    "array": one_array,
    "labels are a file": labels_are_a_file,
    "partial files": partial_files,
    "link to a group": link_to_a_group,
    "link to an array": link_to_an_array,
    "ours and theirs": our_labels_and_their_array,
    "array 2": lambda path: zarr.create_array(
        path, data=np.zeros((FRAMES, *FRAME_SHAPE), np.uint8), zarr_format=2
    ),
    "N5": n5,
    "labels of another program": labels_of_another_program,
    **{
        f"labels are {kind}": labels_that_are(kind)
        for kind in ("a file", "a linked group", "a dead link")
    },
    "a link to nothing": lambda path: path.symlink_to(path.with_name("gone")),
}
OPTIONS = {
    "new": {},
    "embed": {"embed_image": True},
    "overwrite": {"overwrite": True},
    "resume": {"resume": True, "embed_image": True},
    "merge": {"merge": True},
}


def open_output(path, name="masklets", **options):
    output = Output(path, name, **options)
    output.check()
    movie = open_frames(np.zeros((FRAMES, *FRAME_SHAPE), np.uint8), axes="TYX")
    store, *_ = output.open(movie, FakeRun().objects, PROVENANCE, LOGITS_SHAPE)
    return store


def kept(folder):
    """Return bytes and times of all that is not ours to write."""
    found = {}
    for file in folder.rglob("*"):
        name = file.relative_to(folder).as_posix()
        inside = name.partition("/")[2]
        if file.is_file() and not inside.startswith(OURS):
            found[name] = file.read_bytes(), file.stat().st_mtime_ns
    return found


@pytest.fixture(params=CONTENTS)
def out(request, tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a file that is no zarr, in a zarr
        CONTENTS[request.param](folder / "out.zarr")
    return folder / "out.zarr"


@pytest.mark.filterwarnings("ignore:Object at")
@pytest.mark.parametrize("options", OPTIONS)
def test_tracking_writes_its_own_labels_only(out, options):
    before = kept(out.parent)
    with contextlib.suppress(NapariSam2Error):
        store = open_output(out, **OPTIONS[options])
        store.write(FakeRun().result(3))
        store.finish()
        store.close()
    assert {name: kept(out.parent).get(name) for name in before} == before


@pytest.mark.filterwarnings("ignore:Object at")
def test_simulating_writes_into_new_folders_only(out):
    before = kept(out.parent)
    movie = SimulatedMovie(preset("nuclei", frame_count=2, frame_shape=(64, 64)))
    with pytest.raises(NapariSam2Error):
        write_movie_zarr(movie, out)
    assert kept(out.parent) == before


@pytest.mark.filterwarnings("ignore:Object at")
def test_saving_a_layer_writes_its_own_labels_only(out):
    before = kept(out.parent)
    with contextlib.suppress(NapariSam2Error):
        labels = np.ones((FRAMES, *FRAME_SHAPE), np.uint8)
        write_labels(out, "masklets", PlainLabels(labels))
    assert {name: kept(out.parent).get(name) for name in before} == before


def test_no_movie_is_embedded_beside_labels_of_another(tmp_path):
    store = open_output(tmp_path / "ours.zarr")
    store.close()
    before = kept(tmp_path)
    movie = SimulatedMovie(preset("nuclei", frame_count=2, frame_shape=(64, 64)))
    with pytest.raises(OutputError, match=r"holds labels 'masklets' of shape \(30, 48"):
        write_movie_zarr(movie, tmp_path / "ours.zarr")
    assert kept(tmp_path) == before
    assert not (tmp_path / "ours.zarr/0").exists()
