"""Steps, undo and redo that are killed at a chosen moment, for the tests of history.

Works as `killed_writer`: ``PATH write N`` kills a forked child at its N-th change of
the disk, links and renames of the history included; ``PATH after N`` after N
milliseconds.
"""

import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.io.fake_run import FakeRun
from zarr.storage import LocalStore

from napari_sam2.io.history import kept_chunks
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.session.book.state import BookState, ObjectState

RUN = FakeRun(frame_count=6)


def live(path):
    """Do what a person does: two steps, back and forth, and another step."""
    store = OmeZarrLabelStore.open(path)
    step(store, 7, 0)
    step(store, 3, 2)
    store.history.undo()
    store.history.undo()
    store.history.redo()
    step(store, 3, 1)


def step(store, object_id, first):
    store.history.begin("step", BookState(), BookState((ObjectState(object_id),)))
    for frame in range(first, first + 3):
        store.write(RUN.result(frame, [object_id], [object_id]))
    store.write_anchor(RUN.anchor(object_id, first))
    store.commit(RUN.progress(first), RUN.snapshot(first))


def kill_at(number):
    """Make the ``number``-th change of the disk the last thing that happens."""
    left = number

    def count():
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(change):
        def count_and_change(*arguments):
            count()
            return change(*arguments)

        return count_and_change

    original = LocalStore.set

    async def set_or_die(self, key, value):
        count()
        await original(self, key, value)

    LocalStore.set = set_or_die
    changed = {name: counted(getattr(os, name)) for name in ("link", "replace")}
    kept_chunks.os = SimpleNamespace(**{**vars(os), **changed})


def main():
    for line in sys.stdin:
        path, when, number = line.rsplit(maxsplit=2)
        child = os.fork()
        if child == 0:
            if when == "write":
                kill_at(int(number))
            live(Path(path))
            os._exit(0)
        if when == "after":
            time.sleep(int(number) / 1000)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
