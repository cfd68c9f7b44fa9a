"""Two processes never write one label group; what one does is not undone by another."""

import errno
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.label_store.store import CREATING, OmeZarrLabelStore
from napari_sam2.io.ome_zarr import machine_lock
from napari_sam2.io.ome_zarr.embedded_image import embed_image
from napari_sam2.session.book.state import BookState, ObjectState

WRITER = """
import sys
from napari_sam2.io.label_store.store import OmeZarrLabelStore
store = OmeZarrLabelStore.open(sys.argv[1])
print("open", flush=True)
for line in sys.stdin:
    store.close()
    print("closed", flush=True)
"""


@pytest.fixture
def other():
    """Return a function that lets another process open a store for writing."""
    processes = []

    def start(path):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout.readline() == "open\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def begun(new_store, fake_run):
    """A closed store with a frame and a step."""
    store = new_store()
    store.write(fake_run.result(0))
    store.commit(fake_run.progress(1), None)
    store.history.begin("click", BookState(), BookState((ObjectState(3),)))
    store.write(fake_run.result(1))
    store.commit(fake_run.progress(2), None)
    store.close()
    return store


REFUSED = r"x\.zarr/labels/masklets: another window or run is writing there; close it"


def test_the_second_writer_is_refused_and_nothing_is_lost(
    begun, other, new_store, provenance
):
    path = begun.path
    before = {one: one.read_bytes() for one in path.rglob("*") if one.is_file()}
    process = other(path)
    for ask in (
        lambda: OmeZarrLabelStore.open(path),
        lambda: OmeZarrLabelStore.open_for_resume(path, provenance),
        lambda: new_store(overwrite=True),
    ):
        with pytest.raises(OutputError, match=REFUSED):
            ask()
    after = {one: one.read_bytes() for one in path.rglob("*") if one.is_file()}
    assert after == before
    # Reading needs no lock.
    read = OmeZarrLabelStore.open(path, mode="r")
    assert read.history.undo_text == "click"
    process.stdin.write("close\n")
    process.stdin.flush()
    assert process.stdout.readline() == "closed\n"
    assert OmeZarrLabelStore.open(path).history.undo() is not None


def in_another_thread(function):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_another_thread_is_another_writer(begun, provenance, new_store):
    store = OmeZarrLabelStore.open(begun.path)
    assert store.remark is None
    for ask in (
        lambda: OmeZarrLabelStore.open(begun.path),
        lambda: OmeZarrLabelStore.open_for_resume(begun.path, provenance),
        lambda: new_store(overwrite=True),
    ):
        with pytest.raises(OutputError, match=REFUSED):
            in_another_thread(ask)
    assert (
        in_another_thread(lambda: OmeZarrLabelStore.open(begun.path, mode="r"))
        .read_labels(1)
        .any()
    )
    store.close()
    in_another_thread(lambda: OmeZarrLabelStore.open(begun.path).close())


def test_a_thread_that_has_ended_locks_nobody_out(begun):
    kept = in_another_thread(lambda: OmeZarrLabelStore.open(begun.path))
    OmeZarrLabelStore.open(begun.path).close()
    kept.close()


def test_a_window_whose_threads_change_is_one_writer(begun):
    first = in_another_thread(lambda: OmeZarrLabelStore.open(begun.path, writer=5))
    second = in_another_thread(lambda: OmeZarrLabelStore.open(begun.path, writer=5))
    with pytest.raises(OutputError, match=REFUSED):
        OmeZarrLabelStore.open(begun.path)
    first.close()
    second.close()
    OmeZarrLabelStore.open(begun.path).close()


def test_of_many_that_overwrite_at_once_one_does(begun, new_store, fake_run):
    made, refused = [], []
    gate = threading.Barrier(4)

    def overwrite(number):
        gate.wait()
        try:
            store = new_store(overwrite=True)
        except OutputError as error:
            refused.append(error)
            return
        finally:
            # A thread that has ended locks nobody out: each lives until all have asked.
            gate.wait()
        for frame in range(4):
            store.write(fake_run.result((number + frame) % 12))
        store.commit(fake_run.progress(4), None)
        made.append((number, store))

    threads = [threading.Thread(target=overwrite, args=[n]) for n in range(0, 12, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (1, 3)
    assert all("writing there" in str(one) for one in refused)
    ((number, store),) = made
    written = {(number + frame) % 12 for frame in range(4)}
    assert set(np.flatnonzero(store.whole_frames).tolist()) == written
    labels = begun.path / "labels"
    assert sorted(one.name for one in labels.iterdir()) == ["masklets", "zarr.json"]


def test_what_killed_writers_left_is_swept_by_name(begun, new_store):
    others = begun.path / "labels/.masklets.0123abcd.new.partial"
    others.mkdir()
    cells = begun.path / "labels/.masklets.b.new.partial"
    cells.mkdir()
    new_store(overwrite=True)
    assert not others.exists()
    assert cells.exists(), "it is of another name"


def test_a_killed_writer_locks_nobody_out(begun, other):
    process = other(begun.path)
    process.kill()
    process.wait(timeout=300)
    assert OmeZarrLabelStore.open(begun.path).history.undo_text == "click"


def test_one_process_opens_a_store_as_often_as_it_likes(begun, other):
    first, second = (OmeZarrLabelStore.open(begun.path) for _ in range(2))
    first.close()
    with pytest.raises(AssertionError):  # the other process was refused
        other(begun.path)
    second.close()
    third = OmeZarrLabelStore.open(begun.path)
    third.close()
    other(begun.path)


def test_a_new_group_and_the_one_that_replaces_it_are_held(new_store, other):
    new_store()
    replacing = new_store(overwrite=True)
    with pytest.raises(AssertionError):
        other(replacing.path)
    replacing.close()
    other(replacing.path)


def test_a_copy_is_written_while_its_original_is(begun, other, tmp_path):
    other(begun.path)
    copy = tmp_path / "copy.zarr"
    shutil.copytree(begun.path, copy)
    assert OmeZarrLabelStore.open(copy).history.undo() is not None


@pytest.mark.skipif(sys.platform == "win32", reason="rights of folders differ")
def test_a_folder_that_cannot_be_written_is_read(begun):
    (begun.path / "labels/masklets/napari-sam2/whole_frames/writing.lock").unlink()
    folders = [begun.path, *(one for one in begun.path.rglob("*") if one.is_dir())]
    for one in folders:
        one.chmod(0o555)
    try:
        store = OmeZarrLabelStore.open(begun.path, mode="r")
        assert store.read_labels(1).any()
        assert not list(begun.path.rglob("*.lock"))
    finally:
        for one in folders:
            one.chmod(0o755)


def test_a_file_system_without_locks_is_written_all_the_same(begun, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(
        "napari_sam2.io.label_store.writing_lock.FileLock.acquire", refuse
    )
    store = OmeZarrLabelStore.open(begun.path)
    assert "nobody is kept out" in store.remark
    store.history.undo()
    assert not np.any(store.read_labels(1))
    # Within one process it needs no locks of the system.
    with pytest.raises(OutputError, match=REFUSED):
        in_another_thread(lambda: OmeZarrLabelStore.open(begun.path))


def test_who_comes_second_waits_and_is_told(tmp_path, new_store, monkeypatch):
    monkeypatch.setattr(machine_lock, "PATIENCE", 0.1)
    path = tmp_path / "x.zarr"
    with (
        machine_lock.alone(path, CREATING),
        pytest.raises(OutputError, match="is creating labels there"),
    ):
        new_store(path)
    new_store(path).close()


def test_who_embeds_second_waits_and_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(machine_lock, "PATIENCE", 0.1)
    path, frames = tmp_path / "x.zarr", np.ones((2, 3, 4), np.uint8)

    def embed(frames=frames):
        embed_image(path, frames, frame_count=2, calibration=Calibration())

    def others_try_meanwhile():
        yield frames[0]
        with pytest.raises(OutputError, match="is embedding a movie there; wait"):
            in_another_thread(embed)
        yield frames[1]

    embed(others_try_meanwhile())
    with pytest.raises(OutputError, match="holds an image already"):
        embed()
    assert (zarr.open_array(path / "0", mode="r")[:] == 1).all()


def test_of_many_that_embed_at_once_one_does(tmp_path):
    path, gate, made, refused = tmp_path / "x.zarr", threading.Barrier(4), [], []

    def embed(value):
        gate.wait()
        frames = np.full((5, 8, 9), value, np.uint8)
        try:
            embed_image(path, frames, frame_count=5, calibration=Calibration())
            made.append(value)
        except OutputError as error:
            refused.append(error)

    threads = [threading.Thread(target=embed, args=[one]) for one in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (1, 3)
    assert (zarr.open_array(path / "0", mode="r")[:] == made[0]).all()


def test_of_many_that_create_at_once_one_does(tmp_path, new_store):
    path, made, refused = tmp_path / "x.zarr", [], []
    gate = threading.Barrier(4)

    def create():
        gate.wait()
        try:
            made.append(new_store(path))
        except OutputError as error:
            refused.append(error)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (1, 3)


def test_names_that_are_made_at_once_are_all_listed(tmp_path, new_store):
    path, names = tmp_path / "x.zarr", [f"cells {number}" for number in range(4)]
    gate = threading.Barrier(len(names))

    def create(name):
        gate.wait()
        new_store(path, name=name).close()

    threads = [threading.Thread(target=create, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    listed = zarr.open_group(path / "labels", mode="r").attrs["ome"]["labels"]
    assert sorted(listed) == names
