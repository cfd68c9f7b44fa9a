"""Labels beside an image have its axes, and lie on the plane that was tracked."""

from contextlib import closing

import numpy as np
import pytest
import zarr
from tests.io.fake_run import FRAME_SHAPE, PROVENANCE

from napari_sam2.batch.evaluation import open_labels
from napari_sam2.errors import OutputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.label_store.export import PlainLabels, write_labels
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.session.book.state import ObjectState

FRAMES = 30
HEIGHT, WIDTH = FRAME_SHAPE

# Axes, lengths of the others than rows and columns, where the movie stays, the shape of
# the labels before rows and columns, and where they lie in it (None: along frames).
IMAGES = {
    "bioformats2raw": ("tczyx", (FRAMES, 1, 1), {}, (FRAMES, 1, 1), (None, 0, 0)),
    "two channels": ("tcyx", (FRAMES, 2), {"C": 1}, (FRAMES, 1), (None, 0)),
    "a plane": ("tzyx", (FRAMES, 5), {"Z": 3}, (FRAMES, 5), (None, 3)),
    "no plane known": ("tzyx", (FRAMES, 5), {}, (FRAMES, 1), (None, 0)),
    "planes as frames": ("czyx", (3, FRAMES), {"C": 2}, (1, FRAMES), (0, None)),
    "a time point": (
        "tczyx",
        (4, 2, FRAMES),
        {"T": 2, "C": 0},
        (4, 1, FRAMES),
        (2, 0, None),
    ),
}


@pytest.fixture(params=IMAGES)
def case(request):
    return IMAGES[request.param]


@pytest.fixture
def image(write_ome_zarr, case):
    axes, lengths, fixed, *_ = case
    version = "0.5" if fixed else "0.4"
    pixels = np.zeros((*lengths, HEIGHT, WIDTH), np.uint8)
    path = write_ome_zarr(pixels, axes=axes, version=version)
    group = zarr.open_group(path)
    attributes = group.attrs.asdict()
    entry = attributes.get("ome", attributes)["multiscales"][0]
    for dataset in entry["datasets"]:
        scale = dataset["coordinateTransformations"][0]["scale"]
        scale[:-2] = [float(number + 2) for number in range(len(axes) - 2)]
    group.attrs.put(attributes)
    return path


@pytest.fixture
def store(image, case, new_store):
    axes, _, fixed, _, at = case
    frame_axis = axes[at.index(None)]
    return new_store(
        image,
        frame_count=FRAMES,
        calibration=Calibration((7.0, 0.5, 0.5), frame_axis=frame_axis),
        provenance=PROVENANCE.model_copy(update={"frames": {"fixed": fixed}}),
    )


def test_labels_have_the_axes_of_their_image(store, image, case, fake_run):
    *_, lengths, at = case
    store.write(fake_run.result(5))
    expected = fake_run.result(5).labels
    stored = zarr.open_array(image / "labels/masklets/0", mode="r")
    assert stored.shape == (*lengths, HEIGHT, WIDTH)
    assert stored.chunks[: len(lengths)] == (1,) * len(lengths)
    place = tuple(5 if index is None else index for index in at)
    np.testing.assert_array_equal(stored[place], expected)
    assert np.count_nonzero(stored[:]) == np.count_nonzero(expected)
    fixed = case[2]
    source = open_frames(image / "labels/masklets", t=fixed.get("T"), z=fixed.get("Z"))
    np.testing.assert_array_equal(source.read_raw(5)[0], expected)


def test_what_is_written_is_read_back_as_frames(store, image, fake_run):
    store.write(fake_run.result(5))
    store.commit(fake_run.progress(6), None)
    store.close()
    again = OmeZarrLabelStore.open(image)
    assert (again.frame_count, again.frame_shape) == (FRAMES, FRAME_SHAPE)
    assert again.calibration == store.calibration
    np.testing.assert_array_equal(again.read_labels(5), fake_run.result(5).labels)
    np.testing.assert_array_equal(
        again.array[5, 3:9, 2:], again.read_labels(5)[3:9, 2:]
    )
    labels = open_labels(image)
    np.testing.assert_array_equal(labels.read(5), fake_run.result(5).labels)
    assert labels.frame_count == FRAMES


def test_metadata_and_pyramid_are_those_of_the_image(store, image, case, fake_run):
    axes, *_, at = case
    store.write(fake_run.result(5))
    store.finish()
    group = zarr.open_group(image / "labels/masklets", mode="r")
    attributes = group.attrs.asdict()
    entry = attributes.get("ome", attributes)["multiscales"][0]
    assert [axis["name"] for axis in entry["axes"]] == list(axes)
    assert len(entry["datasets"]) == 2
    scale = entry["datasets"][0]["coordinateTransformations"][0]["scale"]
    frame = at.index(None)
    assert (scale[frame], *scale[-2:]) == (7.0, 0.5, 0.5)
    others = [axis for axis in range(len(axes) - 2) if axis != frame]
    assert [scale[axis] for axis in others] == [float(axis + 2) for axis in others]
    place = tuple(5 if index is None else index for index in at)
    coarse = np.asarray(group["1"][place])
    np.testing.assert_array_equal(coarse, fake_run.result(5).labels[::2, ::2])
    # A provenance that is renewed does not forget where the labels lie.
    reopened = OmeZarrLabelStore.open(image)
    reopened.renew_provenance(PROVENANCE)
    reopened.reopen()
    reopened.finish()
    assert group["1"].shape == zarr.open_group(image / "labels/masklets")["1"].shape


@pytest.mark.parametrize("axes", ["ctyx", "ztyx", "tzcyx"])
def test_images_whose_axes_are_in_another_order_say_so(write_ome_zarr, new_store, axes):
    lengths = tuple({"t": FRAMES, "z": 3, "c": 2}[name] for name in axes[:-2])
    path = write_ome_zarr(np.zeros((*lengths, HEIGHT, WIDTH), np.uint8), axes=axes)
    before = {one: one.read_bytes() for one in path.rglob("*") if one.is_file()}
    with pytest.raises(OutputError, match=r"axes in the order .*time, channel, space"):
        new_store(path)
    assert before == {one: one.read_bytes() for one in path.rglob("*") if one.is_file()}


def test_labels_of_an_image_whose_frames_come_last_have_axes_of_their_own(
    write_ome_zarr, new_store, fake_run
):
    path = write_ome_zarr(np.zeros((HEIGHT, WIDTH, FRAMES), np.uint8), axes="yxt")
    store = new_store(path)
    store.write(fake_run.result(5))
    stored = zarr.open_array(path / "labels/masklets/0", mode="r")
    np.testing.assert_array_equal(stored[5], fake_run.result(5).labels)


def test_undo_finds_the_frames_that_were_changed(store, fake_run):
    store.write(fake_run.result(5))
    book = store.read_session().book
    store.history.begin("edit", book, book.with_objects([ObjectState(9)]))
    store.write(fake_run.result(7))
    assert store.history.undo().frames == (7,)
    assert not store.read_labels(7).any()
    np.testing.assert_array_equal(store.read_labels(5), fake_run.result(5).labels)


def test_labels_of_version_0_2_are_read_and_finished(
    image, case, new_store, fake_run, monkeypatch
):
    """Which had frame, row and column, whatever their image had."""
    axes, *_, at = case
    frame_axis = axes[at.index(None)]
    layout = "napari_sam2.io.label_store.group.label_levels"
    from napari_sam2.io.ome_zarr.parent import label_levels

    def plain(parent, calibration, shape, plane):
        old = parent.without_other_axes(calibration.frame_axis)
        return label_levels(old, calibration, shape, plane)

    with monkeypatch.context() as patched:
        patched.setattr(layout, plain)
        store = new_store(
            image, frame_count=FRAMES, calibration=Calibration(frame_axis=frame_axis)
        )
    assert store.array.shape == (FRAMES, HEIGHT, WIDTH)
    attributes = zarr.open_group(image / "labels/masklets").attrs.asdict()
    assert attributes["napari-sam2"]["format_version"] == 1
    store.write(fake_run.result(5))
    store.finish()
    again = OmeZarrLabelStore.open(image, mode="r")
    np.testing.assert_array_equal(again.read_labels(5), fake_run.result(5).labels)
    group = zarr.open_group(image / "labels/masklets", mode="r")
    np.testing.assert_array_equal(group["1"][5], fake_run.result(5).labels[::2, ::2])


def test_a_layer_that_is_saved_beside_an_image_has_its_axes(image, case):
    axes, *_, at = case
    frame_axis = axes[at.index(None)]
    frames = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    frames[4, 2:5, 2:5] = 9
    labels = PlainLabels(frames, Calibration(frame_axis=frame_axis))
    write_labels(image, "theirs", labels)
    stored = zarr.open_array(image / "labels/theirs/0", mode="r")
    assert stored.ndim == len(axes)
    place = tuple(4 if axis == at.index(None) else 0 for axis in range(len(at)))
    np.testing.assert_array_equal(stored[place], frames[4])


@pytest.mark.parametrize(
    "names", [("T", "C", "Z", "Y", "X"), ("time", "channel", "depth", "row", "column")]
)
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_image_may_call_its_axes_as_it_likes(
    write_ome_zarr, new_store, names, version
):
    """OME-Zarr says what an axis is by its type and place."""
    pixels = np.zeros((FRAMES, 2, 5, HEIGHT, WIDTH), np.uint8)
    image = write_ome_zarr(pixels, axes="tczyx", version=version)
    group = zarr.open_group(image)
    attributes = group.attrs.asdict()
    entry = attributes.get("ome", attributes)["multiscales"][0]
    for axis, name in zip(entry["axes"], names, strict=True):
        axis["name"] = name
    group.attrs.put(attributes)
    with closing(open_frames(image, z=3, channels=1)) as frames:
        facts = PROVENANCE.model_copy(update={"frames": dict(frames.provenance)})
    store = new_store(path=image, provenance=facts)
    assert zarr.open_array(image / "labels/masklets/0").shape == (
        *(FRAMES, 1, 5),
        *FRAME_SHAPE,
    )
    assert store.plane == {"z": 3, "c": 0}
    store.close()
