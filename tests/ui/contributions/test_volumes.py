"""Labels of stacks over time, opened by napari: looked at where their movie is."""

import numpy as np
import zarr

from napari_sam2.batch.movie_files import write_volume_zarr
from napari_sam2.interfaces import Calibration
from napari_sam2.io.label_store.volume import VolumeLabels, VolumeSpec
from napari_sam2.io.ome_zarr.volume_axes import PlaneAxis
from napari_sam2.prompts import PromptedObject
from napari_sam2.synthetic import MovieConfig, SimulatedVolume
from napari_sam2.ui.contributions.reader import get_reader


def test_labels_of_stacks_have_shape_and_axes_of_their_image(tmp_path):
    path = tmp_path / "cells.zarr"
    config = MovieConfig(frame_count=2, frame_shape=(20, 24), cell_count=1)
    write_volume_zarr(SimulatedVolume(config, 3), path)
    calibration = Calibration(units=("second", "micrometer", "micrometer"))
    objects = (PromptedObject(4, (), "a cell"), PromptedObject(5, (), "", 4))
    spec = VolumeSpec("masklets", (2, 3, 20, 24), objects, calibration, PlaneAxis(3))
    store = VolumeLabels.create(path, spec)
    planes = np.arange(3 * 20 * 24, dtype=np.uint16).reshape(3, 20, 24)
    store.write(1, planes)
    store.close()
    (image, shown, _), (labels, placed, kind) = get_reader(str(path))(str(path))
    assert kind == "labels"
    assert labels.shape == image.shape == (2, 3, 20, 24)
    for key in ("scale", "translate", "axis_labels"):
        assert placed[key] == shown[key]
    np.testing.assert_array_equal(labels[1], planes)
    assert placed["features"]["name"] == ["a cell", "object 5"]


def test_labels_of_an_image_with_channels_are_shown_without_them(tmp_path):
    path = tmp_path / "cells.zarr"
    names = ("t", "c", "z", "y", "x")
    kinds = ("time", "channel", "space", "space", "space")
    axes = [{"name": a, "type": k} for a, k in zip(names, kinds, strict=True)]
    scale = [{"type": "scale", "scale": [2.0, 1.0, 3.0, 0.5, 0.5]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    entry = {"axes": axes, "datasets": datasets}
    ome = {"ome": {"version": "0.5", "multiscales": [entry]}}
    group = zarr.create_group(path, attributes=ome)
    group.create_array("0", shape=(2, 2, 3, 20, 24), dtype="u1")
    spec = VolumeSpec("cells", (2, 3, 20, 24), (), Calibration(), PlaneAxis(3))
    store = VolumeLabels.create(path, spec)
    assert store.array.shape == (2, 1, 3, 20, 24)
    assert store.shape == (2, 3, 20, 24)
    store.write(0, np.full((3, 20, 24), 9, np.uint16))
    store.finish()
    store.close()
    *_, (labels, placed, _) = get_reader(str(path))(str(path))
    assert labels.shape == (2, 3, 20, 24)
    assert placed["scale"] == (2.0, 3.0, 0.5, 0.5)
    assert (np.asarray(labels[0]) == 9).all()
