"""Anchors on disk, many of them."""

import zarr
from zarr.storage import LocalStore

from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.prompts import PromptedObject


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


def test_what_arrays_are_is_not_asked_again_with_each_click(
    new_store, fake_run, monkeypatch
):
    store = new_store()

    def click():
        store.remove_anchors([3], [0])
        store.write(fake_run.result(0))
        store.write_anchor(fake_run.anchor(3))
        store.commit(fake_run.progress(1), None)

    click()
    read, removed = [], []
    get, delete = LocalStore.get, LocalStore.delete_dir

    async def read_one(self, key, *given, **named):
        read.append(key.removeprefix("labels/masklets/napari-sam2/"))
        return await get(self, key, *given, **named)

    async def delete_one(self, key):
        removed.append(key)
        await delete(self, key)

    monkeypatch.setattr(LocalStore, "get", read_one)
    monkeypatch.setattr(LocalStore, "delete_dir", delete_one)
    click()
    assert not [key for key in read if key.endswith("zarr.json")]
    assert "whole_frames/c/0" not in read
    assert "anchors/object_score/c/0/0" in read
    assert not removed


def test_nothing_is_read_to_make_room_for_one_object_more(
    new_store, fake_run, monkeypatch
):
    store = new_store()
    store.write(fake_run.result(0))
    store.commit(fake_run.progress(1), None)
    before = store.read_score_table("area")
    read, get = [], LocalStore.get

    async def read_one(self, key, *given, **named):
        read.append(key)
        return await get(self, key, *given, **named)

    monkeypatch.setattr(LocalStore, "get", read_one)
    store.add_objects([PromptedObject(11)])
    store.write(fake_run.result(0, [3], [3]))
    store.commit(fake_run.progress(1), None)
    assert not [key for key in read if "/c/" in key and "logits" not in key]
    monkeypatch.undo()
    after = OmeZarrLabelStore.open(store.path, mode="r").read_score_table("area")
    assert (after[1:, :2] == before[1:]).all()
    assert (after[:, 2] == -1).all()
