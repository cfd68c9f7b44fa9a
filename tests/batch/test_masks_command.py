"""`napari-sam2 masks` as a person runs it."""

import numpy as np
import pytest
import tifffile
from tests.batch.test_track_command import run_main


@pytest.fixture
def arguments(files, tmp_path):
    """Arguments of `masks` for the small movie and random weights."""
    model = ("--model", files / "toy.safetensors", "--device", "cpu")
    anything = ("--minimum-iou", 0, "--minimum-stability", 0, "--maximum-share", 1)
    grid = ("--points-per-side", 4)
    return ("masks", files / "movie.tif", *model, *anything, *grid)


def test_a_label_image_is_written(monkeypatch, capsys, arguments, movie, tmp_path):
    out = tmp_path / "labels.tif"
    assert run_main(monkeypatch, *arguments, "--frame", 3, "--out", out) == 0
    labels = tifffile.imread(out)
    assert labels.shape == movie.frame_shape
    assert labels.dtype == np.uint16
    found = len(np.unique(labels[labels > 0]))
    assert capsys.readouterr().out == f"{out}: {found} objects\n"
    assert list(tmp_path.iterdir()).count(out) == 1


def test_nothing_is_replaced(monkeypatch, capsys, arguments, tmp_path):
    out = tmp_path / "labels.tif"
    out.write_bytes(b"mine")
    assert run_main(monkeypatch, *arguments, "--out", out) == 3
    assert "exists" in capsys.readouterr().err
    assert out.read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--frame", 100), "--frame 100"),
        (("--minimum-iou", 2), "--minimum-iou 2"),
        (("--out", "labels.png"), "a label image is a .tif"),
    ],
)
def test_what_cannot_be_is_said(monkeypatch, capsys, arguments, tmp_path, wrong, said):
    out = ("--out", tmp_path / "labels.tif")
    assert run_main(monkeypatch, *arguments, *out, *wrong) == 2
    assert said in capsys.readouterr().err
