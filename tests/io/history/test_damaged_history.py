"""What an undo would put back is what was kept, or nothing is put back."""

import json
import shutil

import numpy as np
import pytest

from napari_sam2.errors import OutputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.session.book.state import BookState, ObjectState

HISTORY = "labels/masklets/napari-sam2/history"


@pytest.fixture
def tracked(new_store, fake_run):
    """A closed store in which a step has replaced three frames."""
    store = new_store()
    for frame in range(3):
        store.write(fake_run.result(frame))
    store.commit(fake_run.progress(3), None)
    store.history.begin("click", BookState(), BookState((ObjectState(3),)))
    for frame in range(3):
        store.write(fake_run.result(frame, [7], [7]))
    store.commit(fake_run.progress(3), None)
    store.close()
    return store


def labels(store):
    return np.stack([store.read_labels(frame) for frame in range(3)])


def flip(file):
    content = bytearray(file.read_bytes())
    content[-9] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [flip, lambda file: file.unlink()])
@pytest.mark.parametrize("chunk", ["0/c.1.0.0", "logits/c.2.0.0.0", "area/c.0.0"])
def test_a_step_that_is_damaged_is_not_put_back(tracked, chunk, damage):
    path = tracked.path
    # Not through its other name, which is the file that is damaged.
    file = path / HISTORY / "1" / chunk
    file.write_bytes(file.read_bytes())
    before = labels(tracked)
    damage(file)
    store = OmeZarrLabelStore.open(path)
    with pytest.raises(OutputError, match=r"history/1: 1 of the files.*you may go on"):
        store.history.undo()
    np.testing.assert_array_equal(labels(store), before)
    assert store.history.undo_text == "click"
    store.close()
    again = OmeZarrLabelStore.open(path)
    np.testing.assert_array_equal(labels(again), before)


@pytest.mark.parametrize("table", ["*-touched", "*-touched/c.*"])
def test_a_step_whose_list_of_files_is_lost_is_not_put_back(tracked, table):
    """It would have been an undo of nothing, and called done."""
    for lost in (tracked.path / HISTORY / "1").glob(table):
        shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    before = labels(tracked)
    store = OmeZarrLabelStore.open(tracked.path)
    with pytest.raises(OutputError, match=r"history/1: \d+ of the files.*may go on"):
        store.history.undo()
    np.testing.assert_array_equal(labels(store), before)
    assert store.history.undo_text == "click"


def test_nor_one_that_was_undone(tracked):
    store = OmeZarrLabelStore.open(tracked.path)
    store.history.undo()
    before = labels(store)
    (tracked.path / HISTORY / "1/0-after/c.1.0.0").unlink()
    with pytest.raises(OutputError, match="1 of the files"):
        store.history.redo()
    np.testing.assert_array_equal(labels(store), before)


@pytest.mark.parametrize("mode", ["r", "r+"])
@pytest.mark.parametrize("lost", ["file", "attribute"])
def test_steps_whose_list_is_lost_are_not_deleted(tracked, lost, mode):
    document = tracked.path / HISTORY / "zarr.json"
    if lost == "file":
        document.unlink()
    else:
        found = json.loads(document.read_text())
        found["attributes"] = {}
        document.write_text(json.dumps(found))
    with pytest.raises(OutputError, match="move it elsewhere, and undo begins anew"):
        OmeZarrLabelStore.open(tracked.path, mode=mode)
    assert (tracked.path / HISTORY / "1/0/c.1.0.0").exists()
    # The advice holds.
    (tracked.path / HISTORY).rename(tracked.path / "elsewhere")
    store = OmeZarrLabelStore.open(tracked.path)
    assert store.history.undo_text is None
    assert labels(store).any()


LEDGERS = {
    "older": {},
    "without words": {"done": [1], "next_number": 2},
    "of later steps": {"done": [1, 7], "next_number": 2, "texts": {"1": "", "7": ""}},
    "twice": {"done": [1], "undone": [1], "next_number": 2, "texts": {"1": "a"}},
    "out of order": {"done": [2, 1], "next_number": 3, "texts": {"1": "a", "2": "b"}},
    "of nothing": {"next_number": 3, "restoring": [5, "before"]},
}


@pytest.mark.parametrize("mode", ["r", "r+"])
@pytest.mark.parametrize("which", LEDGERS)
def test_steps_whose_list_contradicts_itself_are_not_deleted(tracked, which, mode):
    document = tracked.path / HISTORY / "zarr.json"
    found = json.loads(document.read_text())
    found["attributes"]["ledger"] = json.dumps(LEDGERS[which])
    document.write_text(json.dumps(found))
    with pytest.raises(OutputError, match="the history is damaged: the list of its"):
        OmeZarrLabelStore.open(tracked.path, mode=mode)
    assert (tracked.path / HISTORY / "1/0/c.1.0.0").exists()


def test_what_a_person_put_beside_the_steps_stays(tracked):
    copy = tracked.path / HISTORY / "1 (copy)"
    shutil.copytree(tracked.path / HISTORY / "1", copy)
    store = OmeZarrLabelStore.open(tracked.path)
    store.history.undo()
    store.close()
    assert (copy / "0/c.1.0.0").exists()


def test_a_step_that_is_lost_is_a_sentence(tracked):
    shutil.rmtree(tracked.path / HISTORY / "1")
    store = OmeZarrLabelStore.open(tracked.path)
    with pytest.raises(
        OutputError, match=r"history/1: this step is damaged or missing"
    ):
        store.history.undo()
    assert labels(store).any()
    assert store.history.undo_text == "click"
    store.history.begin("next", BookState(), BookState((ObjectState(7),)))
    assert store.history.undo_text == "next"
