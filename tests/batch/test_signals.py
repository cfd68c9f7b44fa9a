"""A running `track` that is asked to end keeps what it did, and goes on later."""

import signal
import subprocess
import sys

import pytest
from tests.batch.test_job import elsewhere, run, tree

RUN_AND_SIGNAL = """
import os, signal, sys
from contextlib import closing

from napari_sam2 import cli
from napari_sam2.batch import job

inner, (name, *sys.argv) = job.Run.frames, sys.argv[1:]

def frames(run):
    with closing(inner(run)) as steps:
        for done in steps:
            if done.position == 5:
                os.kill(os.getpid(), getattr(signal, name))
            yield done

job.Run.frames = frames
cli.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
@pytest.mark.parametrize(
    ("name", "exit_code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGXCPU", 152)]
)
def test_what_was_done_is_kept_and_gone_on_with(job, name, exit_code):
    job = job.model_copy(update={"frames": (0, 9)})
    words = ["napari-sam2", "track", job.movie, "--prompts", job.prompts]
    words += ["--out", job.out, "--model", job.model_options.model, "--frames", "0:9"]
    ended = subprocess.run(
        [sys.executable, "-c", RUN_AND_SIGNAL, name, *map(str, words), "--device=cpu"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == exit_code == 128 + getattr(signal, name)
    assert "cancelled; go on with --resume" in ended.stderr
    assert "Traceback" not in ended.stderr
    report = run(job.model_copy(update={"resume": True}))
    assert report.frames_computed == 9 - 4
    whole = elsewhere(job, "whole.zarr")
    run(whole)
    assert tree(job.out) == tree(whole.out)
