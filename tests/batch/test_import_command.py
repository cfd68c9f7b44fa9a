"""`napari-sam2 import`: what leaves as a result of the challenge comes back."""

import errno

import numpy as np
import pytest
import tifffile
from tests.batch.test_track_command import run_main

from napari_sam2.io.exports.formats import export
from napari_sam2.io.exports.masklets import open_masklets

STACK = {"photometric": "minisblack", "metadata": {"axes": "TYX"}}


def draw(frame):
    """A mother (1) that divides into 2 and 3 on frame 2."""
    labels = np.zeros((32, 40), np.uint16)
    if frame < 2:
        labels[8:20, 8:30] = 1
    else:
        labels[8:20, 8:18], labels[8:20, 20:30] = 2, 3
    return labels


def test_a_result_comes_back_with_its_lineage(monkeypatch, capsys, tmp_path):
    folder = tmp_path / "01_RES"
    folder.mkdir()
    (folder / "res_track.txt").write_text("1 0 1 0\n2 2 3 1\n3 2 3 1\n")
    for frame in range(4):
        tifffile.imwrite(folder / f"mask{frame:03d}.tif", draw(frame))
    movie = tmp_path / "movie.tif"
    tifffile.imwrite(
        movie,
        np.random.default_rng(0).integers(0, 99, (4, 32, 40)).astype(np.uint16),
        **STACK,
    )
    out = tmp_path / "out.zarr"
    arguments = ("import", folder, "--movie", movie, "--out", out)
    assert run_main(monkeypatch, *arguments) == 0
    assert capsys.readouterr().out.endswith("3 objects, 2 daughters\n")
    masklets = open_masklets(out)
    assert masklets.mothers == {2: 1, 3: 1}
    found = [labels for _, labels in masklets.frames()]
    np.testing.assert_array_equal(found, [draw(frame) for frame in range(4)])
    again = export(masklets, tmp_path / "02_RES", "ctc")
    assert (again / "res_track.txt").read_text().split() == (
        folder / "res_track.txt"
    ).read_text().split()
    assert run_main(monkeypatch, *arguments) == 3


def test_another_movies_results_write_nothing(monkeypatch, capsys, tmp_path):
    tifffile.imwrite(tmp_path / "labels.tif", np.stack([draw(0)] * 3), **STACK)
    tifffile.imwrite(tmp_path / "movie.tif", np.zeros((4, 32, 40), np.uint16), **STACK)
    out = tmp_path / "out.zarr"
    movie = ("--movie", tmp_path / "movie.tif", "--out", out)
    assert run_main(monkeypatch, "import", tmp_path / "labels.tif", *movie) == 2
    assert "the movie has (4, 32, 40)" in capsys.readouterr().err
    assert not out.exists()


def test_who_imports_where_there_are_no_locks_is_told(monkeypatch, capsys, tmp_path):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    for name in ("labels.tif", "movie.tif"):
        tifffile.imwrite(tmp_path / name, np.stack([draw(0)] * 3), **STACK)
    movie = ("--movie", tmp_path / "movie.tif", "--out", tmp_path / "out.zarr")
    assert run_main(monkeypatch, "import", tmp_path / "labels.tif", *movie) == 0
    assert "nobody is kept out" in capsys.readouterr().err


def test_a_movie_is_no_result_of_tracking(monkeypatch, capsys, tmp_path):
    movie = tmp_path / "movie.tif"
    pixels = np.random.default_rng(0).integers(1, 4000, (3, 32, 40)).astype(np.uint16)
    tifffile.imwrite(movie, pixels, **STACK)
    out = ("--movie", movie, "--out", tmp_path / "out.zarr")
    assert run_main(monkeypatch, "import", movie, *out) == 2
    assert "looks like intensities, not labels" in capsys.readouterr().err
    assert not (tmp_path / "out.zarr").exists()
    assert run_main(monkeypatch, "evaluate", movie, movie) == 2
    assert "looks like intensities, not labels" in capsys.readouterr().err
