"""A long movie takes no more memory than a short one."""

import tracemalloc

from napari_sam2.interfaces import Progress


def test_memory_does_not_grow_with_frames(tmp_path, new_store, fake_run):
    """Peaks after a warm-up: 30 and 150 frames differ by next to nothing."""
    result = fake_run.result(0)
    snapshot = fake_run.snapshot(0)
    peaks = []
    tracemalloc.start()
    for frame_count in (30, 30, 150):
        store = new_store(tmp_path / f"{len(peaks)}.zarr", frame_count=frame_count)
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        for frame_index in range(frame_count):
            labels = result.labels
            store.write(
                type(result)(frame_index, labels, (3, 7), result.logits, result.scores)
            )
            if frame_index % 25 == 24:
                store.commit(Progress(0, frame_index + 1, ""), snapshot)
        store.finish()
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    assert peaks[2] - peaks[1] < 50_000
