"""What of an interrupted run is damaged is computed again, to the same bytes."""

import shutil

import pytest
from tests.batch.test_job import elsewhere, run, tree

from napari_sam2.batch.job import open_run

RUN = "labels/masklets/napari-sam2"


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
