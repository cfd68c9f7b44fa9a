"""Damaged metadata of a label group are a sentence, whenever they are read."""

import json

import pytest

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.label_store.volume import VolumeLabels, VolumeSpec
from napari_sam2.io.ome_zarr.volume_axes import PlaneAxis


def rewritten(store, change, array=None):
    """Change what the label group says on disk, or one of its arrays."""
    file = store.path / "labels" / "masklets" / (array or "") / "zarr.json"
    document = json.loads(file.read_text())
    change(document if array else document["attributes"]["ome"])
    file.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "change",
    [
        lambda ome: ome.pop("image-label"),
        lambda ome: ome["image-label"].update(properties=["cell"]),
    ],
)
def test_a_damaged_list_of_objects_is_told(new_store, change):
    store = new_store()
    store.close()
    rewritten(store, change)
    with pytest.raises(OutputError, match="damaged"):
        _ = OmeZarrLabelStore.open(store.path, mode="r").objects


def test_labels_without_an_axis_of_frames_are_told(new_store):
    store = new_store()
    store.close()
    rewritten(store, lambda ome: ome["multiscales"][0]["axes"].pop(0))
    with pytest.raises(OutputError, match="no axis along which frames run"):
        OmeZarrLabelStore.open(store.path, mode="r")


def test_a_damaged_list_of_objects_of_stacks_is_told(tmp_path):
    spec = VolumeSpec("masklets", (2, 3, 20, 24), (), Calibration(), PlaneAxis(3))
    store = VolumeLabels.create(tmp_path / "x.zarr", spec)
    store.close()
    rewritten(store, lambda ome: ome.pop("image-label"))
    with pytest.raises(OutputError, match="damaged"):
        _ = VolumeLabels.open(store.path, "masklets", "r").objects


@pytest.mark.parametrize(
    "array",
    ["napari-sam2/logits", "napari-sam2/sister_x", "napari-sam2/anchors/object_score"],
)
def test_a_fill_value_that_its_type_cannot_hold_is_told(new_store, array):
    store = new_store()
    store.close()
    rewritten(store, lambda metadata: metadata.update(fill_value=1e308), array)
    with pytest.raises(OutputError, match=r"overflow.* damaged"):
        OmeZarrLabelStore.open(store.path, mode="r").read_anchors()


@pytest.mark.parametrize("shape", [[6, 0, 64], [6, 48, 0]])
def test_labels_without_pixels_are_told(new_store, shape):
    store = new_store()
    store.close()
    rewritten(store, lambda metadata: metadata.update(shape=shape), "0")
    with pytest.raises(OutputError, match="the label image has no pixels; restore"):
        OmeZarrLabelStore.open(store.path, mode="r")
