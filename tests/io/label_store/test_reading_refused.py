"""What the disk does not give back is said in one sentence, whoever asked for it."""

import errno
import json
import shutil
from pathlib import Path

import pytest
import zarr.storage

from napari_sam2.errors import OutputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore

READS = {
    "labels": lambda store: store.read_labels(3),
    "logits": lambda store: store.read_logits(3),
    "scores": lambda store: store.read_scores(3),
    "a table of scores": lambda store: store.read_score_table("area"),
    "measurements": lambda store: store.read_measurements("centroid_y"),
    "anchors": lambda store: store.read_anchors(),
    "progress": lambda store: store.read_progress(),
    "the session": lambda store: store.read_session(),
}


@pytest.fixture
def written(new_store, fake_run):
    """Path of a store with five frames, an anchor, and progress."""
    store = new_store()
    for frame in range(5):
        store.write(fake_run.result(frame))
    store.write_anchor(fake_run.anchor(3))
    store.commit(fake_run.progress(5), fake_run.snapshot(5))
    store.close()
    return store.path


@pytest.fixture
def broken_disk(monkeypatch):
    """Let every chunk that is read from now on fail."""

    store, inner = zarr.storage.LocalStore, {}

    def refuse(key):
        if "zarr.json" not in key:
            raise OSError(errno.EIO, "Input/output error")

    async def get(self, key, *args, **kwargs):
        refuse(key)
        return await inner["get"](self, key, *args, **kwargs)

    def get_sync(self, key, *args, **kwargs):
        refuse(key)
        return inner["get_sync"](self, key, *args, **kwargs)

    def break_it():
        for read in (get, get_sync):
            if hasattr(store, read.__name__):
                inner[read.__name__] = getattr(store, read.__name__)
                monkeypatch.setattr(store, read.__name__, read)

    return break_it


@pytest.mark.parametrize("what", READS)
def test_a_disk_that_does_not_read_is_named(written, broken_disk, what):
    store = OmeZarrLabelStore.open(written, mode="r")
    broken_disk()
    with pytest.raises(OutputError) as caught:
        READS[what](store)
    message = str(caught.value)
    assert str(written) in message
    assert "Input/output error" in message
    assert "\n" not in message


def damage(path: Path, key: str):
    files = (path / "labels/masklets" / key).rglob("*")
    (chunk,) = [file for file in files if file.is_file()]
    chunk.write_bytes(chunk.read_bytes()[:-7] + b"damaged")


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("0/c/3", "labels"),
        ("napari-sam2/logits/c/3", "logits"),
        ("napari-sam2/area/c/0", "scores"),
        ("napari-sam2/anchors/predicted_iou/c", "anchors"),
    ],
)
def test_a_damaged_chunk_is_named_with_what_to_do(written, key, what):
    damage(written, key)
    store = OmeZarrLabelStore.open(written, mode="r")
    with pytest.raises(OutputError, match="damaged: restore") as caught:
        READS[what](store)
    if what in ("labels", "logits"):
        assert "frame 3" in str(caught.value)


@pytest.mark.parametrize(
    "entry",
    [
        '"object_ids": 7',
        '"object_ids": null',
        '"object_ids": "37"',
        '"object_ids": [3.5, 7]',
        '"object_ids": [3, 3]',
        '"object_ids": [-3, 7]',
        '"object_ids": [true, 7]',
        '"progress": {"stage": []}',
        '"progress": "x"',
    ],
)
def test_damaged_attributes_are_a_sentence(written, entry):
    file = written / "labels/masklets/napari-sam2/zarr.json"
    text = file.read_text()
    name = entry.partition(":")[0]
    file.write_text(text.replace(name, f'{entry}, "old-{name[1:]}', 1))
    with pytest.raises(OutputError, match="damaged"):
        OmeZarrLabelStore.open(written, mode="r").read_progress()


@pytest.mark.parametrize("place", ["shape", "chunk_shape"])
def test_metadata_that_claim_more_than_the_memory_are_damaged(written, place):
    file = written / "labels/masklets/napari-sam2/object_score/zarr.json"
    document = json.loads(file.read_text())
    holder = document
    if place == "chunk_shape":
        holder = document["chunk_grid"]["configuration"]
    holder[place][0] = 10**12
    file.write_text(json.dumps(document))

    def read():
        store = OmeZarrLabelStore.open(written, mode="r")
        return store.read_score_table("object_score"), store.read_scores(3)

    with pytest.raises(OutputError, match=r"is damaged|is missing or damaged"):
        read()


@pytest.mark.parametrize("kind", ["a file", "a folder", "nothing"])
def test_what_lies_in_the_place_of_labels_is_no_background(written, kind):
    chunk = written / "labels" / "masklets" / "0" / "c" / "3" / "0" / "0"
    assert chunk.is_file()
    if kind == "a file":
        shutil.rmtree(chunk.parents[1])
        chunk.parents[1].write_bytes(b"x")
    elif kind == "a folder":
        chunk.unlink()
        chunk.mkdir()
    else:
        chunk.write_bytes(b"")
    store = OmeZarrLabelStore.open(written, mode="r")
    with pytest.raises(OutputError, match=r"chunk.* it is damaged: restore"):
        store.read_labels(3)
    store.close()
