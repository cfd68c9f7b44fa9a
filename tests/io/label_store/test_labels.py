"""What is written is read back; errors say what to do."""

import errno
import os
import re
import threading
from dataclasses import replace

import numpy as np
import pytest
import zarr
from zarr.storage import LocalStore

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import (
    ABSENT_LOGIT,
    Calibration,
    FrameResult,
    LabelStore,
    ObjectScores,
)
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.prompts import FramePrompt, PointPrompt, PromptedObject

SCORES = ("object_score", "predicted_iou", "stability", "area")


def test_labels_logits_and_scores_are_read_back_after_reopening(new_store, fake_run):
    store: LabelStore = new_store()
    expected = fake_run.result(5)
    store.write(expected)
    store.commit(fake_run.progress(6), None)

    store = OmeZarrLabelStore.open(store.path)
    np.testing.assert_array_equal(store.read_labels(5), expected.labels)
    ids, logits = store.read_logits(5)
    assert ids == (3, 7)
    assert logits.dtype == np.float32
    np.testing.assert_array_equal(logits > 0, expected.logits > 0)
    ids, scores = store.read_scores(5)
    assert ids == (3, 7)
    for name in SCORES:
        np.testing.assert_array_equal(
            getattr(scores, name), getattr(expected.scores, name)
        )


def test_frames_that_were_never_written_are_empty(new_store):
    store = new_store()
    assert not store.read_labels(4).any()
    assert store.read_logits(4)[0] == ()
    assert store.read_logits(4)[1].shape == (0, 16, 16)
    assert store.read_scores(4)[0] == ()
    assert store.read_anchors() == []
    assert store.read_progress() is None
    assert not store.whole_frames.any()
    assert np.isnan(store.read_score_table("object_score")).all()
    assert (store.read_score_table("area") == -1).all()


def test_objects_are_written_independently_and_may_be_left_out(new_store, fake_run):
    store = new_store()
    store.write(fake_run.result(2, [7]))
    assert store.read_logits(2)[0] == (7,)
    store.write(fake_run.result(2, [3]))
    assert store.read_logits(2)[0] == (3, 7)
    ids, logits = store.read_logits(2, without=[3])
    assert ids == (7,)
    np.testing.assert_array_equal(logits[0] > 0, fake_run.logits(2)[1] > 0)


def test_reading_logits_of_nobody_opens_no_file(new_store, fake_run, monkeypatch):
    store = new_store()
    store.write(fake_run.result(2))
    store.read_scores(2)

    def refuse(*_, **__):
        raise AssertionError("a file was read")

    monkeypatch.setattr(LocalStore, "get", refuse)
    assert store.read_logits(2, without=[3, 7])[0] == ()
    assert store.read_logits(3)[0] == ()


def test_computed_and_empty_is_not_never_computed(new_store, fake_run):
    store = new_store()
    result = fake_run.result(1, [3])
    result.logits[:] = -7.0
    result.labels[:] = 0
    result.scores.area[:] = 0
    store.write(result)
    store.commit(fake_run.progress(2), None)
    store = OmeZarrLabelStore.open(store.path)
    ids, logits = store.read_logits(1)
    assert ids == (3,)
    assert (logits == ABSENT_LOGIT).all()
    # and nothing is on disk for it
    assert not (store.path / "labels/masklets/napari-sam2/logits/c").exists()


def test_area_of_another_object_follows_the_label_image(new_store, fake_run):
    store = new_store()
    store.write(fake_run.result(0))
    before = store.read_scores(0)[1].area
    later = fake_run.result(0, [7])
    later.labels[later.labels == 3] = 0
    later.labels[0, :5] = 3
    store.write(later)
    after = store.read_scores(0)[1].area
    assert after.tolist() == [5, before[1]]


def test_anchors_are_exact_and_sorted(new_store, fake_run):
    store = new_store()
    given = [fake_run.anchor(7), fake_run.anchor(3, 12), fake_run.anchor(3, 2)]
    for anchor in given:
        store.write_anchor(anchor)
    store.write_anchor(given[0])
    found = OmeZarrLabelStore.open(store.path).read_anchors()
    assert [(one.object_id, one.frame_index) for one in found] == [
        (3, 2),
        (3, 12),
        (7, 0),
    ]
    np.testing.assert_array_equal(found[2].logits, given[0].logits)
    np.testing.assert_array_equal(found[2].pointer, given[0].pointer)
    assert (found[2].object_score, found[2].predicted_iou) == (4.25, 0.75)


def test_objects_can_be_added(new_store, fake_run):
    store = new_store()
    store.write(fake_run.result(0))
    store.write_anchor(fake_run.anchor(3))
    store.add_objects([PromptedObject(5, name="late"), PromptedObject(7)])
    assert store.object_ids == (3, 7, 5)
    result = fake_run.result(0, [3])
    store.write(replace(result, object_ids=(5,)))
    store.commit(fake_run.progress(1), None)
    store = OmeZarrLabelStore.open(store.path)
    assert store.object_ids == (3, 7, 5)
    ids, logits = store.read_logits(0)
    assert ids == (3, 5, 7)
    np.testing.assert_array_equal(logits[1], logits[0])
    assert [one.object_id for one in store.objects] == [3, 5, 7]
    assert store.objects[1].name == "late"
    assert len(store.read_anchors()) == 1


def test_writing_an_unknown_object_is_an_error(new_store, fake_run):
    store = new_store(objects=fake_run.objects[:1])
    with pytest.raises(ValueError, match="object 7 is not in the store"):
        store.write(fake_run.result(0))


def test_array_is_what_a_viewer_may_paint_on(new_store):
    store = new_store()
    assert isinstance(store.array, zarr.Array)
    assert store.array.chunks == (1, 48, 64)
    store.array[3, 10:12, 10:12] = 9
    assert (OmeZarrLabelStore.open(store.path).read_labels(3) == 9).sum() == 4
    assert OmeZarrLabelStore.open(store.path, mode="r").array.read_only


def test_calibration_and_provenance_are_read_back(new_store, calibration, provenance):
    store = OmeZarrLabelStore.open(new_store().path)
    assert store.calibration == calibration
    assert store.provenance == provenance
    assert (store.frame_count, store.frame_shape) == (30, (48, 64))
    assert store.logits_shape == (16, 16)


def test_a_stack_has_a_z_axis_and_unknown_units_are_left_out(new_store):
    stack = Calibration((2.0, 1.0, 1.0), units=("pixel", None, None), frame_axis="z")
    store = OmeZarrLabelStore.open(new_store(calibration=stack).path)
    assert store.calibration == Calibration((2.0, 1.0, 1.0), frame_axis="z")
    assert store.array.metadata.dimension_names == ("z", "y", "x")


def test_large_ids_need_uint32(new_store, fake_run):
    big = [PromptedObject(70_000)]
    with pytest.raises(OutputError, match=r"object 70000: does not fit into uint16"):
        new_store(objects=big)
    store = new_store(objects=big, dtype=np.uint32)
    assert store.array.dtype == np.uint32
    store = new_store(name="small")
    with pytest.raises(OutputError, match="object 65536"):
        store.add_objects([PromptedObject(65_536)])
    result = fake_run.result(0)
    labels = result.labels.astype(np.uint32)
    labels[0, 0] = 65_536
    with pytest.raises(OutputError, match="object 65536"):
        store.write(replace(result, labels=labels))


def test_existing_labels_are_refused_unless_overwritten(new_store, fake_run):
    store = new_store()
    store.write(fake_run.result(0))
    with pytest.raises(OutputError, match=r"labels/masklets: exists already; go on"):
        new_store()
    assert store.read_labels(0).any()
    store = new_store(overwrite=True)
    assert not store.read_labels(0).any()
    assert sorted(one.name for one in (store.path / "labels").iterdir()) == [
        "masklets",
        "zarr.json",
    ]


def test_labels_of_another_maker_are_never_overwritten(new_store):
    path = new_store().path
    zarr.open_group(path, path="labels").create_group("nuclei")
    with pytest.raises(OutputError, match="nuclei: was not written by napari-sam2"):
        new_store(name="nuclei", overwrite=True)
    assert (path / "labels/nuclei/zarr.json").exists()


def test_provenance_follows_the_prompts(new_store, provenance):
    store = new_store()
    changed = provenance.model_copy(update={"prompts": {"version": 1}})
    store.renew_provenance(changed)
    reopened = OmeZarrLabelStore.open(store.path)
    assert reopened.provenance == changed
    assert [one.object_id for one in reopened.objects] == [3, 7]


def test_what_made_masklets_stays_known_when_others_are_added(new_store, provenance):
    store = new_store()
    store.finish()
    runs = [provenance]
    for number in (20, 21, 21):  # the last is begun again, as after a kill
        click = FramePrompt(number, 0, points=(PointPrompt(5, 6),))
        added = PromptedObject(number, (click,))
        settings = {"merge": "keep", "number": number}
        runs.append(
            Provenance(
                **provenance.model_dump(exclude={"plan_key"}) | {"settings": settings}
            )
        )
        store.begin_merge([added], runs[-1])
        store.finish()
    made_by = zarr.open_group(store.path / "labels/masklets").attrs["napari-sam2"]
    earlier = [Provenance(**one) for one in made_by["earlier_provenance"]]
    assert earlier == runs[:2]
    store.renew_provenance(runs[2].with_movie(None))
    made_by = zarr.open_group(store.path / "labels/masklets").attrs["napari-sam2"]
    assert len(made_by["earlier_provenance"]) == 2
    assert Provenance(**made_by["provenance"]) == runs[2]


def test_several_label_groups_share_a_folder(new_store, fake_run):
    new_store()
    new_store(name="again")
    group = zarr.open_group(new_store(name="third").path / "labels", mode="r")
    assert group.attrs["ome"] == {
        "version": "0.5",
        "labels": ["masklets", "again", "third"],
    }


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "__x"])
def test_names_that_cannot_be_folders_are_refused(new_store, name):
    with pytest.raises(OutputError, match=r"^name"):
        new_store(name=name)


def test_opening_what_is_not_there_or_not_ours(tmp_path, new_store):
    with pytest.raises(OutputError, match=r"x\.zarr: no zarr group is there"):
        OmeZarrLabelStore.open(tmp_path / "x.zarr")
    path = new_store().path
    with pytest.raises(OutputError, match="labels/other: no such labels"):
        OmeZarrLabelStore.open(path, "other")
    zarr.open_group(path, path="labels").create_group("foreign")
    with pytest.raises(OutputError, match="not written by napari-sam2"):
        OmeZarrLabelStore.open(path, "foreign")
    assert OmeZarrLabelStore.exists(path)
    assert not OmeZarrLabelStore.exists(path, "other")


def test_folders_that_are_no_ome_zarr_are_refused(tmp_path, new_store):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/a.txt").write_text("mine")
    (tmp_path / "file.zarr").write_text("mine")
    zarr.create_array(tmp_path / "array.zarr", shape=(2, 2), dtype="uint8")
    plate = {"ome": {"version": "0.5", "plate": {}}}
    zarr.create_group(tmp_path / "plate.zarr", attributes=plate)
    for name, why in {
        "notes": "no zarr group",
        "file.zarr": "no zarr group",
        "array.zarr": "single zarr array",
        "plate.zarr": "plate of images",
    }.items():
        with pytest.raises(OutputError, match=f"{re.escape(name)}: .*{why}") as caught:
            new_store(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_full_disk_keeps_what_was_written(new_store, fake_run, monkeypatch):
    store = new_store()
    store.write(fake_run.result(0))
    store.commit(fake_run.progress(1), fake_run.snapshot(0))

    async def no_space(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(LocalStore, "set", no_space)
        with pytest.raises(OutputError, match=r"frame 1: No space .* and go on"):
            store.write(fake_run.result(1))
        with pytest.raises(OutputError, match="record the progress: No space"):
            store.commit(fake_run.progress(2), fake_run.snapshot(1))
    store = OmeZarrLabelStore.open(store.path)
    assert store.read_progress()[0].next_frame == 1
    np.testing.assert_array_equal(store.read_labels(0), fake_run.result(0).labels)


@pytest.mark.skipif(os.name == "nt", reason="folders are protected differently")
def test_a_folder_that_may_not_be_written(tmp_path, new_store, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(LocalStore, "set", refuse)
    with pytest.raises(OutputError, match=r"Permission denied; choose a folder"):
        new_store()


def test_labels_are_read_by_another_thread_while_frames_are_written(new_store):
    """A frame of several chunks is never seen half new."""
    shape = (1100, 4)
    store = new_store(frame_count=1, frame_shape=shape, objects=[PromptedObject(1, ())])
    seen = []
    is_done = threading.Event()

    def look():
        while not is_done.is_set():
            seen.append(np.unique(store.read_labels(0)).tolist())

    reader = threading.Thread(target=look)
    reader.start()
    one = np.ones(1, np.float32)
    scores = ObjectScores(one, one, one, one.astype(int))
    for value in (1, 0) * 10:
        labels = np.full(shape, value, np.uint16)
        logits = np.zeros((1, 16, 16), np.float32)
        store.write(FrameResult(0, labels, (1,), logits, scores))
    is_done.set()
    reader.join()
    assert seen
    assert all(len(values) == 1 for values in seen)


def test_a_disk_that_refuses_to_be_read_is_told_in_one_line(new_store, monkeypatch):
    store = new_store()

    def refuse(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(LocalStore, "get", refuse)
    with pytest.raises(OutputError, match="read frame 2 of the labels"):
        store.read_labels(2)
