"""Stacks over time on the command line, in plans and from Python."""

import json

import pytest
import tifffile
import zarr
from tests.batch.test_automatic_command import ANYTHING
from tests.command_line import run_main

import napari_sam2 as ns
from napari_sam2.errors import InputError


@pytest.fixture
def options(toy):
    return ("--model", toy, "--device", "cpu", "--mode", "tzyx")


def test_track_writes_stacks_that_other_commands_read(
    monkeypatch, capsys, folder, options, tmp_path
):
    out, movie = tmp_path / "out.zarr", folder / "movie.zarr"
    prompts = ("--prompts", folder / "sim/truth.tif", "--frames", "0:2")
    track = ("track", movie, *prompts, "--out", out, *options, "--json")
    assert run_main(monkeypatch, *track) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["objects"], report["frames_total"]) == (2, 8)
    assert zarr.open_array(out / "labels/masklets/0").shape == (4, 4, 48, 48)
    assert run_main(monkeypatch, "verify", out) == 0
    assert "complete, 2 of 4 frames computed, whole" in capsys.readouterr().out
    export = ("export", out, "--out", tmp_path / "e.tif", "--format")
    assert run_main(monkeypatch, *export, "tiff") == 0
    assert tifffile.imread(tmp_path / "e.tif").shape == (4, 4, 48, 48)
    assert run_main(monkeypatch, *export, "rois") == 2
    assert "not of stacks over time; choose tiff" in capsys.readouterr().err
    assert ns.read_masklets(out).read(1, 2).shape == (48, 48)
    score = ns.evaluate(out, folder / "sim/truth.tif", frames=(0, 2))
    assert 0 < score.region <= 1
    assert score.boundary is None


def test_objects_of_a_stack_are_found_and_tracked(
    monkeypatch, capsys, folder, options, tmp_path
):
    monkeypatch.setattr("napari_sam2.commands.track.MaskOptions", ANYTHING)
    finding = ("--auto", "--frame", 1, "--minimum-iou", 0, "--shortest", 1)
    out = ("--out", tmp_path / "out.zarr", "--frames", "0:2", "--json")
    track = ("track", folder / "movie.zarr", *finding, *out, *options)
    assert run_main(monkeypatch, *track) == 0
    report = json.loads(capsys.readouterr().out)
    found = json.loads((tmp_path / "out-found.json").read_text())["objects"]
    assert report["objects"] == len(found) > 0
    said = [prompt for one in found for prompt in one["prompts"]]
    assert {prompt["frame"] for prompt in said} == {1}
    assert {prompt["z"] for prompt in said} <= {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--auto", "--divisions", "accept"), "leave out --divisions"),
        (("--prompts", "p.json", "--divisions", "propose"), "leave out --divisions"),
    ],
)
def test_divisions_are_refused(monkeypatch, capsys, folder, more, words):
    track = ("track", folder / "movie.zarr", "--out", "o.zarr", "--mode", "tzyx")
    assert run_main(monkeypatch, *track, *more) == 2
    assert words in capsys.readouterr().err


def test_a_plan_of_stacks_is_run_and_passed_over_the_next_time(
    monkeypatch, capsys, folder, options, tmp_path
):
    movie = folder / "movie.zarr"
    policy = ("--prompts-from", folder / "sim/truth.tif", "--frames", "0:2")
    out = ("--out", tmp_path / "{stem}-out.zarr")
    out += ("--export", f"csv={tmp_path}/{{stem}}.csv")
    assert run_main(monkeypatch, "plan", movie, *policy, *out, *options) == 0
    path = tmp_path / "plan.json"
    path.write_text(capsys.readouterr().out)
    assert run_main(monkeypatch, "run", path, "--dry-run") == 0
    assert "16" in capsys.readouterr().out
    for state in ("done", "complete"):
        report = ns.run(ns.read_plan(path), tmp_path / "report")
        (outcome,) = report.movies
        assert (outcome.state, outcome.error) == (state, "")
        assert outcome.verified == "whole, 2 of 4 frames computed"
    assert (tmp_path / "movie.csv").read_text().startswith("object_id,")


def test_a_plan_of_stacks_has_no_exports_of_single_planes():
    with pytest.raises(ValueError, match="not of stacks over time; choose tiff"):
        ns.BatchPlan(
            movies=("a.tif",),
            prompts={"kind": "same", "path": "p.json"},
            mode="tzyx",
            exports={"csv": "{stem}.csv", "coco": "{stem}.json"},
        )


def test_prompts_of_another_kind_are_refused(volume_job):
    from napari_sam2.batch.prompting.policies import AutomaticPrompts
    from napari_sam2.batch.volumes.run import open_job

    job = volume_job.model_copy(update={"prompts": AutomaticPrompts()})
    with pytest.raises(InputError, match="automatic prompts are for movies of single"):
        open_job(job)
