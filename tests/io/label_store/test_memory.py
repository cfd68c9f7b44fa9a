"""A long movie takes no more memory than a short one."""

import gc
import tracemalloc
from dataclasses import replace

from napari_sam2.interfaces import Progress


def test_memory_does_not_grow_with_frames(tmp_path, new_store, fake_run):
    """What a store holds on to after 20 and after 100 frames (1 MB of data)."""
    result, snapshot = fake_run.result(0), fake_run.snapshot(0)
    held = []
    tracemalloc.start()
    for frame_count in (20, 20, 100):
        store = new_store(tmp_path / f"{len(held)}.zarr", frame_count=frame_count)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for frame_index in range(frame_count):
            labels, logits = result.labels.copy(), result.logits.copy()
            store.write(
                replace(result, frame_index=frame_index, labels=labels, logits=logits)
            )
            if frame_index % 20 == 19:
                store.commit(Progress(0, frame_index + 1, ""), snapshot)
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0] - before)
    tracemalloc.stop()
    assert held[2] - held[1] < 100_000
