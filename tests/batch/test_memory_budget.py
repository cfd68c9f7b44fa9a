"""A budget in bytes: obeyed from the first frame on, remembered, or refused."""

from __future__ import annotations

from contextlib import closing

import pytest
from typer.testing import CliRunner

from napari_sam2.batch.job import TrackJob, load_predictor, open_run
from napari_sam2.batch.models import loaded_model
from napari_sam2.batch.plan.checks import check_movie
from napari_sam2.batch.plan.plan import PlannedMovie, read_plan
from napari_sam2.cli import app
from napari_sam2.commands.options import parse_memory
from napari_sam2.errors import InputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.tracking.memory.slots import ROW_BLOCK


def with_memory(job: TrackJob, **changes: object) -> TrackJob:
    options = job.model_options.model_copy(update=changes)
    return job.model_copy(update={"model_options": options})


def test_too_little_for_one_object_is_refused_before_anything_is_written(job):
    tight = with_memory(job, memory_bytes=1000)
    with pytest.raises(InputError, match="one object on one frame takes 0"):
        open_run(tight)
    assert not job.out.exists()


def test_more_objects_than_the_memory_holds_are_refused(job):
    large = with_memory(job, memory_bytes=10**9).model_options
    plan = large.budget(loaded_model(large.model).config)
    working = max(plan.computed_bytes, plan.staged_bytes)
    enough = plan.model_bytes + plan.embedded_bytes + working
    enough += ROW_BLOCK * plan.remembered_bytes
    tight = with_memory(job, memory_bytes=enough).model_options
    with closing(open_frames(job.movie)) as source:
        load_predictor(tight, source, ROW_BLOCK)
        with pytest.raises(InputError, match="holds 8 objects, and 50 take"):
            load_predictor(tight, source, 50)


def test_what_was_allowed_stands_in_provenance_and_is_gone_on_with(job):
    asked = with_memory(job, memory_bytes=10**9).model_copy(update={"frames": (0, 3)})
    with open_run(asked) as run:
        next(run.frames())
    again = job.model_copy(update={"frames": (0, 3), "resume": True})
    with open_run(again) as run:
        list(run.frames())
    stored = OmeZarrLabelStore.open(job.out, job.name, mode="r")
    assert stored.is_complete
    assert stored.provenance.memory_bytes == 10**9


def test_a_plan_that_does_not_fit_is_told_by_the_dry_run(job):
    tight = with_memory(job, model="nano", memory_bytes=1000)
    found = check_movie(PlannedMovie(title="movie", job=tight))
    assert found.state == "refused"
    assert "one object on one frame" in found.reason
    roomy = with_memory(job, model="nano", memory_bytes=10**9)
    found = check_movie(PlannedMovie(title="movie", job=roomy))
    assert found.memory_bytes == 10**9


@pytest.mark.parametrize(
    ("text", "size"), [("4GB", 4e9), ("1.5 gb", 1.5e9), ("500MB", 5e8), (None, None)]
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["4", "0GB", "-1GB", "much", "4GiB", "nan GB", ""])
def test_other_sizes_are_refused(text):
    with pytest.raises(InputError, match="--memory"):
        parse_memory(text)


def test_plan_keeps_the_memory(job, tmp_path):
    asked = ["plan", str(job.movie), "--prompts-from", str(job.prompts)]
    asked += ["--model", job.model_options.model, "--memory", "2GB", "--threads", "1"]
    made = CliRunner().invoke(app, asked)
    assert made.exit_code == 0, made.output
    (tmp_path / "plan.json").write_text(made.stdout, encoding="utf-8")
    assert read_plan(tmp_path / "plan.json").model_options.memory_bytes == 2 * 10**9
