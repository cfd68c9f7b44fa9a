"""A killed run leaves a store that opens, tells the truth, and ends as if unbroken."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaozarrs
import zarr

from napari_sam2.io.label_store.store import OmeZarrLabelStore

if sys.platform == "win32":
    pytest.skip("has neither fork nor SIGKILL", allow_module_level=True)

WRITER = Path(__file__).with_name("killed_writer.py")
WALKS = (range(8, -1, -1), range(12))
COMMIT_INTERVAL = 4
KILL_STEP = 11


@pytest.fixture(scope="module")
def writer():
    """Return a function that lets a run write until it is killed; True if it ended."""
    process = subprocess.Popen(
        [sys.executable, str(WRITER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def write(path, when="never", number=0):
        process.stdin.write(f"{path} {when} {number}\n")
        process.stdin.flush()
        status = int(process.stdout.readline())
        assert status in (0, signal.SIGKILL)
        return status == 0

    yield write
    process.stdin.close()
    process.wait(timeout=300)
    process.stdout.close()


@pytest.fixture(scope="module")
def unbroken(writer, tmp_path_factory):
    path = tmp_path_factory.mktemp("unbroken") / "x.zarr"
    assert writer(path)
    return tree(path)


def tree(path):
    return {
        str(one.relative_to(path)): one.read_bytes() if one.is_file() else None
        for one in sorted(path.rglob("*"))
    }


def expected(fake_run, frame_index, object_ids):
    shown = [one for one in object_ids if one == 3 or frame_index <= 8]
    return fake_run.result(frame_index, object_ids, shown)


def check_frame(store, fake_run, frame_index):
    ids, logits = store.read_logits(frame_index)
    result = expected(fake_run, frame_index, ids)
    np.testing.assert_array_equal(store.read_labels(frame_index), result.labels)
    np.testing.assert_array_equal(logits > 0, result.logits > 0)
    np.testing.assert_array_equal(logits[logits > 0], result.logits[logits > 0])
    return ids


def check_truth(path, fake_run):
    """Check that the store opens and that all it says about itself holds."""
    if not (path / "zarr.json").exists():
        return
    zarr.open_group(path, mode="r")
    if not OmeZarrLabelStore.exists(path):
        return
    yaozarrs.validate_zarr_store(str(path / "labels/masklets"))
    store = OmeZarrLabelStore.open(path, mode="r")
    for frame_index in np.flatnonzero(store.whole_frames).tolist():
        check_frame(store, fake_run, frame_index)
    found = store.read_progress()
    if found is None:
        return
    progress, snapshot = found
    frames = WALKS[progress.walk]
    done = (
        list(frames)
        if progress.next_frame is None
        else list(frames[: frames.index(progress.next_frame)])
    )
    changing = [one for one in done if not store.whole_frames[one]]
    # The next walk may have begun to write some of these frames again.
    assert len(changing) <= (COMMIT_INTERVAL if progress.next_frame is None else 0)
    for frame_index in done:
        assert (7, 3)[progress.walk] in store.read_scores(frame_index)[0]
    for name, values in fake_run.snapshot(done[-1]).items():
        np.testing.assert_array_equal(snapshot[name], values)
        assert snapshot[name].dtype == values.dtype


def test_killed_at_any_write_and_resumed_gives_the_same_bytes(
    tmp_path, writer, unbroken, fake_run
):
    kill_at, has_ended = 1, False
    while not has_ended:
        path = tmp_path / f"{kill_at}.zarr"
        has_ended = writer(path, "write", kill_at)
        check_truth(path, fake_run)
        assert writer(path)
        assert tree(path) == unbroken
        kill_at += KILL_STEP
    assert kill_at > 100


@pytest.mark.parametrize(("when", "longest"), [("write", 45), ("after", 120)])
def test_killed_again_and_again(tmp_path, writer, unbroken, fake_run, when, longest):
    path = tmp_path / "x.zarr"
    moments = random.Random(4)
    for _ in range(8):
        writer(path, when, moments.randint(longest // 5, longest))
        check_truth(path, fake_run)
    assert writer(path)
    assert tree(path) == unbroken


@pytest.mark.parametrize(
    ("kill_at", "stray"),
    [
        (1, "zarr.0123abcd.partial"),
        (30, "labels/zarr.0123abcd.partial"),
        (60, "labels/masklets/0/c/3/0/0.0123abcd.partial"),
    ],
)
def test_files_that_a_killed_writer_left_are_swept(
    tmp_path, writer, unbroken, kill_at, stray
):
    path = tmp_path / "x.zarr"
    assert not writer(path, "write", kill_at)
    (path / stray).parent.mkdir(parents=True, exist_ok=True)
    (path / stray).write_bytes(b"half a key")
    assert writer(path)
    assert tree(path) == unbroken
