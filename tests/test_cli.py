"""The command line: help without torch, exit codes, one line for each error."""

import json
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest
import tifffile
import zarr
from safetensors.numpy import save_file
from tests.command_line import run_main
from typer.testing import CliRunner

from napari_sam2.cli import app
from napari_sam2.commands.options import (
    parse_channels,
    parse_frames,
    parse_ids,
    parse_limits,
    parse_percentiles,
)
from napari_sam2.errors import InputError
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.model.checkpoints.families import FAMILIES
from napari_sam2.model.checkpoints.weights_file import trained_image_size


def command(*arguments):
    """Run as the console script does; return exit code, stdout, stderr."""
    code = "import sys; from napari_sam2.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_help_names_all_commands():
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    for name in ("track", "demo", "models", "simulate", "evaluate", "train"):
        assert name in result.output


def test_a_missing_movie_is_one_line_and_exit_code_2(tmp_path):
    code, out, error = command(
        "track", tmp_path / "no.tif", "--prompts", "p.json", "--out", tmp_path / "x"
    )
    assert code == 2
    assert out == ""
    assert error.count("\n") == 1
    assert "no.tif" in error


@pytest.mark.parametrize(
    ("options", "words", "flags"),
    [
        ((), "3 z planes in each frame: choose one, 0 to 2", "(see --z)"),
        (("--axes", "TW"), "unknown axis 'W'", "(see --axes)"),
        (
            ("--z", "0", "--contrast-limits", "1,2", "--percentiles", "1,2"),
            "not both",
            "(see --contrast-limits, --percentiles)",
        ),
    ],
)
def test_the_flags_that_mend_it_are_named(
    monkeypatch, tmp_path, capsys, options, words, flags
):
    movie, prompts = tmp_path / "m.ome.tif", tmp_path / "p.json"
    pixels = np.zeros((4, 3, 32, 32), np.uint8)
    tifffile.imwrite(movie, pixels, metadata={"axes": "TZYX"})
    said = ("track", movie, "--prompts", prompts, "--out", tmp_path / "x", *options)
    assert run_main(monkeypatch, *said) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.endswith(f"{flags}\n")


def test_an_unknown_model_has_exit_code_4(monkeypatch, tmp_path, capsys):
    tifffile.imwrite(tmp_path / "m.tif", np.zeros((5, 32, 32), np.uint8))
    labels = np.zeros((32, 32), np.uint8)
    labels[4:9, 4:9] = 1
    tifffile.imwrite(tmp_path / "p.tif", labels)
    code = run_main(
        monkeypatch,
        *("track", tmp_path / "m.tif", "--prompts", tmp_path / "p.tif"),
        *("--out", tmp_path / "x.zarr", "--model", "sam9"),
    )
    assert code == 4
    assert "sam9" in capsys.readouterr().err
    assert not (tmp_path / "x.zarr").exists()


def test_simulate_writes_a_movie_with_its_truth(monkeypatch, tmp_path):
    out = tmp_path / "sim"
    options = ("--frames", 3, "--size", 64, "--kind", "bacteria", "--bits", 8)
    assert run_main(monkeypatch, "simulate", out, *options) == 0
    assert tifffile.imread(out / "movie.tif").shape == (3, 64, 64)
    assert tifffile.imread(out / "movie.tif").dtype == np.uint8
    assert tifffile.imread(out / "truth.tif").max() > 0
    assert json.loads((out / "lineage.json").read_text())[0]["object_id"] == 1
    assert run_main(monkeypatch, "simulate", out) == 3


def test_simulate_writes_a_movie_of_stacks_with_its_truth(monkeypatch, tmp_path):
    options = ("--frames", 2, "--size", 48, "--cells", 3, "--planes", 5)
    assert run_main(monkeypatch, "simulate", tmp_path / "sim", *options) == 0
    assert run_main(monkeypatch, "simulate", tmp_path / "sim.zarr", *options) == 0
    with tifffile.TiffFile(tmp_path / "sim" / "movie.tif") as file:
        assert (file.series[0].axes, file.series[0].shape) == ("TZYX", (2, 5, 48, 48))
        pixels = file.asarray()
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "sim.zarr/0"), pixels)
    truth = tifffile.imread(tmp_path / "sim" / "truth.tif")
    assert truth.shape == pixels.shape
    assert pixels[truth > 0].mean() > pixels[truth == 0].mean()
    for path in (tmp_path / "sim" / "movie.tif", tmp_path / "sim.zarr"):
        with closing(open_frames(path, t=1)) as stack:
            assert stack.frame_count == 5
            assert stack.calibration.scale == pytest.approx((2.6, 0.65, 0.65))
            np.testing.assert_array_equal(stack.read_raw(3)[0], pixels[1, 3])


def test_evaluate_pairs_objects_by_a_label_image(monkeypatch, tmp_path, capsys):
    truth = np.zeros((4, 32, 32), np.uint16)
    truth[:, 4:14, 4:14] = 7
    truth[:, 20:30, 20:30] = 8
    labels = np.where(truth == 7, 1, 0).astype(np.uint16)
    labels[2:, 4:9] = 0
    for name, stack in (("truth", truth), ("labels", labels), ("match", labels[0])):
        tifffile.imwrite(tmp_path / f"{name}.tif", stack, photometric="minisblack")
    options = ("--match", tmp_path / "match.tif", "--frames", "1:4", "--json")
    files = (tmp_path / "labels.tif", tmp_path / "truth.tif")
    assert run_main(monkeypatch, "evaluate", *files, *options) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["object"] for one in found["objects"]] == [7]
    assert found["J"] == pytest.approx((1 + 0.5 + 0.5) / 3)


def test_models_are_listed_without_a_network(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "300")
    assert run_main(monkeypatch, "models", "list") == 0
    listed = capsys.readouterr().out
    assert "sam2.1_tiny" in listed
    assert "bundled" in listed
    (other,) = (line for line in listed.splitlines() if "hvit_t_cells" in line)
    assert all(word in other for word in ("1024, padded", "code MIT", "of 3 padded"))
    (ours,) = (line for line in listed.splitlines() if "nano " in line)
    assert str(trained_image_size("nano")) in ours


def test_names_of_models_are_whole_in_a_narrow_window(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert run_main(monkeypatch, "models", "list") == 0
    listed = capsys.readouterr().out
    assert all(f"│ {name} " in listed for name in FAMILIES)
    assert "…" not in listed


def test_own_models_are_listed_behind_the_published_ones(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NAPARI_SAM2_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")
    own = tmp_path / "own"
    own.mkdir()
    notes = {"base": "sam2.1_tiny", "date": "2026-11-22"}
    save_file(
        {"weight": np.zeros(500_000, np.float32)}, own / "rods.safetensors", notes
    )
    (own / "torn.safetensors").write_bytes(b"nothing")
    assert run_main(monkeypatch, "models", "list") == 0
    listed = capsys.readouterr().out
    published, mine = listed.split("rods", 1)
    assert "sam2_large" in published
    assert all(word in mine for word in ("2 MB", "as sam2.1_tiny", "on 2026-11-22"))
    assert str(own / "rods.safetensors") in listed
    assert "broken" in mine.split("torn", 1)[1]


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_frames, "3:9", (3, 9)),
        (parse_frames, ":9", (None, 9)),
        (parse_channels, "2,0", (2, 0)),
        (parse_limits, "0,900;5,70", ((0.0, 900.0), (5.0, 70.0))),
        (parse_percentiles, "1,99", (1.0, 99.0)),
        (parse_ids, "1,7", (1, 7)),
    ],
)
def test_options_are_read(parse, text, value):
    assert parse(text) == value
    assert parse(None) is None


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_frames, "3"),
        (parse_frames, "a:b"),
        (parse_channels, "x"),
        (parse_channels, "0,1,2,3"),
        (parse_limits, "7"),
        (parse_percentiles, "1,2,3"),
        (parse_ids, "one"),
    ],
)
def test_options_that_cannot_be_read_are_named(parse, text):
    with pytest.raises(InputError, match=text):
        parse(text)
