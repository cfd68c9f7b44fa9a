"""A step stays open: what is written later, because of it, is part of it."""

from dataclasses import replace

import numpy as np
import pytest

from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.sessions.document import SessionDocument
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.planning.frame_set import FrameSet


def labels(store):
    return np.stack([store.read_labels(frame) for frame in range(store.frame_count)])


def reopened(store):
    return OmeZarrLabelStore.open(store.path)


@pytest.mark.parametrize("again", [lambda store: store, reopened])
def test_a_step_takes_in_what_is_written_after_it_was_saved(new_store, fake_run, again):
    store = new_store()
    store.write(fake_run.result(0))
    before = labels(store)
    assert not store.history.is_open
    done = ObjectState(3, prompts=(FramePrompt(3, 0, (PointPrompt(1.5, 2.0),)),))
    due = replace(done, stale=FrameSet.between(1, 2))
    store.history.begin("click", BookState(), BookState((due,)))
    store.write(fake_run.result(0, [3], [3]))
    store.commit(fake_run.progress(0), None)
    store.save_session(SessionDocument(book=BookState((due,))))
    assert store.history.is_open
    for frame in range(3):
        store.write(fake_run.result(frame, [7], shown=[7]))
    store.history.renew_after(BookState((done,)))
    store.commit(fake_run.progress(0), None)
    after = labels(store)
    # Also where somebody is killed before the session is saved again.
    store = again(store)
    assert not store.read_session().book[3].stale
    assert store.history.undo().frames == (0, 1, 2)
    assert not store.history.is_open
    np.testing.assert_array_equal(labels(store), before)
    store = again(store)
    assert not store.history.redo().state[3].stale
    assert store.history.undo() is not None
    assert store.history.undo() is None
    store.history.redo()
    np.testing.assert_array_equal(labels(reopened(store)), after)
