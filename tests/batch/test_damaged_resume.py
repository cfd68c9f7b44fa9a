"""What of an interrupted run is damaged is computed again, to the same bytes."""

import shutil

import numpy as np
import pytest
from tests.batch.test_job import elsewhere, run, tree

from napari_sam2.batch.job import open_run
from napari_sam2.errors import ModelError, OutputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore

RUN = "labels/masklets/napari-sam2"
NOT_A_NUMBER = 0x7FC0
"""NaN as the 16 bits of bfloat16."""


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def largest(folder):
    files = [one for one in folder.rglob("*") if one.is_file()]
    return max(files, key=lambda one: one.stat().st_size)


DAMAGE = {
    "a bit of the memory": lambda path: flip(largest(next(path.glob("snapshot-*")))),
    "a part of the memory": lambda path: largest(
        next(path.glob("snapshot-*"))
    ).unlink(),
    "five chunks of labels": lambda path: [
        shutil.rmtree(path.parent / f"0/c/{frame}") for frame in range(3, 8)
    ],
    "logits": lambda path: flip(largest(path / "logits/c/7")),
    "the scores": lambda path: shutil.rmtree(path / "area/c"),
}


def interrupted(job, at):
    with open_run(job) as opened:
        steps = opened.frames()
        for done in steps:
            if done.position == at:
                steps.close()
                break


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_computed_again_and_told(job, what):
    job = job.model_copy(update={"frames": (0, 14)})
    whole = elsewhere(job, "whole.zarr")
    run(whole)
    interrupted(job, 11)
    DAMAGE[what](job.out / RUN)
    with open_run(job.model_copy(update={"resume": True})) as opened:
        assert "computed again" in opened.remark
        assert len(list(opened.frames())) >= 14
    assert tree(job.out) == tree(whole.out)


def test_the_commit_before_the_damage_is_gone_on_from(job):
    job = job.model_copy(update={"frames": (0, 14)})
    whole = elsewhere(job, "whole.zarr")
    run(whole)
    interrupted(job, 8)
    job = job.model_copy(update={"resume": True})
    interrupted(job, 12)
    shutil.rmtree(job.out / RUN.replace("napari-sam2", "0/c/9"))
    with open_run(job) as opened:
        assert "frame 9 is damaged; frames since the commit before" in opened.remark
        positions = [done.position for done in opened.frames()]
    assert positions[0] == 9
    assert tree(job.out) == tree(whole.out)


def damaging(job, damage, at):
    """Run a job, and damage what it has written after so many steps."""
    with open_run(job) as opened:
        steps = opened.frames()
        while next(steps).position < at:
            pass
        damage(job.out / RUN)
        list(steps)
        return opened


AT_THE_END = {
    "five chunks of labels": (DAMAGE["five chunks of labels"], 15),
    "logits": (DAMAGE["logits"], 12),
    "a label of the last frame": (
        lambda path: flip(largest(path.parent / "0/c/13")),
        15,
    ),
}


@pytest.mark.parametrize("what", AT_THE_END)
def test_labels_are_held_against_what_was_written_at_the_end(job, what):
    """What another program, or the disk, changed during the run is made again."""
    job = job.model_copy(update={"frames": (0, 14)})
    whole = elsewhere(job, "whole.zarr")
    run(whole)
    opened = damaging(job, *AT_THE_END[what])
    assert "damaged; all frames are computed again" in opened.mended
    assert "\n" not in opened.mended
    assert tree(job.out) == tree(whole.out)


def test_at_the_end_what_came_since_the_last_commit_is_computed_again(job):
    job = job.model_copy(update={"frames": (0, 30)})
    whole = elsewhere(job, "whole.zarr")
    run(whole)
    opened = damaging(job, lambda path: shutil.rmtree(path.parent / "0/c/28"), 30)
    assert "frame 28 is damaged; frames since the commit before" in opened.mended
    assert opened.frames_computed == 30 + 6
    assert tree(job.out) == tree(whole.out)


def test_a_run_whose_labels_are_as_written_says_nothing_of_it(job):
    with open_run(job.model_copy(update={"frames": (0, 3)})) as opened:
        assert list(opened.frames())
        assert opened.mended is None


def test_a_disk_that_keeps_nothing_is_told(job):
    """A run whose labels are damaged once more is no endless one."""
    job = job.model_copy(update={"frames": (0, 3)})
    with open_run(job) as opened:
        steps = opened.frames()
        for done in steps:
            if done.position == 4:
                shutil.rmtree(job.out / "labels/masklets/0/c/2")
                if opened.mended:
                    break
        with pytest.raises(OutputError, match="does not keep what is writt") as told:
            next(steps)
    assert "\n" not in str(told.value)
    assert not OmeZarrLabelStore.open(job.out, mode="r").is_complete


@pytest.mark.parametrize("what", ["spatial", "pointers", "anchor_memories"])
def test_a_memory_that_is_no_number_ends_in_a_sentence(job, what):
    """As weights that overflow leave it: its digest is right, we wrote it ourselves."""
    job = job.model_copy(update={"frames": (0, 6)})
    interrupted(job, 4)
    store = OmeZarrLabelStore.open(job.out)
    progress, memory = store.read_progress()
    values = memory[what].copy()
    values[...] = np.nan if values.dtype.kind == "f" else NOT_A_NUMBER
    store.commit(progress, {**memory, what: values})
    store.close()
    job = job.model_copy(update={"resume": True})
    with open_run(job) as opened:
        assert opened.remark is None, "it is what was written"
        with pytest.raises(ModelError, match="answer is not finite") as told:
            list(opened.frames())
    assert "\n" not in str(told.value)
    assert told.value.exit_code == 4
    assert not OmeZarrLabelStore.open(job.out, mode="r").is_complete


def test_a_finished_run_that_was_damaged_since_is_no_finished_run(job):
    job = job.model_copy(update={"frames": (0, 3)})
    run(job)
    job = job.model_copy(update={"resume": True})
    assert run(job).frames_computed == 0
    flip(largest(job.out / "labels/masklets/0/c/1"))
    before = tree(job.out)
    with pytest.raises(OutputError, match="was finished, but frame 1 is damaged since"):
        open_run(job)
    assert tree(job.out) == before
