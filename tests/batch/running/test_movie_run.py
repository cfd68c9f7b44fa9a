"""Make it so: one movie, whatever is there already, ends whole; errors are outcomes."""

import json
import shutil
import subprocess
import sys

import pytest
from tests.batch.trees import tree

from napari_sam2.batch.plan.plan import PlannedMovie
from napari_sam2.batch.report.outcome import MovieProgress
from napari_sam2.batch.running.movie_run import (
    Patience,
    is_complete,
    make_it_so,
    may_pass,
    request_key,
)
from napari_sam2.errors import InputError, ModelError, OutputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.session.planning.plan import MergePolicy


@pytest.fixture
def planned(job):
    return PlannedMovie(title="cells", job=job.model_copy(update={"frames": (0, 6)}))


def changed(planned, **fields):
    job = planned.job.model_copy(update=fields)
    return planned.model_copy(update={"job": job})


def test_what_is_not_there_begins_and_what_is_complete_stays(planned):
    seen = []
    first = make_it_so(planned, on_progress=seen.append)
    assert (first.state, first.frames_computed, first.objects) == ("done", 6, 3)
    assert seen[-1] == MovieProgress("cells", seen[-1].total, seen[-1].total)
    before = tree(planned.job.out)
    again = make_it_so(planned)
    assert (again.state, again.frames_computed) == ("complete", 0)
    assert tree(planned.job.out) == before


def test_a_cancelled_movie_goes_on_to_the_same_bytes(planned):
    whole = changed(planned, out=planned.job.out.with_name("whole.zarr"))
    make_it_so(whole)
    steps = iter([False, False, True])
    stopped = make_it_so(planned, is_cancelled=lambda: next(steps))
    assert stopped.state == "cancelled"
    assert not OmeZarrLabelStore.open(planned.job.out, mode="r").is_complete
    again = make_it_so(planned)
    assert (again.state, again.frames_computed) == ("done", 4)
    assert tree(planned.job.out) == tree(whole.job.out)


def test_a_lost_gpu_goes_on_on_the_cpu_only_if_asked(planned, monkeypatch):
    """What was begun here stands for what a node with a GPU began in these numbers."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    whole = changed(planned, out=planned.job.out.with_name("whole.zarr"))
    make_it_so(whole)
    steps = iter([False, False, True])
    make_it_so(planned, is_cancelled=lambda: next(steps))
    before = tree(planned.job.out)
    options = planned.job.model_options.model_copy(update={"device": "cuda"})
    refused = make_it_so(changed(planned, model_options=options), Patience(1, 0))
    assert (refused.state, refused.attempts) == ("refused", 1)
    assert "device 'cuda': this machine has none" in refused.error
    assert tree(planned.job.out) == before
    asked = options.model_copy(update={"cpu_without_gpu": True})
    assert make_it_so(changed(planned, model_options=asked)).state == "done"
    assert tree(planned.job.out) == tree(whole.job.out)


def test_objects_are_merged_once(planned, tmp_path):
    make_it_so(planned)
    box = {"frame": 0, "box": [0, 0, 40, 60]}
    prompts = tmp_path / "more.json"
    prompts.write_text(
        json.dumps({"version": 1, "objects": [{"id": 90, "prompts": [box]}]})
    )
    more = changed(planned, merge=MergePolicy.KEEP, prompts=prompts)
    steps = iter([False, False, True])
    assert make_it_so(more, is_cancelled=lambda: next(steps)).state == "cancelled"
    assert make_it_so(more).state == "done"
    before = tree(planned.job.out)
    assert make_it_so(more).state == "complete"
    assert tree(planned.job.out) == before


def test_what_was_given_wrongly_is_refused_and_never_tried_again(planned, tmp_path):
    broken = tmp_path / "broken.tif"
    broken.write_bytes(b"II*\0 no more")
    outcome = make_it_so(changed(planned, movie=broken), Patience(3, 0))
    assert (outcome.state, outcome.exit_code, outcome.attempts) == ("refused", 2, 1)
    assert "broken.tif" in outcome.error


def test_other_prompts_than_those_of_the_masklets_are_refused(planned, tmp_path):
    make_it_so(planned)
    prompts = tmp_path / "other.json"
    points = {"frame": 0, "points": [[30, 30]]}
    prompts.write_text(
        json.dumps({"version": 1, "objects": [{"id": 1, "prompts": [points]}]})
    )
    outcome = make_it_so(changed(planned, prompts=prompts), Patience(1, 0))
    assert (outcome.state, outcome.attempts) == ("refused", 1)
    assert "the prompts changed" in outcome.error


def test_a_lock_is_waited_for(planned, monkeypatch):
    steps = iter([False, True])
    make_it_so(planned, is_cancelled=lambda: next(steps))
    code = (
        "import sys; from pathlib import Path;"
        "from napari_sam2.io.label_store.store import OmeZarrLabelStore;"
        "store = OmeZarrLabelStore.open(Path(sys.argv[1]));"
        "print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(planned.job.out)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.readline().strip() == b"held"
    blocked = make_it_so(planned, Patience(1, 0.01))
    assert (blocked.state, blocked.attempts) == ("failed", 2)
    assert "another window or run is writing" in blocked.error
    holder.communicate(timeout=300)
    assert make_it_so(planned).state == "done"


def test_what_may_pass_is_told_from_what_stays():
    busy = OutputError("busy")
    busy.__cause__ = TimeoutError()
    assert may_pass(busy)
    assert may_pass(OSError(5, "input/output error"))
    for lasting in (InputError("a"), ModelError("b"), OutputError("another plan")):
        assert not may_pass(lasting)
    assert not may_pass(FileNotFoundError())


def test_a_file_that_was_there_is_never_taken_for_an_export(planned, tmp_path):
    (tmp_path / "cells.csv").write_text("mine")
    wanted = planned.model_copy(update={"exports": {"csv": tmp_path / "cells.csv"}})
    done = make_it_so(wanted)
    assert (done.state, done.exit_code) == ("refused", 3)
    assert "cells.csv exists already: the masklets that it" in done.error
    assert not planned.job.out.exists()
    assert (tmp_path / "cells.csv").read_text() == "mine"


def test_exports_are_written_once_the_masklets_are_whole(planned, tmp_path):
    wanted = planned.model_copy(update={"exports": {"csv": tmp_path / "cells.csv"}})
    done = make_it_so(wanted)
    assert done.exports == (str(tmp_path / "cells.csv"),)
    assert is_complete(wanted, done.request)
    (tmp_path / "cells.csv").unlink()
    assert not is_complete(wanted, done.request)
    assert make_it_so(wanted).state == "complete"
    assert (tmp_path / "cells.csv").exists()


def test_what_is_complete_is_known_without_reading_anything(planned, monkeypatch):
    done = make_it_so(planned)
    monkeypatch.setattr("napari_sam2.batch.job.open_frames", None)
    assert is_complete(planned, done.request)
    assert not is_complete(changed(planned, frames=(0, 5)), done.request)


def test_a_movie_that_changed_is_another_request(planned, tmp_path):
    movie = tmp_path / "copy.tif"
    shutil.copy(planned.job.movie, movie)
    copied = changed(planned, movie=movie)
    key = request_key(copied)
    with movie.open("ab") as file:
        file.write(b"\0")
    assert request_key(copied) != key


def test_what_verify_says_is_in_the_outcome(planned):
    assert make_it_so(planned).verified == "whole, 6 of 12 frames computed"
    labels = planned.job.out / "labels" / planned.job.name
    (labels / "0" / "c" / "3" / "0" / "0").write_bytes(b"flipped")
    damaged = make_it_so(planned, Patience(3, 0))
    assert (damaged.state, damaged.exit_code, damaged.attempts) == ("refused", 3, 1)
    assert "frame 3" in damaged.error
    assert "is not what was written" in damaged.error
    assert "remove this folder" in damaged.error
