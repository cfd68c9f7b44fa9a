"""Undo and redo on disk: a step takes back all that was written because of it."""

import json
import os
import warnings
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_sam2.interfaces import DivisionEvidence, FrameResult, ObjectScores
from napari_sam2.io.history import kept_chunks
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.prompts import FramePrompt, PointPrompt, PromptedObject
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.planning.frame_set import FrameSet

TABLES = ("object_score", "predicted_iou", "stability", "area")
MEASURED = ("centroid_y", "centroid_x", "mean_intensity")
NOTHING = BookState()
STEP = "labels/masklets/napari-sam2/history/1"


def book(*ids, frame=0):
    return BookState(
        tuple(
            ObjectState(one, f"cell {one}", None, (clicked(one, frame),)) for one in ids
        )
    )


def clicked(object_id, frame):
    return FramePrompt(object_id, frame, (PointPrompt(1.5, 2.0),))


def content(store):
    """Return all that readers can see of the objects that have results."""
    frames = range(store.frame_count)
    ids = store.object_ids
    tables = {
        name: {
            one: read(name)[:, column].tobytes()
            for column, one in enumerate(ids)
            if (store.read_score_table("area")[:, column] >= 0).any()
        }
        for names, read in (
            (TABLES, store.read_score_table),
            (MEASURED, store.read_measurements),
        )
        for name in names
    }
    logits = [store.read_logits(frame) for frame in frames]
    return {
        "labels": [store.read_labels(frame).tobytes() for frame in frames],
        "logits": [(found, values.tobytes()) for found, values in logits],
        "anchors": [
            (one.object_id, one.frame_index, one.logits.tobytes())
            for one in store.read_anchors()
        ],
        "whole": store.whole_frames.tolist(),
        **tables,
    }


def settled(store, fake_run):
    """Commit, so that what is on disk is what readers see; return it."""
    store.commit(fake_run.progress(0), None)
    return content(store)


def around_a_step(store, fake_run):
    """Track an object more on three frames; return what was there before and after."""
    store.write(fake_run.result(0))
    before = settled(store, fake_run)
    store.history.begin("track", NOTHING, NOTHING)
    for frame in range(3):
        store.write(fake_run.result(frame, [7], shown=[7]))
    after = settled(store, fake_run)
    return before, after


def reopened(store):
    return OmeZarrLabelStore.open(store.path)


def check_is_zarr(store):
    """All that lies in the history are arrays that zarr can read, and nothing else."""
    group = zarr.open_group(store.path / "labels/masklets", mode="r")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _, node in group.members(max_depth=None):
            if isinstance(node, zarr.Array):
                np.asarray(node[...])


def test_a_chunk_that_is_linked_keeps_its_bytes_when_zarr_replaces_it(new_store):
    """What all of undo rests on: zarr writes aside and renames."""
    store = new_store()
    chunk = store.path / "labels/masklets/0/c/0/0/0"
    store.array[0] = 3
    kept = store.path / "kept"
    os.link(chunk, kept)
    before = kept.read_bytes()
    store.array[0, :9] = 7
    assert kept.read_bytes() == before != chunk.read_bytes()


@pytest.mark.parametrize("again", [lambda store: store, reopened])
@pytest.mark.parametrize("can_link", [True, False])
def test_undo_and_redo_bring_back_every_byte(
    new_store, fake_run, again, can_link, monkeypatch
):
    if not can_link:

        def refuse(source, target):
            raise PermissionError if Path(source).exists() else FileNotFoundError

        without_links = SimpleNamespace(**{**vars(os), "link": refuse})
        monkeypatch.setattr(kept_chunks, "os", without_links)
    store = new_store()
    store.write(fake_run.result(0))
    store.write_anchor(fake_run.anchor(3))
    before = settled(store, fake_run)
    assert store.history.undo() is None
    store.history.begin("track", NOTHING, book(3))
    for frame in (0, 1, 2):
        store.write(fake_run.result(frame, [7], shown=[7]))
    store.write_anchor(replace(fake_run.anchor(7), object_id=3))
    store.write_anchor(fake_run.anchor(7, 2))
    after = settled(store, fake_run)
    assert after != before
    for _ in range(2):
        store = again(store)
        assert (store.history.undo_text, store.history.redo_text) == ("track", None)
        undone = store.history.undo()
        assert (undone.text, undone.frames) == ("track", (0, 1, 2))
        assert 3 not in undone.state
        assert content(store) == before
        check_is_zarr(store)
        store = again(store)
        assert (store.history.undo_text, store.history.redo_text) == (None, "track")
        redone = store.history.redo()
        assert redone.state[3].prompt_at(0).points == (PointPrompt(1.5, 2.0),)
        assert redone.frames == (0, 1, 2)
        assert content(store) == after
        check_is_zarr(store)


def test_nothing_is_copied(new_store, fake_run):
    store = new_store()
    store.write(fake_run.result(0))
    store.commit(fake_run.progress(1), None)
    chunk = store.path / "labels/masklets/0/c/0/0/0"
    number = chunk.stat().st_ino
    store.history.begin("track", NOTHING, NOTHING)
    store.write(fake_run.result(0, [7], shown=[7]))
    kept = store.path / "labels/masklets/napari-sam2/history/1/0/c.0.0.0"
    assert kept.stat().st_ino == number != chunk.stat().st_ino
    store.history.undo()
    assert chunk.stat().st_ino == number


def test_a_step_makes_two_folders_for_each_array_that_it_changes(new_store, fake_run):
    """And none for others: whoever clicks waits for each."""
    store = new_store()
    store.write(fake_run.result(0))
    store.commit(fake_run.progress(1), None)
    store.history.begin("click", NOTHING, NOTHING)
    store.write(fake_run.result(0, [7], shown=[7]))
    store.commit(fake_run.progress(1), None)
    step = store.path / STEP
    made = {one.name for one in step.iterdir() if one.is_dir()}
    changed = {name.removesuffix("-touched") for name in made}
    assert made == changed | {f"{name}-touched" for name in changed}
    assert {"0", "logits", "area", "digests", "whole_frames"} <= changed
    assert not changed & {one.name for one in fields(DivisionEvidence)}


def as_of_version_0_2(step):
    """Let the tables of a step say what was touched, and no more."""
    for table in step.glob("*-touched"):
        document = table / "zarr.json"
        facts = json.loads(document.read_text())
        facts |= {"data_type": "uint8", "codecs": [{"name": "bytes"}]}
        document.write_text(json.dumps(facts))
        for file in table.glob("c.*"):
            touched = np.fromfile(file, "<u8") > 0
            file.write_bytes(touched.astype("u1").tobytes())


def test_a_step_of_version_0_2_is_undone_and_redone(new_store, fake_run):
    store = new_store()
    before, after = around_a_step(store, fake_run)
    as_of_version_0_2(store.path / STEP)
    store = reopened(store)
    for _ in range(2):
        assert store.history.undo().frames == (0, 1, 2)
        assert content(store) == before
        check_is_zarr(store)
        assert store.history.redo().frames == (0, 1, 2)
        assert content(store) == after


def test_a_file_is_read_once_by_whoever_has_to_know_it(
    new_store, fake_run, monkeypatch
):
    """What is put back is checked, what is kept is known; a table is written once."""
    read, put = [], []
    store = new_store()
    store.write(fake_run.result(0))
    store.history.begin("track", NOTHING, NOTHING)
    for frame in range(3):
        store.write(fake_run.result(frame, [7], shown=[7]))
    store.commit(fake_run.progress(3), None)
    hashed, table = kept_chunks.digest_of_file, kept_chunks.PlaceTable
    monkeypatch.setattr(
        kept_chunks, "digest_of_file", lambda file: read.append(file) or hashed(file)
    )
    write = table.put
    monkeypatch.setattr(
        table, "put", lambda one, *given: put.append(one.folder) or write(one, *given)
    )
    store.history.undo()
    chunks = len({Path(file).parent.name + Path(file).name for file in read}) // 2
    assert (len(read), len(put)) == (2 * chunks, len({*put}))
    for turn in (store.history.redo, store.history.undo):
        read.clear()
        turn()
        assert len(read) == chunks


@pytest.mark.parametrize("steps", [1, 2])
def test_scores_that_wait_in_memory_belong_to_the_step_that_is_open(
    new_store, fake_run, steps
):
    store = new_store()
    store.write(fake_run.result(0))
    before = settled(store, fake_run)
    store.history.begin("track", NOTHING, NOTHING)
    store.write(fake_run.result(0, [7], shown=[7]))
    if steps > 1:
        store.history.begin("rename", NOTHING, NOTHING)
    for _ in range(steps):
        store.history.undo()
    assert content(store) == before


def test_objects_added_in_a_step_vanish_with_it(new_store, fake_run):
    store = new_store(objects=[])
    many = [PromptedObject(one) for one in range(100, 120)]
    store.add_objects(fake_run.objects)
    store.write(fake_run.result(0))
    before = settled(store, fake_run)
    store.history.begin("add", NOTHING, book(3, 7))
    store.add_objects(many)
    ids = tuple(one.object_id for one in many)
    result = fake_run.result(0)
    rows = np.zeros(len(ids), int)
    scores = {name: getattr(result.scores, name)[rows] for name in TABLES}
    store.write(
        replace(
            result,
            object_ids=ids,
            logits=result.logits[rows],
            scores=type(result.scores)(**scores),
        )
    )
    store.write_anchor(fake_run.anchor(119, 4))
    after = settled(store, fake_run)
    check_is_zarr(store)
    store.history.undo()
    assert content(store) == before
    assert store.objects == []
    store.history.redo()
    assert content(store) == after
    assert {one.object_id for one in store.objects} == {3, 7}
    check_is_zarr(reopened(store))


def test_a_new_step_drops_what_was_undone(new_store, fake_run):
    store = new_store()
    for frame in range(3):
        store.history.begin(f"step {frame}", book(3), book(3, frame=frame + 1))
        store.write(fake_run.result(frame))
    for _ in range(2):
        store.history.undo()
    store.history.begin("another", book(3), book(3, 7))
    assert (store.history.undo_text, store.history.redo_text) == ("another", None)
    folder = store.path / "labels/masklets/napari-sam2/history"
    assert {one.name for one in folder.iterdir()} == {"1", "4", "zarr.json"}
    assert store.history.undo().frames == ()
    assert store.history.undo_text == "step 0"


def test_an_undo_ends_what_could_be_resumed_and_what_was_finished(new_store, fake_run):
    store = new_store()
    store.history.begin("track", NOTHING, NOTHING)
    store.write(fake_run.result(0))
    store.commit(fake_run.progress(1), fake_run.snapshot(0))
    store.history.undo()
    assert store.read_progress() is None
    assert not list(store.path.rglob("snapshot-*"))
    store.history.redo()
    store.finish()
    assert reopened(store).is_complete
    store.history.undo()
    assert not store.is_complete
    assert not reopened(store).is_complete


def test_a_rename_leaves_a_finished_run_finished(new_store, fake_run):
    store = new_store()
    store.write(fake_run.result(0))
    store.finish()
    named = BookState((ObjectState(3, "mother"), ObjectState(7)))
    store.history.begin("rename", BookState((ObjectState(3), ObjectState(7))), named)
    returned = store.history.undo()
    assert (returned.frames, store.is_complete) == ((), True)
    assert returned.state[3].name == ""
    assert store.history.redo().state[3].name == "mother"
    assert [one.name for one in store.objects] == ["mother", ""]


def test_who_writes_without_a_step_gets_one(new_store, fake_run):
    store = new_store()
    store.write(fake_run.result(0))
    before = settled(store, fake_run)
    store.history.begin("click", NOTHING, book(3))
    store.write(fake_run.result(1))
    middle = settled(store, fake_run)
    store = reopened(store)
    store.write(fake_run.result(2))
    store.commit(fake_run.progress(0), None)
    assert store.history.undo_text == "changes made outside of the session"
    store.history.undo()
    assert content(store) == middle
    store.history.undo()
    assert content(store) == before


def test_what_changed_between_steps_belongs_to_the_step_before(new_store):
    store = new_store()
    stale = replace(book(3)[3], stale=FrameSet.between(0, 9))
    tracked = BookState((replace(stale, stale=FrameSet()),))
    store.history.begin("click", NOTHING, BookState((stale,)))
    store.history.begin("rename", tracked, BookState((ObjectState(3, "x"),)))
    assert len(store.history.undo().state[3].stale) == 0
    assert 3 not in store.history.undo().state
    assert len(store.history.redo().state[3].stale) == 0


def test_labels_in_an_image_of_the_old_version(tmp_path, new_store, fake_run):
    group = zarr.create_group(tmp_path / "old.zarr", zarr_format=2)
    store = new_store(tmp_path / "old.zarr")
    assert group.metadata.zarr_format == 2
    before, after = around_a_step(store, fake_run)
    check_is_zarr(store)
    store.history.undo()
    check_is_zarr(store)
    assert content(store) == before
    store.history.redo()
    assert content(reopened(store)) == after


actions = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 3), st.sampled_from([(3,), (7,)])),
    st.tuples(st.just("anchor"), st.integers(0, 3), st.sampled_from([3, 7])),
    st.tuples(st.just("clear"), st.integers(0, 3), st.sampled_from([3, 7])),
    st.tuples(st.just("paint"), st.integers(0, 3), st.integers(0, 9)),
    st.tuples(st.sampled_from(["begin", "begin", "undo", "redo", "reopen", "finish"])),
)


class Model:
    """A store, and what it must be like after each undo and redo."""

    def __init__(self, store, fake_run):
        self.store, self.fake_run = store, fake_run
        self.done, self.undone = [], []
        self.is_open = False

    def settled(self):
        return settled(self.store, self.fake_run)

    def begin(self):
        self.done.append(self.settled())
        self.undone.clear()
        self.store.history.begin("step", NOTHING, NOTHING)
        self.is_open = True

    def undo(self):
        self._go(self.store.history.undo, self.done, self.undone)

    def redo(self):
        self._go(self.store.history.redo, self.undone, self.done)

    def reopen(self):
        self.settled()
        self.store = reopened(self.store)
        self.is_open = False

    def finish(self):
        self.store.finish()

    def change(self, action, values):
        if not self.is_open:
            self.begin()
        change(self.store, self.fake_run, action, values)

    def _go(self, move, source, target):
        current = self.settled()
        assert (move() is not None) == bool(source)
        if source:
            target.append(current)
            assert content(self.store) == source.pop()
            self.is_open = False


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(sequence=st.lists(actions, min_size=3, max_size=10))
def test_any_sequence_equals_a_model_in_memory(
    sequence, tmp_path_factory, new_store, fake_run
):
    path = tmp_path_factory.mktemp("any") / "x.zarr"
    model = Model(new_store(path, frame_count=4), fake_run)
    model.begin()
    for action, *values in sequence:
        if values:
            model.change(action, values)
        else:
            getattr(model, action)()
    final = model.settled()
    assert content(reopened(model.store)) == final


def change(store, fake_run, action, values):
    frame, what = values
    if action == "write":
        store.write(fake_run.result(frame, what, what))
    elif action == "anchor":
        store.write_anchor(fake_run.anchor(what, frame))
    elif action == "clear":
        take_out(store, what, frame)
    else:
        store.array[frame, what : what + 5, :9] = what


def take_out(store, object_id, frame):
    """Take an object out of a frame, as the engine does it."""
    labels = store.read_labels(frame)
    labels[labels == object_id] = 0
    absent = np.full((1, *store.logits_shape), -1024, np.float32)
    scores = ObjectScores(*np.zeros((4, 1), np.float32))
    store.remove_anchors([object_id], [frame])
    store.write(FrameResult(frame, labels, (object_id,), absent, scores))
