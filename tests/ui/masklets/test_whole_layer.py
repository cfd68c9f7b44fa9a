"""Whoever reads the masklets as a whole gets what is true: no frame is in memory here.

Saving the layer as TIFF once wrote background for each frame that was not.
"""

import threading
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import tifffile
import zarr
from napari.components import ViewerModel
from napari.layers import _layer_actions
from npe2 import PluginManifest
from qtpy.QtCore import QObject
from skimage.measure import regionprops_table
from tests.ui.contributions.test_reader_writer import (  # noqa: F401
    CALIBRATION,
    SHAPE,
    labels_of,
    session,
)
from tests.ui.hand import unwrapped

from napari_sam2.engine import Request, StoreReady
from napari_sam2.engine.movie.axes import lay_out_layer
from napari_sam2.engine.movie.image_input import ImageInput
from napari_sam2.errors import InputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.ui.masklets.layer import MaskletLayer

TRUTH = np.stack([labels_of(frame_index) for frame_index in range(SHAPE[0])])


@pytest.fixture
def viewer():
    """A viewer without a window."""
    return ViewerModel()


@pytest.fixture
def window(make_napari_viewer_proxy):
    return make_napari_viewer_proxy()


@pytest.fixture
def shown(request, npe2pm, qtbot, session):  # noqa: F811
    """A layer of masklets whose frames nobody brings; `window` gives it one."""
    npe2pm.register(PluginManifest.from_distribution("napari"))
    npe2pm.register(PluginManifest.from_distribution("napari-sam2"))
    is_window = "window" in request.fixturenames
    viewer, owner = (
        request.getfixturevalue("window" if is_window else "viewer"),
        QObject(),
    )
    viewer.add_image(np.zeros(SHAPE, np.uint8), name="movie")
    viewer.dims.set_point(0, 0)
    image = viewer.layers["movie"]
    axes = lay_out_layer(SHAPE, ("t", "y", "x"), 0, {})
    movie = ImageInput(
        image.unique_id, 1, "movie", axes, False, (), CALIBRATION, image.data
    )
    store = OmeZarrLabelStore.open(session, mode="r")
    read_in = []

    def read_labels(frame_index):
        read_in.append(threading.current_thread())
        return store.read_labels(frame_index)

    masklets, told = MaskletLayer(viewer, owner), []
    masklets.told.connect(told.append)
    masklets.show(
        StoreReady(Request(movie, "toy", session), store.array.dtype, read_labels)
    )

    def bring(frames):
        for one in frames:
            masklets.show_frame(one, labels_of(one))

    yield SimpleNamespace(
        viewer=viewer,
        masklets=masklets,
        layer=masklets.layer,
        layers=unwrapped(viewer).layers,
        told=told,
        read_in=read_in,
        serve=lambda: masklets.frames_wanted.connect(bring),
        choose=lambda: setattr(
            viewer.layers.selection, "active", viewer.layers[masklets.layer.name]
        ),
    )
    masklets.close()
    qtbot.wait(10)


@pytest.mark.filterwarnings("ignore:.*stored as RGB:DeprecationWarning")
def test_saving_writes_frames_that_are_not_in_memory(shown, tmp_path):
    paths = [str(tmp_path / f"saved.{ending}") for ending in ("tif", "npz", "zarr")]
    for path in paths:
        assert shown.layer.save(path) == [path]
    np.testing.assert_array_equal(tifffile.imread(paths[0]), TRUTH)
    np.testing.assert_array_equal(np.load(paths[1])["arr_0"], TRUTH)
    saved = zarr.open_array(tmp_path / "saved.zarr/labels/movie masklets/0", mode="r")
    np.testing.assert_array_equal(saved[:], TRUTH)


def test_the_array_is_what_is_on_disk(shown):
    data = shown.layer.data
    np.testing.assert_array_equal(np.asarray(data), TRUTH)
    for key in (2, -1, [3, 0], slice(None, None, -1), (slice(1, 3), 5), (0, [2, 4])):
        np.testing.assert_array_equal(data[key], TRUTH[key])
    np.testing.assert_array_equal(data[TRUTH > 1], TRUTH[TRUTH > 1])
    assert shown.masklets.live.take_wanted() == []


def test_functions_of_other_plugins_see_what_is_true(shown):
    data = shown.layer.data
    assert np.max(data) == 3
    np.testing.assert_array_equal(data == 2, TRUTH == 2)
    measured = regionprops_table(np.asarray(data[3]), properties=("label", "area"))
    assert measured["label"].tolist() == [2, 3]
    found = {}
    reader = threading.Thread(target=lambda: found.update(all=np.array(data)))
    reader.start()
    reader.join(10)
    np.testing.assert_array_equal(found["all"], TRUTH)


def test_a_duplicate_is_a_layer_of_its_own(shown, tmp_path):
    shown.choose()
    _layer_actions._duplicate_layer(shown.layers)
    copy = next(one for one in shown.viewer.layers if one.name.endswith("copy"))
    np.testing.assert_array_equal(copy.data, TRUTH)
    copy.data_setitem(tuple(np.array([[0], [0], [0]])), 9)
    np.testing.assert_array_equal(shown.layer.data[0], TRUTH[0])
    copy.save(str(tmp_path / "copy.zarr"))
    saved = zarr.open_array(next(tmp_path.glob("copy.zarr/labels/*/0")), mode="r")
    assert saved[0, 0, 0] == 9
    np.testing.assert_array_equal(saved[1:], TRUTH[1:])
    shown.viewer.layers.remove(shown.layer.name)
    shown.masklets.show_frame(0, TRUTH[0])
    assert copy.data[0, 0, 0] == 9  # it is not taken for the session's layer


def test_an_image_made_of_the_layer_is_drawn_when_its_frames_come(shown, qtbot):
    shown.choose()
    _layer_actions._convert_to_image(shown.layers)
    image = next(one for one in shown.layers if "masklets" in one.name)
    np.testing.assert_array_equal(image.data, TRUTH)
    shown.viewer.dims.set_point(0, 2)
    shown.serve()
    shown.masklets.forget_frames([2])
    image.refresh()
    qtbot.waitUntil(lambda: np.array_equal(image._slice.image.raw, TRUTH[2]))


def test_the_layer_is_given_no_other_labels(shown, qtbot):
    shown.choose()
    _layer_actions._convert_dtype(shown.layers, np.uint32)
    qtbot.waitUntil(lambda: shown.told != [])
    assert "duplicate the layer" in shown.told[0]
    assert shown.layer.data.dtype == np.uint16
    assert shown.layer.editable


@pytest.mark.usefixtures("slicing", "window")
def test_what_is_drawn_comes_later_and_is_not_read_in_the_main_thread(shown, qtbot):
    raw = lambda: unwrapped(shown.layer)._slice.image.raw  # noqa: E731
    shown.viewer.dims.set_point(0, 3)
    qtbot.wait(50)
    assert not raw().any()
    assert shown.read_in == []
    shown.serve()
    shown.masklets.forget_frames(range(SHAPE[0]))
    qtbot.waitUntil(lambda: np.array_equal(raw(), TRUTH[3]))
    qtbot.waitUntil(lambda: unwrapped(shown.layer).thumbnail.any())
    place = shown.layer.data_to_world((3, 3, 1))
    assert shown.layer.get_value(place, world=True) == 2
    assert "2" in shown.layer.get_status(place, world=True)["value"]
    shown.viewer.dims.ndisplay = 3
    qtbot.waitUntil(lambda: np.array_equal(raw(), TRUTH))
    assert shown.read_in == []


def test_a_volume_that_memory_does_not_hold_is_refused(shown, qtbot, monkeypatch):
    free = SimpleNamespace(available=SHAPE[1] * SHAPE[2] * 3)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(InputError, match=r"save the layer as \.zarr"):
        shown.layer.save("nowhere.tif")
    with pytest.raises(InputError, match="memory"):
        shown.viewer.dims.ndisplay = 3
    shown.masklets.forget_frames([0])
    qtbot.waitUntil(lambda: "memory" in "".join(shown.told))
    shown.viewer.dims.ndisplay = 2


def test_masklets_that_are_not_shown_any_more_are_read_from_disk(shown):
    """Nobody tells what changes on disk after the dock was closed."""
    shown.masklets.show_frame(1, np.zeros_like(TRUTH[1]))
    shown.masklets.close()
    np.testing.assert_array_equal(np.asarray(shown.layer.data), TRUTH)
