"""`napari-sam2 plan` and `run` as a person types them."""

import json
import shutil
import signal
import subprocess
import sys
import time

import pytest
from tests.command_line import run_main

from napari_sam2.batch.plan.plan import read_plan
from napari_sam2.batch.report.lines import Begun, Progressed, read_line
from napari_sam2.io.label_store.store import OmeZarrLabelStore

MAIN = "from napari_sam2.cli import main; main()"


@pytest.fixture
def folder(files, tmp_path):
    for name in ("a", "b"):
        shutil.copy(files / "movie.tif", tmp_path / f"{name}.tif")
        shutil.copy(files / "prompts.tif", tmp_path / f"{name}_cp_masks.tif")
    return tmp_path


@pytest.fixture
def plan_file(folder, files, monkeypatch, capsys):
    model = ("--model", files / "toy.safetensors", "--device", "cpu")
    what = ("--prompts-from", "cellpose", "--frames", "0:3")
    code = run_main(monkeypatch, "plan", folder / "?.tif", *what, *model)
    assert code == 0
    (folder / "plan.json").write_text(capsys.readouterr().out)
    return folder / "plan.json"


def test_a_plan_is_made_tried_and_run(plan_file, folder, monkeypatch, capsys):
    options = read_plan(plan_file).model_options
    assert (options.device, options.precision) == ("cpu", "fp32")
    assert options.threads >= 1

    assert run_main(monkeypatch, "run", plan_file, "--dry-run") == 0
    said = capsys.readouterr().out
    assert said.count(" new ") == 2
    assert not (folder / "a-masklets.zarr").exists()

    assert run_main(monkeypatch, "run", plan_file, "--dry-run", "--watched") == 0
    checked = [read_line(line) for line in capsys.readouterr().out.splitlines()]
    assert [one.check.state for one in checked] == ["new", "new"]
    assert all(one.seconds > 0 for one in checked)

    assert run_main(monkeypatch, "run", plan_file, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert [one["state"] for one in report["movies"]] == ["done", "done"]
    assert OmeZarrLabelStore.open(folder / "b-masklets.zarr", mode="r").is_complete

    assert run_main(monkeypatch, "run", plan_file, "--shard", "2/2") == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(folder / "plan-report" / "report.html")
    assert "1/1 b: complete" in said.err


def test_a_finished_plan_is_answered_without_torch(plan_file, monkeypatch):
    assert run_main(monkeypatch, "run", plan_file) == 0
    code = f"import sys; sys.modules['torch'] = None; {MAIN}"
    again = subprocess.run(
        [sys.executable, "-c", code, "run", plan_file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("complete") == 2


def test_the_dry_run_says_what_would_be_refused(plan_file, folder, monkeypatch, capsys):
    (folder / "a_cp_masks.tif").unlink()
    assert run_main(monkeypatch, "run", plan_file, "--dry-run") == 2
    assert "looked for a_cp_masks.tif" in capsys.readouterr().out


def test_a_scheduler_without_its_extra_is_refused(
    plan_file, folder, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "napari_sam2.batch.running.cluster", None)
    assert run_main(monkeypatch, "run", plan_file, "--scheduler", "local") == 2
    assert "pip install 'napari-sam2[cluster]'" in capsys.readouterr().err
    assert not list(folder.glob("*.zarr"))


def close_stdin(process):
    process.stdin.close()
    process.stdin = None  # nobody flushes it


def terminate(process):
    process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    "end",
    [
        close_stdin,
        pytest.param(
            terminate,
            marks=pytest.mark.skipif(
                sys.platform == "win32", reason="has no SIGTERM for one process"
            ),
        ),
    ],
)
def test_who_is_asked_to_end_commits_and_the_next_run_goes_on(plan_file, folder, end):
    text = json.loads(plan_file.read_text())
    del text["frames"]
    plan_file.write_text(json.dumps(text))
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "run", plan_file, "--watched"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    fifth = folder / "a-masklets.zarr/labels/masklets/0/c/5"
    while not fifth.exists() and process.poll() is None:
        time.sleep(0.01)
    end(process)
    told, said = process.communicate(timeout=300)
    assert process.returncode == 143, said
    events = [read_line(line) for line in told.splitlines()]
    assert events[0] == Begun(titles=("a", "b"))
    assert events[-1].outcome.state == "cancelled"
    assert all(isinstance(one, Progressed) for one in events[1:-1])
    assert len(events) > 5
    assert "cancelled; run it again to go on" in said
    store = OmeZarrLabelStore.open(folder / "a-masklets.zarr", mode="r")
    progress, _ = store.read_progress()
    assert progress.next_frame >= 5
    assert not (folder / "b-masklets.zarr").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "there is no movie"),
        (("{folder}/?.tif",), "say what to track"),
        (("{folder}/no.tif", "--prompts-from", "cellpose"), "does not exist"),
        (
            ("{folder}/?.tif", "--prompts-from", "cellpose", "--out", "x.zarr"),
            "one output",
        ),
        (
            ("{folder}/?.tif", "--prompts-from", "cellpose", "--export", "csv"),
            "FORMAT=PATTERN",
        ),
        (
            ("{folder}/?.tif", "--prompts-from", "cellpose", "--prompt-frames", "x"),
            "--prompt-frames x",
        ),
    ],
)
def test_what_cannot_be_planned_is_one_line(
    arguments, said, folder, monkeypatch, capsys
):
    filled = [one.format(folder=folder) for one in arguments]
    assert run_main(monkeypatch, "plan", *filled) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_the_schema_is_printed(monkeypatch, capsys):
    assert run_main(monkeypatch, "plan", "--schema") == 0
    assert json.loads(capsys.readouterr().out)["title"] == "BatchPlan"
