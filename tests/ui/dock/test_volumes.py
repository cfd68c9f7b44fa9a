"""*Track volume*: points and labels on planes, tracked beside the window."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from qtpy.QtCore import Qt, QTimer

from napari_sam2.batch.plan.plan import read_plan
from napari_sam2.engine.runs.volumes import prepare
from napari_sam2.io.label_store.volume import VolumeLabels
from napari_sam2.synthetic import MovieConfig, SimulatedVolume
from napari_sam2.ui.contributions.reader import get_reader
from napari_sam2.ui.dock.volumes import MARK

FRAMES, PLANES, SIDE = 3, 3, 48


@pytest.fixture(scope="module")
def volume():
    """``(T, Z, Y, X)`` of a movie, and of its truth."""
    config = MovieConfig(
        frame_count=FRAMES, frame_shape=(SIDE, SIDE), cell_count=2, cell_size=20,
        division_rate=0, open_border=False, seed=5,
    )  # fmt: skip
    made = SimulatedVolume(config, PLANES)
    places = [(t, z) for t in range(FRAMES) for z in range(PLANES)]
    shape = (FRAMES, PLANES, SIDE, SIDE)
    return tuple(
        np.array([read(*place) for place in places]).reshape(shape)
        for read in (made.frame, made.labels)
    )


@pytest.fixture
def window(open_dock, volume, tmp_path):
    viewer, parts = open_dock(
        volume[0],
        axis_labels=("t", "z", "y", "x"),
        scale=(300, 2.6, 0.65, 0.65),
        contrast_limits=(100, 4000),
    )
    parts.output_panel.show_folder(tmp_path / "cells.zarr")
    yield viewer, parts, open_dock.docks[0]
    open_dock.docks[0].volumes.close()


def click(qtbot, button):
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def centres(truth):
    """``(t, z, y, x)`` in the middle of each cell of one plane."""
    plane = truth[1, 1]
    return [
        (1, 1, *np.argwhere(plane == one).mean(axis=0)) for one in np.unique(plane)[1:]
    ]


def ended(qtbot, tracking):
    qtbot.waitUntil(lambda: not tracking.is_running)


def test_points_on_planes_are_tracked_stopped_and_gone_on_with(
    window, volume, qtbot, tmp_path
):
    viewer, parts, dock = window
    panel, tracking = parts.volume_panel, dock.volumes
    section = dock.sections.sections["volume"]
    assert not section.isHidden(), "the movie has time and z"
    click(qtbot, section.heading)
    assert not panel.track_button.isEnabled(), "nobody said what to track"
    clicks = centres(volume[1])
    viewer.add_points(clicks, name="cells", scale=(300, 2.6, 0.65, 0.65))
    ticks = []
    timer = QTimer(dock)
    timer.timeout.connect(lambda: ticks.append(tracking.is_running))
    timer.start(20)
    click(qtbot, panel.track_button)
    qtbot.waitUntil(lambda: panel.bar.maximum() > 0)
    click(qtbot, panel.stop_button)
    ended(qtbot, tracking)
    assert "goes on from there" in parts.status.text()
    assert sum(ticks) > 10, "the window stood still"

    click(qtbot, panel.track_button)
    ended(qtbot, tracking)
    assert "Done." in parts.status.text(), parts.status.text()
    (folder,) = tmp_path.glob("cells-volume-*")
    store = VolumeLabels.open(folder / "masklets.zarr", "masklets", "r")
    assert store.is_complete
    (shown,) = [one for one in viewer.layers if MARK in one.metadata]
    assert shown.data.shape == volume[1].shape
    np.testing.assert_array_equal(shown.scale, (300, 2.6, 0.65, 0.65))
    found = np.asarray(shown.data)
    assert set(np.unique(found)) - {0} == set(range(1, len(clicks) + 1))
    assert not shown.editable

    image, labels = get_reader(str(store.path))(str(store.path))
    np.testing.assert_array_equal(np.asarray(image[0]), volume[0])
    np.testing.assert_array_equal(np.asarray(labels[0]), found)
    assert labels[1]["scale"] == image[1]["scale"] == (300, 2.6, 0.65, 0.65)


def test_labels_of_the_time_point_that_is_shown_are_prompts(window, volume):
    viewer, parts, dock = window
    viewer.add_labels(volume[1], name="cellpose", scale=(300, 2.6, 0.65, 0.65))
    viewer.dims.set_current_step(0, 2)
    drawn = prepare(dock.volumes.order(), lambda: False)
    entries = json.loads((drawn / "prompts.json").read_text())["objects"]
    said = [(one["id"], prompt) for one in entries for prompt in one["prompts"]]
    assert {prompt["frame"] for _, prompt in said} == {2}
    for object_id, prompt in said:
        mask = np.array(Image.open(drawn / prompt["mask"])) > 0
        np.testing.assert_array_equal(mask, volume[1][2, prompt["z"]] == object_id)

    parts.volume_panel.whole_box.setChecked(True)
    whole = prepare(dock.volumes.order(), lambda: False)
    assert whole != drawn
    np.testing.assert_array_equal(tifffile.imread(whole / "labels.tif"), volume[1][2])
    plan = read_plan(whole / "plan.json")
    assert (plan.mode, plan.prompts.frame) == ("tzyx", 2)
    assert plan.frame_options.contrast_limits == ((100, 4000),)


def test_what_cannot_be_tracked_is_said(window):
    viewer, parts, _ = window
    viewer.add_points([(1, 7, 20, 20)], name="far", scale=(300, 2.6, 0.65, 0.65))
    parts.volume_panel.track_requested.emit()
    assert "far, point 1: lies on no plane" in parts.status.text()
