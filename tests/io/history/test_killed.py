"""Killed within a step, an undo or a redo: the store opens, and undo leads back."""

import random
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.sessions.document import SessionDocument
from napari_sam2.session.book.state import BookState, ObjectState

if sys.platform == "win32":
    pytest.skip("has neither fork nor SIGKILL", allow_module_level=True)

WRITER = Path(__file__).with_name("killed_history.py")
FRAMES = 6


@pytest.fixture(scope="module")
def live():
    """Return a function that lets a person work until the kill; True if they ended."""
    process = subprocess.Popen(
        [sys.executable, str(WRITER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def run(path, when="never", number=0):
        process.stdin.write(f"{path} {when} {number}\n")
        process.stdin.flush()
        status = int(process.stdout.readline())
        assert status in (0, signal.SIGKILL)
        return status == 0

    yield run
    process.stdin.close()
    process.wait(timeout=300)
    process.stdout.close()


@pytest.fixture
def start(tmp_path, new_store, fake_run):
    """A store with a few frames, and nothing to undo."""
    store = new_store(tmp_path / "start.zarr", frame_count=FRAMES)
    for frame in range(3):
        store.write(fake_run.result(frame))
    store.write_anchor(fake_run.anchor(3))
    store.commit(fake_run.progress(3), None)
    store.save_session(SessionDocument())
    store.close()
    return store


def pixels(path):
    """Return every array of the label group, history aside."""
    group = zarr.open_group(path / "labels/masklets", mode="r")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        members = group.members(max_depth=None)
        return {
            name: np.asarray(node[...]).tobytes()
            for name, node in members
            if isinstance(node, zarr.Array) and "history" not in name
        }


def check(path, expected):
    """Open the store and undo all; what is left must be what there was."""
    store = OmeZarrLabelStore.open(path)
    assert not list(path.rglob("*.undo.partial"))
    seen = 0
    while store.history.undo() is not None:
        seen += 1
    assert store.read_session().book.objects == ()
    assert {
        name: values for name, values in pixels(path).items() if name in expected
    } == expected
    return seen


def test_killed_within_a_snapshot_that_nothing_refers_to(start, fake_run):
    """The folder of an array that was not there yet stayed beside the masklets."""
    store = OmeZarrLabelStore.open(start.path)
    for _ in range(2):
        store.history.undo()  # after that nobody knows how far a run had come
        store.history.begin("step", BookState(), BookState((ObjectState(7),)))
        store.write(fake_run.result(0))
    left = start.path / "labels/masklets/napari-sam2/snapshot-b/2"
    left.mkdir(parents=True)
    store.close()
    check(start.path, {})
    assert not left.parent.exists()


def test_killed_at_many_moments(tmp_path, start, live):
    expected = {k: v for k, v in pixels(start.path).items() if "snapshot" not in k}
    kinds = set()
    moment, has_ended = 2, False
    while not has_ended:
        path = tmp_path / f"{moment}.zarr"
        shutil.copytree(start.path, path)
        has_ended = live(path, "write", moment)
        kinds.add(check(path, expected))
        moment += 23
    assert kinds >= {1, 2}
    assert moment > 100


def test_killed_again_and_again(tmp_path, start, live):
    expected = {k: v for k, v in pixels(start.path).items() if "snapshot" not in k}
    moments = random.Random(2)
    for _ in range(4):
        live(start.path, "write", moments.randint(20, 160))
    live(start.path, "after", 300)
    check(start.path, expected)
