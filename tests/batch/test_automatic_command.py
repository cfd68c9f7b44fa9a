"""`napari-sam2 track --auto` as a person runs it."""

import json
from functools import partial

import pytest
from tests.batch.test_track_command import run_main

from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.tracking.automatic.mask_options import MaskOptions

ANYTHING = partial(
    MaskOptions,
    points_per_side=4,
    minimum_stability=0.0,
    minimum_presence=-1024.0,
    maximum_share=1.0,
)


@pytest.fixture
def arguments(files, tmp_path, monkeypatch):
    """Arguments for the first frames of the small movie and random weights."""
    monkeypatch.setattr("napari_sam2.commands.track.MaskOptions", ANYTHING)
    model = ("--model", files / "toy.safetensors", "--device", "cpu")
    part = ("--frames", "0:3", "--minimum-iou", 0)
    out = ("--out", tmp_path / "out.zarr")
    return ("track", files / "movie.tif", "--auto", *out, *model, *part)


def test_what_is_found_is_kept_and_tracked(monkeypatch, capsys, arguments, tmp_path):
    assert run_main(monkeypatch, *arguments, "--json") == 0
    told = capsys.readouterr()
    report = json.loads(told.out)
    found = json.loads((tmp_path / "out-found.json").read_text())
    assert report["objects"] == len(found["objects"]) > 0
    assert f"{report['objects']} objects found" in told.err
    assert run_main(monkeypatch, *arguments, "--resume", "--json") == 0
    again = capsys.readouterr()
    assert json.loads(again.out)["frames_computed"] == 0
    assert "objects found" not in again.err


def test_prompts_that_are_there_are_not_replaced(
    monkeypatch, capsys, arguments, tmp_path
):
    mine = tmp_path / "out-found.json"
    mine.write_text("mine")
    assert run_main(monkeypatch, *arguments) == 3
    assert "--overwrite" in capsys.readouterr().err
    assert mine.read_text() == "mine"


def test_neither_prompts_nor_auto(monkeypatch, capsys, files, tmp_path):
    out = tmp_path / "out.zarr"
    assert run_main(monkeypatch, "track", files / "movie.tif", "--out", out) == 2
    assert "give --prompts, or --auto" in capsys.readouterr().err


def test_divisions_of_prompted_objects_are_proposed_and_no_more(
    monkeypatch, capsys, files, tmp_path
):
    out, model = tmp_path / "out.zarr", files / "toy.safetensors"
    said = ("track", files / "movie.tif", "--prompts", files / "prompts.tif")
    options = ("--out", out, "--model", model, "--device", "cpu", "--frames", "0:6")
    words = (*said, *options, "--divisions")
    assert run_main(monkeypatch, *words, "accept") == 2
    assert "needs --auto" in capsys.readouterr().err
    assert not out.exists()
    monkeypatch.setattr(
        "napari_sam2.tracking.division_evidence.LIKE_SIZE", -1.0
    )  # every mask is two
    assert run_main(monkeypatch, *words, "propose") == 0
    told = capsys.readouterr().err
    assert "frame 1: does object 1 divide?" in told
    kept = OmeZarrLabelStore.open(out, mode="r").read_session().book
    assert all(state.parent is None for state in kept.objects)
