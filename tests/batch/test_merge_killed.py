"""Objects that are added to finished masklets: a plan of its own, always resumed."""

import contextlib
import json

import pytest
from tests.batch.test_job import run, tree
from zarr.storage import LocalStore

from napari_sam2.batch.job import open_run
from napari_sam2.errors import OutputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.session.planning.plan import MergePolicy

FRAMES = (0, 4)
BEGINNING = 12
STEP = 9


class Disk:
    """Dies at its N-th change: neither this nor any later one happens."""

    def __init__(self, monkeypatch):
        self.left = None
        self.changes = 0
        for name in ("set", "delete", "delete_dir"):
            self._count(monkeypatch, name)

    def _count(self, monkeypatch, name):
        inner = getattr(LocalStore, name)

        async def change(store, *arguments):
            self.changes += 1
            if self.left is not None:
                self.left -= 1
                if self.left <= 0:
                    raise OSError("the process was killed")
            await inner(store, *arguments)

        monkeypatch.setattr(LocalStore, name, change)


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


@pytest.fixture
def finished(job):
    job = job.model_copy(update={"frames": FRAMES})
    run(job)
    return job


@pytest.fixture
def adding(finished, tmp_path):
    prompts = tmp_path / "more.json"
    box = {"frame": 1, "box": [0, 0, 40, 60]}
    prompts.write_text(
        json.dumps({"version": 1, "objects": [{"id": 90, "prompts": [box]}]})
    )
    return finished.model_copy(
        update={"merge": MergePolicy.REPLACE, "prompts": prompts}
    )


def test_killed_at_any_write_it_is_resumed_to_the_same_bytes(
    finished, adding, disk, tmp_path
):
    import shutil

    before = tmp_path / "before.zarr"
    shutil.copytree(finished.out, before)
    begun = disk.changes
    run(adding)
    count, whole = disk.changes - begun, tree(adding.out)
    assert count > 3 * BEGINNING
    resumed = adding.model_copy(update={"resume": True})
    for number in [*range(1, BEGINNING), *range(BEGINNING, count + 1, STEP)]:
        shutil.rmtree(adding.out)
        shutil.copytree(before, adding.out)
        disk.left = number
        with contextlib.suppress(OutputError, OSError):
            run(adding)
        disk.left = None
        run(resumed)
        assert tree(adding.out) == whole, f"killed at change {number} of {count}"


def test_a_finished_one_is_left_as_it_is(adding):
    run(adding)
    before = tree(adding.out)
    report = run(adding.model_copy(update={"resume": True}))
    assert report.frames_computed == 0
    assert tree(adding.out) == before


def test_a_script_may_always_say_resume(adding):
    report = run(adding.model_copy(update={"resume": True}))
    assert report.frames_computed >= 4


def interrupted(job, at=2):
    with open_run(job) as opened:
        steps = opened.frames()
        for done in steps:
            if done.position == at:
                steps.close()
                break


def test_nothing_is_added_to_a_run_that_was_interrupted(finished, adding):
    again = finished.model_copy(update={"overwrite": True})
    interrupted(again)
    before = tree(adding.out)
    for changes in ({}, {"resume": True}):
        with pytest.raises(OutputError, match=r"was interrupted.*go on with it first"):
            run(adding.model_copy(update=changes))
    assert tree(adding.out) == before
    run(finished.model_copy(update={"resume": True}))
    run(adding)
    assert OmeZarrLabelStore.open(adding.out, mode="r").is_complete


def test_one_that_was_interrupted_goes_on_with_and_without_resume(adding):
    interrupted(adding, at=3)
    report = run(adding)
    assert 0 < report.frames_computed < 6
    assert OmeZarrLabelStore.open(adding.out, mode="r").is_complete


def test_while_it_is_interrupted_the_run_before_is_not_gone_on_with(
    finished, adding, disk
):
    disk.left = 2
    with pytest.raises(OutputError):
        run(adding)
    disk.left = None
    with pytest.raises(OutputError, match=r"run with the same$"):
        run(finished.model_copy(update={"resume": True}))
