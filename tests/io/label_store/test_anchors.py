"""Anchors on disk, many of them."""

import zarr

from napari_sam2.io.label_store.store import OmeZarrLabelStore


def test_reading_many_anchors_opens_each_array_once(new_store, fake_run, monkeypatch):
    store = new_store()
    anchors = [fake_run.anchor(one, frame) for one in (3, 7) for frame in range(20)]
    for anchor in anchors:
        store.write_anchor(anchor)
    store.close()
    opened = []
    inner = zarr.Group.get

    def counting(self, path, default=None):
        opened.append(path)
        return inner(self, path, default)

    store = OmeZarrLabelStore.open(store.path, mode="r")
    monkeypatch.setattr(zarr.Group, "get", counting)
    read = store.read_anchors()
    assert [(one.object_id, one.frame_index) for one in read] == [
        (one.object_id, one.frame_index) for one in anchors
    ]
    assert read[5].predicted_iou == anchors[5].predicted_iou
    assert read[5].object_score == anchors[5].object_score
    arrays = ["digest", "logits", "object_score", "pointer", "predicted_iou"]
    assert sorted(opened) == arrays
