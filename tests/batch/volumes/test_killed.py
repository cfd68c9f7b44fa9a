"""Runs on stacks that are killed go on to the same bytes; one part is open at once."""

import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
import tifffile
from tests.batch.trees import tree

from napari_sam2.batch.volumes import run as volume_run
from napari_sam2.batch.volumes.run import open_job

KILLED_RUN = """
import os, signal, sys
from napari_sam2.batch.job import TrackJob
from napari_sam2.batch.volumes import run as volumes

def killed(planes, thin):
    yield next(told(planes, thin))
    os.kill(os.getpid(), signal.SIGKILL)

told, last = volumes.settled, int(sys.argv[2])
if not last:
    volumes.settled = killed
with volumes.open_job(TrackJob.model_validate_json(sys.argv[1])) as run:
    for done in run.frames():
        if done.position == last:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_run_killed_on_a_plane_and_in_the_vote_goes_on_to_the_same_bytes(
    volume_job, tracked
):
    whole, steps = tracked
    job = volume_job.model_copy(update={"resume": True})
    on_a_plane = steps[-1][1] // 2
    for last in (on_a_plane, 0):
        killed = subprocess.run(
            [sys.executable, "-c", KILLED_RUN, job.model_dump_json(), str(last)],
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL
    with open_job(job) as opened:
        for _ in opened.frames():
            pass
        assert opened.report().frames_computed == 0, "all was tracked before the vote"
    assert tree(job.out) == tree(whole)


def test_one_part_is_open_at_a_time(volume_job, folder, truth, monkeypatch):
    """Memory is that of a stack along z, or of one plane: whatever T and Z are."""
    told, now_open, most = volume_run.open_run, [], []

    @contextmanager
    def counted(job):
        with told(job) as run:
            now_open.append(job.name)
            most.append(len(now_open))
            yield run
            now_open.remove(job.name)

    monkeypatch.setattr(volume_run, "open_run", counted)
    path = volume_job.out.with_name("one.tif")
    tifffile.imwrite(path, truth[0, 2], photometric="minisblack")
    options = volume_job.frame_options.model_copy(update={"z": 2})
    changes = {"prompts": path, "frames": (0, 2), "frame_options": options}
    with open_job(volume_job.model_copy(update=changes)) as opened:
        for _ in opened.frames():
            pass
    assert len(most) > 2
    assert set(most) == {1}
