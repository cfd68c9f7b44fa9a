"""What is asked for, as arguments; and programs that end with a sentence."""

from pathlib import Path

import pytest

from napari_sam2.engine.runs.program import Program
from napari_sam2.errors import InputError
from napari_sam2.ui.batch.request import BatchRequest


def test_a_session_is_taken_after_and_results_lie_in_one_folder(tmp_path):
    asked = BatchRequest(
        movies=("a.tif", "b.tif"),
        session=(tmp_path / "cells.zarr", "masklets"),
        results=tmp_path / "results",
        workers=2,
    )
    assert not asked.missing
    assert asked.plan_arguments() == [
        *("plan", "a.tif", "b.tif"),
        *("--like", str(tmp_path / "cells.zarr"), "--name", "masklets"),
        *("--out", str(tmp_path / "results" / "{stem}-masklets.zarr")),
    ]
    plan = str(tmp_path / "results" / "sam2-batch" / "plan.json")
    assert asked.run_arguments(dry_run=True) == ["run", plan, "--watched", "--dry-run"]
    assert asked.run_arguments() == [
        *("run", plan, "--watched", "--report", str(Path(plan).parent)),
        *("--scheduler", "local", "--workers", "2"),
    ]


def test_without_a_session_model_and_prompts_are_named():
    asked = BatchRequest(movies=("a.tif",), prompts="cellpose", model="nano")
    assert asked.plan_arguments() == [
        *("plan", "a.tif", "--model", "nano", "--prompts-from", "cellpose"),
        *("--out", "{folder}/{stem}-masklets.zarr"),
    ]


def test_what_is_missing_is_said():
    assert "drop files" in BatchRequest(()).missing
    assert "Choose a session" in BatchRequest(("a.tif",)).missing


def test_a_program_that_refuses_is_an_error_with_its_sentence():
    with pytest.raises(InputError, match=r"^there is no movie to plan for"):
        list(Program(["plan"]).lines())


def test_a_program_that_is_ended_before_it_begins_ends_in_order():
    program = Program(["--version"])
    program.end()
    assert [line.split()[0] for line in program.lines()] == ["napari-sam2"]
