"""Undo, redo and sessions of the engine, without a window."""

import shutil
from dataclasses import replace

import numpy as np
from tests.engine.engine_steps import Table, click, of_kind

from napari_sam2.engine import (
    BookReturned,
    FramesChanged,
    ScoresRead,
    StoreReady,
)
from napari_sam2.io.sessions.document import SessionDocument
from napari_sam2.model.checkpoints.checkpoint import load_model, save_model
from napari_sam2.model.checkpoints.notes import TRUST_NOTE
from napari_sam2.session.book.state import FrameFlag
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.scores.trust_model import FEATURES, TrustModel
from napari_sam2.session.session import FrameDone

# --- Undo


def test_every_step_is_undone_and_done_again(table):
    def everything():
        return np.stack([table.labels(frame) for frame in range(12)])

    table.follow(table.book.add_object())
    states = [table.book.state]
    table.say(click(1, 0, (30, 40)))
    seen = [everything()]
    states.append(table.book.state)
    table.track()
    seen.append(everything())
    table.say(click(1, 6, (60, 60)))
    seen.append(everything())
    for expected in (seen[1], seen[0]):
        said = table.turn(table.engine.undo)
        assert of_kind(FramesChanged, said)
        np.testing.assert_array_equal(everything(), expected)
    table.turn(table.engine.undo)
    assert not everything().any()
    (returned,) = of_kind(BookReturned, table.turn(table.engine.undo))
    assert (returned.text, returned.state.objects) == ("add object 1", ())
    assert table.turn(table.engine.undo) == []
    for _ in range(4):
        table.turn(table.engine.redo)
    np.testing.assert_array_equal(everything(), seen[2])
    assert table.book.state[1].anchors == (0, 6)
    # The anchors came back, too: a repair gives what it would have given.
    table.track(is_repair=True)
    assert table.engine.workspace.opened(table.request).anchors.keys() == {
        (1, 0),
        (1, 6),
    }


def test_what_was_done_before_there_were_masklets_is_undone_in_memory(table):
    table.follow(table.book.add_object())
    (returned,) = table.turn(table.engine.undo)
    assert returned.state.objects == ()
    (again,) = table.turn(table.engine.redo)
    assert [one.object_id for one in again.state.objects] == [1]


def test_a_click_while_tracking_is_a_step_of_its_own(table):
    table.say(click(1, 0, (30, 40)))
    run = table.run()
    for event in run:
        if isinstance(event, FrameDone) and event.frame_index == 4:
            break
    table.say(click(2, 11, (70, 90)))
    list(run)
    assert table.labels(8).any()
    assert (table.labels(11) == 2).any()
    table.turn(table.engine.undo)  # the click, with what was tracked after it
    assert not (table.labels(11) == 2).any()
    assert not (table.labels(8) == 1).any()
    assert (table.labels(3) == 1).any()
    table.turn(table.engine.undo)  # the run
    assert not (table.labels(3) == 1).any()
    assert (table.labels(0) == 1).any()


# --- Sessions


def reopened(table):
    """Somebody who opens a copy of the folder, with another engine."""
    folder = table.request.folder.with_name("copy.zarr")
    shutil.copytree(table.request.folder, folder)
    other = Table(replace(table.request, folder=folder), table.book.frame_count)
    (read,) = other.engine.read_session(folder)
    other.book.replace(read.document.book)
    events = list(other.engine.adopt(other.request, read.document.book))
    return other, read, events


def test_a_session_is_reopened_with_everything_and_goes_on(table):
    table.say(click(1, 0, (30, 40)), click(2, 0, (70, 90)))
    table.track()
    table.follow(table.book.flag(FrameFlag.LOCKED, [2], FrameSet.of([3])))
    table.follow(table.book.rename(1, "mother"))
    document = SessionDocument(book=table.book.state, frame_index=7)
    list(table.engine.save(table.request, document))
    labels = [table.labels(frame) for frame in range(12)]
    other, read, events = reopened(table)
    assert read.document.frame_index == 7
    assert read.shape == (12, 96, 112)
    assert read.document.book[1].name == "mother"
    assert 3 in read.document.book[2].locked
    assert not any(thing.stale for thing in read.document.book.objects)
    (ready,) = of_kind(StoreReady, events)
    (scores,) = of_kind(ScoresRead, events)
    np.testing.assert_array_equal(
        scores.tables.area[5], [(labels[5] == 1).sum(), (labels[5] == 2).sum()]
    )
    np.testing.assert_array_equal(ready.read_labels(5), labels[5])
    # A repair replays the stored anchors: it gives what it would have given before.
    for one in (table, other):
        one.say(click(1, 6, (50, 60)))
        one.track(is_repair=True)
    np.testing.assert_array_equal(other.labels(9), table.labels(9))
    other.turn(other.engine.undo)
    other.turn(other.engine.undo)
    np.testing.assert_array_equal(other.labels(9), labels[9])


def test_a_reopened_session_is_judged_by_its_model_before_it_is_loaded(
    request_for, stack, toy, tmp_path
):
    sure = TrustModel(
        mean=(0.0,) * len(FEATURES),
        scale=(1.0,) * len(FEATURES),
        weights=(0.0,) * len(FEATURES),
        bias=0.0,
        knots=((0.0, 0.25), (1.0, 0.25)),
    )
    path = tmp_path / "judged.safetensors"
    save_model(load_model(toy), path, notes={TRUST_NOTE: sure.to_json()})
    table = Table(request_for(model=str(path)), len(stack))
    table.say(click(1, 0, (30, 40)))
    list(table.engine.save(table.request, SessionDocument(book=table.book.state)))
    other, _, events = reopened(table)
    (scores,) = of_kind(ScoresRead, events)
    assert scores.tables.trust()[0, 0] == 0.25
    assert other.engine.workspace.loaded is None
    (undone,) = of_kind(ScoresRead, other.turn(other.engine.undo))
    assert undone.tables.trust_function == sure
