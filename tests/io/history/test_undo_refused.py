"""An undo that the disk refuses in the middle is ended, never made worse."""

import errno
from types import SimpleNamespace

import numpy as np
import pytest
from tests.io.history.test_history import book, content, settled

from napari_sam2.errors import OutputError
from napari_sam2.io.history import kept_chunks


@pytest.fixture
def refusing(monkeypatch):
    """Return a function: from the n-th chunk on that is put back, the disk is full."""
    real = kept_chunks.os

    def refuse_after(count):
        left = [count]

        def replace(source, target):
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, "no space left")
            real.replace(source, target)

        full = SimpleNamespace(**{**vars(real), "replace": replace})
        monkeypatch.setattr(kept_chunks, "os", full)

    def recover():
        monkeypatch.setattr(kept_chunks, "os", real)

    return SimpleNamespace(after=refuse_after, recovers=recover)


@pytest.fixture
def two_steps(new_store, fake_run):
    """A store with its contents before and after the last step."""
    store, states = new_store(), [book(1), book(1, 2)]
    for number in (0, 1):
        store.history.begin(f"step {number}", states[0], states[number])
        for frame in range(4):
            store.write(fake_run.result(frame + number))
        last = settled(store, fake_run)
        if number == 0:
            before = last
    return store, before, last


def test_the_next_undo_ends_it_and_redo_brings_everything_back(two_steps, refusing):
    store, before, after = two_steps
    refusing.after(3)
    with pytest.raises(OutputError, match="no space left"):
        store.history.undo()
    refusing.recovers()
    returned = store.history.undo()
    assert returned.text == "step 1"
    assert [one.object_id for one in returned.state.objects] == [1]
    assert content(store) == before
    assert store.history.redo().text == "step 1"
    assert content(store) == after


def test_the_next_step_begins_on_what_is_whole(two_steps, refusing):
    store, before, _ = two_steps
    refusing.after(3)
    with pytest.raises(OutputError, match="no space left"):
        store.history.undo()
    refusing.recovers()
    store.history.begin("another", book(1), book(1, 3))
    assert content(store) == before
    store.history.undo()
    assert content(store) == before
    assert np.array_equal(store.history.book.objects[0].anchors, (0,))
