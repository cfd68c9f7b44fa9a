"""`napari-sam2 track` and `demo` as a person runs them: Ctrl-C, reports, results."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from tests.command_line import run_main

from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.prompts.files import write_prompts
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.session import visibility
from napari_sam2.session.book.prompt_book import PromptBook

MAIN = "from napari_sam2.cli import main; main()"


@pytest.fixture
def arguments(files, tmp_path):
    """Arguments of `track` for the small movie."""
    model = ("--model", str(files / "toy.safetensors"), "--device", "cpu")
    prompts = ("--prompts", str(files / "prompts.tif"))
    out = ("--out", str(tmp_path / "out.zarr"))
    return ("track", str(files / "movie.tif"), *prompts, *out, *model)


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGINT for one process")
def test_ctrl_c_keeps_what_was_written_and_resume_computes_the_rest(
    monkeypatch, capsys, arguments, movie, tmp_path
):
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments], stderr=subprocess.PIPE, text=True
    )
    fifth = tmp_path / "out.zarr/labels/masklets/0/c/5"
    while not fifth.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "cancelled; go on with --resume" in said
    whole = OmeZarrLabelStore.open(tmp_path / "out.zarr", mode="r").whole_frames.sum()
    assert 5 <= whole < movie.frame_count
    assert run_main(monkeypatch, *arguments, "--resume", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["frames_computed"] == movie.frame_count - whole


def test_a_finished_run_is_answered_without_torch(monkeypatch, arguments):
    """It took 6 to 18 s: torch was imported, and the model loaded, for nothing."""
    assert run_main(monkeypatch, *arguments, "--frames", "0:3") == 0
    code = f"import sys; sys.modules['torch'] = None; {MAIN}"
    again = (*arguments, "--frames", "0:3", "--resume", "--json")
    done = subprocess.run(
        [sys.executable, "-c", code, *again],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames_computed"] == 0
    assert json.loads(done.stdout)["objects"] == 3
    larger = ("--image-size", "96")  # another input size is another run
    assert run_main(monkeypatch, *again, *larger) == 3


def test_cells_that_the_model_hardly_sees_are_said_once(monkeypatch, capsys, arguments):
    monkeypatch.setattr(visibility, "SMALLEST", 1000)
    assert run_main(monkeypatch, *arguments, "--frames", "0:3") == 0
    said = capsys.readouterr().err
    (line,) = [one for one in said.splitlines() if "in the model's input" in one]
    assert "objects are less than 1000 pixels across" in line
    assert "(a region, tiles), or take a model with a larger input" in line
    assert line.endswith("(see --image-size)")
    monkeypatch.setattr(visibility, "SMALLEST", 0)
    assert run_main(monkeypatch, *arguments, "--frames", "0:3", "--overwrite") == 0
    assert "in the model's input" not in capsys.readouterr().err


def test_the_report_tells_frames_rate_and_memory(monkeypatch, capsys, arguments):
    assert run_main(monkeypatch, *arguments, "--frames", "0:4", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["frames_computed"] == report["frames_total"] == 4
    assert report["frames_per_second"] == pytest.approx(4 / report["seconds"])
    assert report["peak_memory_bytes"] >= report["memory_after_loading_bytes"] > 2**20
    assert Path(report["labels"], "zarr.json").exists()


def test_the_demo_makes_a_movie_with_masklets_and_tells_j(
    monkeypatch, capsys, files, tmp_path
):
    out = tmp_path / "demo"
    options = ("--model", files / "toy.safetensors", "--frames", 3, "--no-view")
    assert run_main(monkeypatch, "demo", "--out", out, *options) == 0
    said = capsys.readouterr().out
    assert "J against the exact truth: 0." in said
    assert str(out / "movie.zarr/labels/masklets") in said
    store = OmeZarrLabelStore.open(out / "movie.zarr", mode="r")
    assert store.is_complete
    assert store.frame_count == 3


def test_a_demo_that_cannot_be_leaves_no_folder(monkeypatch, capsys, tmp_path):
    out = tmp_path / "demo"
    assert run_main(monkeypatch, "demo", "--out", out, "--kind", "yeast") == 2
    assert "yeast" in capsys.readouterr().err
    assert not out.exists()


def test_prompts_that_the_window_saved_are_tracked(
    monkeypatch, capsys, arguments, movie, tmp_path
):
    """Clicks, a box, a mask, an absence, and a mother whom nobody clicked on."""
    cells = movie.labels(0)
    mask = MaskPrompt(cells == cells[cells > 0][0])
    nothing = MaskPrompt(np.zeros_like(mask.mask))
    book = PromptBook(movie.frame_count)
    book.add_object(name="mother")
    book.add_object(name="daughter", parent=1)
    box, points = BoxPrompt(20, 20, 40, 40), (PointPrompt(30.5, 31, positive=False),)
    said = [
        FramePrompt(2, 2, points, box),
        FramePrompt(3, 0, mask=mask),
        FramePrompt(3, 3, mask=nothing),
    ]
    book.set_prompts(said, "all kinds")
    file = tmp_path / "said.json"
    write_prompts(file, [one.as_prompted() for one in book.state.objects])
    more = ("--prompts", str(file), "--frames", "0:4", "--json")
    assert run_main(monkeypatch, *arguments, *more) == 0
    assert json.loads(capsys.readouterr().out)["objects"] == 3
    store = OmeZarrLabelStore.open(tmp_path / "out.zarr", mode="r")
    first, last = np.asarray(store.array[0]), np.asarray(store.array[3])
    np.testing.assert_array_equal(first == 3, mask.mask)
    assert not (last == 3).any()


@pytest.mark.parametrize("how", ["--resume", "--overwrite", "--merge=keep"])
def test_a_run_does_not_write_where_a_window_does(
    monkeypatch, capsys, arguments, tmp_path, how
):
    assert run_main(monkeypatch, *arguments, "--frames", "0:4") == 0
    before = OmeZarrLabelStore.open(tmp_path / "out.zarr", mode="r").array[:]
    (lock,) = tmp_path.rglob("writing.lock")
    with FileLock(lock, blocking=False):
        assert run_main(monkeypatch, *arguments, "--frames", "0:4", how) == 3
    assert "another window or run is writing there" in capsys.readouterr().err
    after = OmeZarrLabelStore.open(tmp_path / "out.zarr", mode="r").array[:]
    np.testing.assert_array_equal(after, before)
