"""A run goes on from nothing that is not what was written, and says what it is."""

import json
import shutil

import numpy as np
import pytest
from tests.io.fake_run import FRAME_SHAPE

from napari_sam2.errors import OutputError
from napari_sam2.io.label_store import anchor_arrays
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.tiles import TileLayout

RUN = "labels/masklets/napari-sam2"


@pytest.fixture
def begun(new_store, fake_run):
    """Path of a store with six frames, their progress and the memory to go on."""
    store = new_store()
    for frame in range(6):
        store.write(fake_run.result(frame))
    store.write_anchor(fake_run.anchor(3))
    store.commit(fake_run.progress(6), fake_run.snapshot(5))
    store.close()
    return store.path


@pytest.fixture
def begun_twice(begun, provenance, fake_run):
    """Path of a store whose run was gone on with, from frame 6 to 9."""
    store = OmeZarrLabelStore.open_for_resume(begun, provenance)
    for frame in range(6, 9):
        store.write(fake_run.result(frame))
    store.write(fake_run.result(4, [7]))
    store.commit(fake_run.progress(9), fake_run.snapshot(8))
    store.close()
    return begun


def resumed(path, provenance):
    store = OmeZarrLabelStore.open_for_resume(path, provenance)
    store.close()
    return store


def flip(file, at=-9):
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def half(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"half")


def edit_progress(path, **changes):
    file = path / RUN / "zarr.json"
    document = json.loads(file.read_text())
    document["attributes"]["progress"].update(changes)
    file.write_text(json.dumps(document))


def swap_ids(path):
    file = path / RUN / "zarr.json"
    document = json.loads(file.read_text())
    document["attributes"]["object_ids"].reverse()
    file.write_text(json.dumps(document))


SNAPSHOT = f"{RUN}/snapshot-a"
DAMAGE = {
    "a bit of the memory": lambda path: flip(path / SNAPSHOT / "2/c/0/0/0"),
    "a part of the memory": lambda path: shutil.rmtree(path / SNAPSHOT / "3/c"),
    "all of the memory": lambda path: shutil.rmtree(path / SNAPSHOT),
    "the next frame": lambda path: edit_progress(path, next_frame=9),
    "the stage": lambda path: edit_progress(path, stage=[]),
    "the objects": swap_ids,
    "which frames are whole": lambda path: shutil.rmtree(path / RUN / "whole_frames/c"),
    "a bit of which frames are whole": lambda path: flip(
        path / RUN / "whole_frames/c/0"
    ),
    "a bit of the digests": lambda path: flip(path / RUN / "digests/c/0/0"),
    "a label chunk": lambda path: (path / "labels/masklets/0/c/3/0/0").unlink(),
    "half a label chunk": lambda path: (path / "labels/masklets/0/c/3/0/0").write_bytes(
        b"half"
    ),
    "a chunk of the logits": lambda path: (path / RUN / "logits/c/2/0/0/0").unlink(),
    "the scores": lambda path: shutil.rmtree(path / RUN / "area/c"),
    "where objects are": lambda path: shutil.rmtree(path / RUN / "centroid_x/c"),
    "a bit of where objects are": lambda path: flip(path / RUN / "centroid_y/c/0/0"),
    "what speaks for divisions": lambda path: half(path / RUN / "sister_iou/c/0/0"),
    "a bit of the scores": lambda path: flip(path / RUN / "object_score/c/0/0"),
}


def test_what_is_whole_is_gone_on_from(begun, provenance, fake_run):
    store = resumed(begun, provenance)
    assert store.remark is None
    assert store.read_progress()[0] == fake_run.progress(6)


@pytest.mark.parametrize("what", DAMAGE)
def test_what_is_damaged_is_computed_again(begun, provenance, fake_run, what):
    DAMAGE[what](begun)
    store = resumed(begun, provenance)
    assert "labels/masklets: " in store.remark
    assert "computed again" in store.remark
    assert "\n" not in store.remark
    assert store.read_progress() is None
    again = OmeZarrLabelStore.open_for_resume(begun, provenance)
    assert again.remark is None, "it is said once"
    # All can be read and written.
    for frame in range(6):
        again.read_labels(frame)
        again.read_logits(frame)
        again.write(fake_run.result(frame))
    again.commit(fake_run.progress(6), fake_run.snapshot(5))
    again.close()
    for frame in range(6):
        expected = fake_run.result(frame)
        np.testing.assert_array_equal(again.read_labels(frame), expected.labels)
    assert resumed(begun, provenance).remark is None


LAST = f"{RUN}/snapshot-b"
SINCE = {
    "a bit of the memory": lambda path: flip(path / LAST / "2/c/0/0/0"),
    "all of the memory": lambda path: shutil.rmtree(path / LAST),
    "the next frame": lambda path: edit_progress(path, next_frame=12),
    "a new label chunk": lambda path: (path / "labels/masklets/0/c/7/0/0").unlink(),
    "new logits": lambda path: (path / RUN / "logits/c/8/0/0/0").unlink(),
    "memory and a new frame": lambda path: (
        flip(path / LAST / "2/c/0/0/0"),
        (path / "labels/masklets/0/c/6/0/0").unlink(),
    ),
}


@pytest.mark.parametrize("what", SINCE)
def test_a_run_goes_on_from_the_commit_before_the_damage(
    begun_twice, provenance, fake_run, what
):
    SINCE[what](begun_twice)
    store = OmeZarrLabelStore.open_for_resume(begun_twice, provenance)
    assert store.remark.endswith(
        "damaged; frames since the commit before are computed again"
    )
    progress, snapshot = store.read_progress()
    assert progress == fake_run.progress(6)
    expected = fake_run.snapshot(5)
    assert snapshot.keys() == expected.keys()
    assert all((snapshot[name] == expected[name]).all() for name in expected)
    for frame in range(6):
        assert store.read_labels(frame).any()
    for frame in range(6, 9):
        store.write(fake_run.result(frame))
    store.commit(fake_run.progress(9), fake_run.snapshot(8))
    store.close()
    assert resumed(begun_twice, provenance).remark is None


BEFORE = {
    "a frame of that time": lambda path: (path / "labels/masklets/0/c/3/0/0").unlink(),
    "a frame that was written again": lambda path: (
        path / "labels/masklets/0/c/4/0/0"
    ).unlink(),
    "both memories": lambda path: (
        flip(path / SNAPSHOT / "2/c/0/0/0"),
        flip(path / LAST / "2/c/0/0/0"),
    ),
    "which frames are whole": DAMAGE["which frames are whole"],
    "progress and a new frame": lambda path: (
        edit_progress(path, next_frame=12, new_frames=[3]),
        (path / "labels/masklets/0/c/3/0/0").unlink(),
    ),
}


@pytest.mark.parametrize("what", BEFORE)
def test_what_the_commit_before_has_seen_damaged_begins_again(
    begun_twice, provenance, what
):
    BEFORE[what](begun_twice)
    store = resumed(begun_twice, provenance)
    assert store.remark.endswith("damaged; all frames are computed again")
    assert store.read_progress() is None


@pytest.mark.parametrize("at", ["logits", "tile", "predicted_iou", "object_score"])
def test_who_is_killed_while_anchors_are_made_anew_begins_again(
    new_store, provenance, fake_run, at, monkeypatch
):
    store = new_store(tiles=TileLayout.of_side(FRAME_SHAPE, 16, 1))
    store.write_anchor(fake_run.anchor(3))
    store.write(fake_run.result(0))
    store.commit(fake_run.progress(1), fake_run.snapshot(0))
    store.close()
    anchors = store.path / RUN / "anchors"
    flip(next(one for one in (anchors / "logits/c").rglob("*") if one.is_file()))
    create = anchor_arrays.create_array

    def killed(group, name, spec):
        if name == at:
            del group[name]
            raise KeyboardInterrupt
        return create(group, name, spec)

    monkeypatch.setattr(anchor_arrays, "create_array", killed)
    with pytest.raises(KeyboardInterrupt):
        resumed(store.path, provenance)
    monkeypatch.undo()
    store = OmeZarrLabelStore.open_for_resume(store.path, provenance)
    assert "all frames are computed again" in store.remark
    assert (anchors / "tile/zarr.json").exists()
    assert store.read_progress() is None
    anchor = fake_run.anchor(3)
    store.write_anchor(anchor)
    (found,) = store.read_anchors()
    np.testing.assert_array_equal(found.logits, anchor.logits)


def test_a_damaged_memory_that_nobody_needs_is_no_fault(begun_twice, provenance):
    """It is the one of the commit before, and the last is whole."""
    shutil.rmtree(begun_twice / SNAPSHOT)
    assert resumed(begun_twice, provenance).remark is None


def test_frames_of_others_that_are_damaged_are_not_computed_away(
    begun, provenance, fake_run
):
    """Objects that are added to others cannot bring the others back."""
    merging = provenance.model_copy(update={"settings": {"merge": "keep"}})
    OmeZarrLabelStore.open(begun).renew_provenance(merging)
    (begun / "labels/masklets/0/c/3/0/0").unlink()
    before = {one: one.read_bytes() for one in begun.rglob("*") if one.is_file()}
    with pytest.raises(OutputError, match=r"frame 3.*restore"):
        OmeZarrLabelStore.open_for_resume(begun, merging)
    assert before == {
        one: one.read_bytes() for one in begun.rglob("*") if one.is_file()
    }


def test_without_digests_labels_are_held_against_areas(begun, provenance):
    shutil.rmtree(begun / RUN / "digests")
    assert resumed(begun, provenance).remark is None
    (begun / "labels/masklets/0/c/3/0/0").unlink()
    assert "frame 3" in resumed(begun, provenance).remark


def test_a_frame_that_is_written_again_when_the_run_is_killed_is_no_damage(
    begun, provenance, fake_run
):
    store = OmeZarrLabelStore.open(begun)
    store.write(fake_run.result(2, [7]))
    store.close()
    assert resumed(begun, provenance).remark is None
