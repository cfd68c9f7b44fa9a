"""Files are on the disk before they are said to be whole, if that is asked for."""

import os
from pathlib import Path

import pytest

from napari_sam2.io.label_store.store import OmeZarrLabelStore

RUN = "labels/masklets/napari-sam2"


@pytest.fixture
def synced(monkeypatch):
    """What is synced, and what its content was then, in order."""
    seen = []
    names = {}
    opening, syncing = os.open, os.fsync

    def opened(path, *rest, **places):
        number = opening(path, *rest, **places)
        names[number] = Path(path)
        return number

    def sync(number):
        path = names[number]
        seen.append((path, path.read_bytes() if path.is_file() else None))
        syncing(number)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "fsync", sync)
    return seen


def test_a_commit_syncs_all_that_it_vouches_for_first(new_store, fake_run, synced):
    store = new_store()
    store.sync_commits()
    store.write(fake_run.result(0))
    store.commit(fake_run.progress(1), fake_run.snapshot(0))
    files = [path for path, _ in synced]
    progress = store.path / RUN / "zarr.json"
    said = next(
        number
        for number, (path, content) in enumerate(synced)
        if path == progress and b"next_frame" in content
    )
    before = set(files[:said])
    written = {one for one in store.path.rglob("*") if one.is_file()}
    written -= {one for one in written if one.suffix == ".lock"}
    assert written - before <= {progress}
    if os.name != "nt":
        assert {progress.parent, store.path / "labels/masklets/0/c/0/0"} <= before
    count = len(synced)
    store.write(fake_run.result(1))
    store.commit(fake_run.progress(2), None)
    again = {path for path, _ in synced[count:]}
    assert store.path / "labels/masklets/0/c/1/0/0" in again
    assert store.path / "labels/masklets/0/c/0/0/0" not in again, "it is there already"
    store.finish()
    assert any(
        path == progress and b'"complete": true' in content
        for path, content in synced
        if content
    )


def test_nothing_is_synced_unless_asked_for(new_store, fake_run, synced):
    store = new_store()
    store.write(fake_run.result(0))
    store.commit(fake_run.progress(1), fake_run.snapshot(0))
    store.finish()
    assert synced == []
    assert OmeZarrLabelStore.open(store.path, mode="r").is_complete
