"""A run that is killed at a chosen write, for `test_ome_zarr_killed`.

Started once, because imports take seconds; forks a child for each line on stdin:
``PATH write N`` kills the child at its N-th change of the disk, ``PATH after N`` after
N milliseconds, ``PATH never 0`` lets it end. Answers each line with the child's exit
status.
"""

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.io.fake_run import FRAME_SHAPE, LOGITS_SHAPE, PROVENANCE, FakeRun
from zarr.storage import LocalStore

from napari_sam2.interfaces import Progress
from napari_sam2.io.label_store.store import OmeZarrLabelStore

RUN = FakeRun(frame_count=12)
WALKS = ((range(8, -1, -1), (7,), (7,)), (range(12), (3,), (3, 7)))
COMMIT_INTERVAL = 4


def open_store(path):
    if OmeZarrLabelStore.exists(path):
        return OmeZarrLabelStore.open_for_resume(path, PROVENANCE)
    return OmeZarrLabelStore.create(
        path,
        frame_count=RUN.frame_count,
        frame_shape=FRAME_SHAPE,
        logits_shape=LOGITS_SHAPE,
        objects=RUN.objects,
        provenance=PROVENANCE,
    )


def shown_on(frame_index, object_ids):
    """Return the objects in the label image: object 7 is tracked up to frame 8."""
    return [one for one in object_ids if one == 3 or frame_index <= 8]


def track(path):
    store = open_store(path)
    if store.is_complete:
        return
    found = store.read_progress()
    stage, next_frame = (found[0].walk, found[0].next_frame) if found else (0, 8)
    if found is None:
        for object_id in RUN.object_ids:
            store.write_anchor(RUN.anchor(object_id))
    for number, (frames, computed, shown) in enumerate(WALKS):
        if number < stage or (number == stage and next_frame is None):
            continue
        rest = frames[frames.index(next_frame) :] if number == stage else frames
        walk(store, number, rest, (computed, shown))
    store.finish()


def walk(store, stage, frames, who):
    computed, shown = who
    for count, frame_index in enumerate(frames, start=1):
        visible = shown_on(frame_index, shown)
        store.write(RUN.result(frame_index, computed, visible))
        if count % COMMIT_INTERVAL == 0 or frame_index == frames[-1]:
            following = None if frame_index == frames[-1] else frames[count]
            store.commit(Progress(stage, following, "plan"), RUN.snapshot(frame_index))


def kill_at(number):
    """Make the ``number``-th change of the disk the last thing that happens."""
    changes = 0

    def count():
        nonlocal changes
        changes += 1
        return changes == number

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    original_set, original_delete = LocalStore.set, LocalStore.delete_dir

    async def set_or_die(self, key, value):
        if count():
            die()
        await original_set(self, key, value)

    async def delete_or_die(self, prefix):
        if count():
            files = [one for one in (self.root / prefix).rglob("*") if one.is_file()]
            for one in files[: len(files) // 2]:
                one.unlink()
            die()
        await original_delete(self, prefix)

    LocalStore.set, LocalStore.delete_dir = set_or_die, delete_or_die


def main():
    for line in sys.stdin:
        path, when, number = line.rsplit(maxsplit=2)
        child = os.fork()
        if child == 0:
            if when == "write":
                kill_at(int(number))
            track(Path(path))
            os._exit(0)
        if when == "after":
            time.sleep(int(number) / 1000)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
