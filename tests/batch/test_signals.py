"""A running `track` that is asked to end keeps what it did, and goes on later."""

import signal
import subprocess
import sys

import pytest
import typer
from tests.batch.test_job import elsewhere, run, tree

from napari_sam2.commands.progress import follow, listening_to_signals
from napari_sam2.session.session import FrameDone

BREAK = 21
"""Number of Ctrl-Break on Windows; elsewhere SIGTTIN, which stands in for it here."""

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


@pytest.fixture
def ctrl_break(monkeypatch):
    """Signal 21 under the name that Windows gives it; this is no test of Windows."""
    monkeypatch.setattr(signal, "SIGBREAK", BREAK, raising=False)
    return signal.getsignal(BREAK)


def test_ctrl_break_under_its_faked_name_is_noted_once(ctrl_break):
    with listening_to_signals() as stopping:
        assert signal.getsignal(BREAK) != ctrl_break
        assert not stopping()
        signal.raise_signal(BREAK)
        assert stopping()
        assert stopping.exit_code == 149
        assert signal.getsignal(BREAK) == ctrl_break, "a second one ends at once"
    assert signal.getsignal(BREAK) == ctrl_break


def test_ctrl_break_under_its_faked_name_ends_after_the_frame(ctrl_break, capsys):
    done = []

    def frames():
        try:
            for position in range(1, 9):
                if position == 3:
                    signal.raise_signal(BREAK)
                yield FrameDone(position, (), written=True, position=position, total=8)
        finally:
            done.append(position)

    with pytest.raises(typer.Exit) as ended:
        follow(frames(), "tracking", on_cancel="go on with --resume")
    assert ended.value.exit_code == 149
    assert done == [3]
    assert "cancelled; go on with --resume" in capsys.readouterr().err


def test_without_ctrl_break_nothing_is_listened_to_in_its_place(monkeypatch):
    monkeypatch.delattr(signal, "SIGBREAK", raising=False)
    before = signal.getsignal(BREAK)
    with listening_to_signals():
        assert signal.getsignal(BREAK) == before
