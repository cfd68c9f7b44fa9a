"""Whatever goes wrong is one line and an exit code; signals to end lose nothing."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
import tifffile
import typer
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.command_line import run_main
from tests.io.fake_run import write_finished_run

from napari_sam2.cli import app
from napari_sam2.commands import models
from napari_sam2.commands.border import DEBUG, ending_in_one_line
from napari_sam2.commands.progress import listening_to_signals
from napari_sam2.paths import user_path

ENDINGS = {0, 2, 3, 4}


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (MemoryError(), 2, "not enough memory"),
        (RecursionError("maximum recursion\ndepth"), 2, "RecursionError"),
        (KeyError("zarr_format"), 2, "KeyError: 'zarr_format'"),
        (OSError(errno.ENOSPC, "No space left on device", "/disk/x"), 3, "/disk/x"),
        (OSError(errno.EIO, "Input/output error", 7), 2, "Input/output error"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 2, "may read"),
        (UnicodeEncodeError("ascii", "é", 0, 1, "no"), 2, "UnicodeEncodeError"),
        (ZeroDivisionError("float modulo"), 2, "ZeroDivisionError"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_what_libraries_raise_is_one_line(capsys, error, code, words, as_json):
    with pytest.raises(SystemExit) as stopped, ending_in_one_line(as_json):
        raise error
    assert stopped.value.code == code
    out, said = capsys.readouterr()
    assert said.count("\n") == 1
    assert words in said
    if as_json:
        report = json.loads(out)
        assert report["exit_code"] == code
        assert words in report["error"]
    else:
        assert out == ""


def test_who_looks_for_a_fault_sees_all_of_it(monkeypatch):
    monkeypatch.setenv(DEBUG, "1")
    with pytest.raises(KeyError), ending_in_one_line(False):
        raise KeyError("x")


def all_options():
    """Yield each command with its parameters."""
    found = []

    def walk(command, path):
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, [*path, name])
        if not getattr(command, "commands", None):
            found.append((path, command.params))

    walk(typer.main.get_command(app), [])
    return found


def test_every_path_goes_through_one_function(monkeypatch, tmp_path):
    commands = [*app.registered_commands, *models.app.registered_commands]
    seen = 0
    for command in commands:
        hints = get_type_hints(command.callback, include_extras=True)
        for name, hint in hints.items():
            kind, *extras = get_args(hint) or (hint,)
            if Path in (kind, *get_args(kind)):
                assert extras[0].parser is user_path, (command.callback, name)
                seen += 1
    assert seen > 12
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert user_path("~/x") == tmp_path / "x"
    assert user_path("a/~").parts == ("a", "~")


odd_values = st.one_of(
    st.sampled_from(
        ["-1", "1e999", "nan", "0", "", ":", "0:0", "9" * 400, "~nobody/x"]
    ),
    st.sampled_from(["meta", "xpu", "next_anchor", "a\nb", "1,2,3,4", "é²", "../x"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6),
)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A movie, a prompt beyond its end, masklets, a recipe and a plan of nothing."""
    folder = tmp_path_factory.mktemp("disk")
    movie = np.zeros((2, 20, 24), np.uint8)
    tifffile.imwrite(folder / "m.tif", movie, photometric="minisblack")
    (folder / "p.json").write_text(
        '{"version": 1, "objects": [{"id": 1, "prompts": '
        '[{"frame": 9, "points": [[1, 2]]}]}]}'
    )
    (folder / "r.toml").write_text("[model]\nname = 'nano'\nheads = 'x'\n")
    (folder / "plan.json").write_text('{"version": 1, "movies": []}')
    write_finished_run(folder / "x.zarr")
    return folder


COMMANDS = {
    "track": ["m.tif", "--prompts", "p.json", "--out", "o.zarr"],
    "masks": ["m.tif", "--out", "o.png", "--model", "none"],
    "plan": ["m.tif", "--prompts-from", "p.json"],
    "run": ["plan.json", "--dry-run"],
    "simulate": ["s.zarr", "--frames", "2", "--size", "40", "--cells", "1"],
    "evaluate": ["m.tif", "m.tif"],
    "benchmark": ["vos", ".", "--model", "none"],
    "self-check": ["x.zarr", "--out", "c.json"],
    "export": ["x.zarr", "--out", "e", "--format", "ctc"],
    "verify": ["x.zarr"],
    "import": ["m.tif", "--movie", "m.tif", "--out", "i.zarr"],
    "demo": ["--model", "none", "--no-view"],
    "train": ["r.toml", "--out", "t"],
    "train-split": [".", "--out", "split.txt"],
    "fine-tune": ["x.zarr", "--name", "mine", "--steps", "1"],
    "models list": [],
    "models download": ["none"],
    "models add": ["m.tif", "--name", "mine"],
    "models verify": ["none"],
}
"""Of each command arguments with which it has little to do, and nothing to fetch."""


def test_every_command_is_tried():
    assert {" ".join(path) for path, _ in all_options()} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_options_end_in_one_line(files, monkeypatch, capsys, name, data):
    (parameters,) = (found for path, found in all_options() if path == name.split())
    options = [one for one in parameters if one.param_type_name == "option"]
    arguments = len(parameters) - len(options)
    words = list(COMMANDS[name])
    for at in range(arguments):
        if data.draw(st.integers(0, 3)) == 0:
            words[at : at + 1] = [data.draw(odd_values)]
    few = st.lists(st.sampled_from(options), max_size=3, unique=True)
    for one in data.draw(few) if options else ():
        words.append(one.opts[0])
        if not one.is_flag:
            words.append(data.draw(odd_values))
    monkeypatch.chdir(files)
    code = run_main(monkeypatch, *name.split(), *words)
    _, said = capsys.readouterr()
    assert code in ENDINGS, words
    assert "Traceback" not in said
    if code:
        assert said.endswith("\n"), words
        assert said.splitlines()[-1].startswith("napari-sam2: "), words


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["frobnicate"], "No such command 'frobnicate' (see napari-sam2 --help)"),
        (["export", "x.zarr"], "Missing option '--out' (see napari-sam2 export"),
        (["verify"], "Missing argument"),
        (["verify", "x", "--colour"], "No such option: --colour"),
        (["track", "x", "--out", "y", "--frame", "²"], "Invalid value for '--frame'"),
        (["simulate", "s", "--size", "1000000"], "one frame needs 58.2 TB, but"),
        (["simulate", "s", "--cells", "1000000000"], "cell_count is 1000000000, must"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_wrong_options_are_one_line(monkeypatch, capsys, options, words, as_json):
    more = ["--json"] if as_json else []
    assert run_main(monkeypatch, *options, *more) == 2
    out, said = capsys.readouterr()
    assert said.count("\n") == 1
    if not as_json:
        assert words in said
        assert out == ""
    else:
        assert json.loads(out)["exit_code"] == 2


def test_without_a_command_there_is_help(monkeypatch, capsys):
    assert run_main(monkeypatch) == 2
    out, said = capsys.readouterr()
    assert "verify" in out + said


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX's signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGXCPU"])
def test_a_signal_is_noted_and_the_handlers_come_back(name):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with listening_to_signals() as stopping:
        assert not stopping()
        os.kill(os.getpid(), number)
        assert stopping()
        assert stopping.exit_code == 128 + number
        assert signal.getsignal(number) is before  # a second one ends at once
    assert signal.getsignal(number) is before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_full_output_is_told():
    code = "import sys; sys.argv = ['napari-sam2', '--version']\n"
    code += "from napari_sam2.cli import main; main()"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr


def test_an_ascii_terminal_is_no_matter():
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    code = "import sys; sys.argv = ['napari-sam2', 'models', 'list']\n"
    code += "from napari_sam2.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert done.stderr == ""


def no_terminal(code, **streams):
    """Run code of the command line in a process that has no terminal."""
    begin = "import sys; from napari_sam2.cli import main\n"
    return subprocess.run(
        [sys.executable, "-c", begin + code], text=True, check=False, **streams
    )


LONG = """
from napari_sam2.commands import progress
from dataclasses import dataclass
@dataclass
class Step:
    position: int
    total: int = 4
progress.LOG_SECONDS = 0
progress.follow((Step(one) for one in range(1, 5)), "tracking", on_cancel="")
"""


def test_without_a_terminal_progress_is_lines_of_a_log():
    done = no_terminal(LONG, capture_output=True)
    assert done.stderr.splitlines() == [
        f"tracking: {percent} %" for percent in (25, 50, 75, 100)
    ]
    assert (done.returncode, done.stdout) == (0, "")


def test_a_log_has_few_lines():
    code = LONG.replace("LOG_SECONDS = 0", "LOG_SECONDS = 999")
    done = no_terminal(code, capture_output=True)
    assert done.stderr.splitlines() == ["tracking: 25 %", "tracking: 100 %"]


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors of POSIX")
@pytest.mark.parametrize("closed", [(1,), (2,), (1, 2)])
def test_closed_outputs_are_no_matter(closed):
    code = "sys.argv[1:] = ['models', 'list']; main()"
    done = no_terminal(
        code,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: [os.close(one) for one in closed],
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert ("nano" in done.stdout) is (1 not in closed)


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors of POSIX")
@pytest.mark.parametrize("closed", [(1,), (2,), (1, 2)])
def test_closed_outputs_change_no_exit_code(closed, tmp_path):
    code = f"sys.argv[1:] = ['verify', {str(tmp_path)!r}]; main()"
    done = no_terminal(
        code,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: [os.close(one) for one in closed],
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == (2 not in closed)


def test_who_reads_no_more_is_told_in_one_line():
    reader, writer = os.pipe()
    os.close(reader)
    code = "sys.argv[1:] = ['models', 'list']; main()"
    done = no_terminal(code, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "nobody reads them" in done.stderr


def test_warnings_and_logs_of_libraries_add_no_lines():
    code = """
import logging, warnings
from napari_sam2.commands.border import keep_libraries_quiet
keep_libraries_quiet()
warnings.warn("Object at 0 is not recognized", UserWarning)
logging.getLogger("tifffile").error("corrupted")
logging.getLogger("napari_sam2.tracking").warning("out of memory")
"""
    done = no_terminal(code, capture_output=True)
    assert done.stderr == "out of memory\n"
    debug = os.environ | {"NAPARI_SAM2_DEBUG": "1"}
    done = no_terminal(code, capture_output=True, env=debug)
    assert "not recognized" in done.stderr
    assert "corrupted" in done.stderr


def test_zarr_s_warnings_add_no_lines(tmp_path):
    """A folder that zarr does not know lies beside what it does."""
    group = zarr.open_group(tmp_path / "x.zarr", mode="w")
    group.create_array("0", data=np.ones((2, 8, 8), np.uint8))
    (tmp_path / "x.zarr/notes").mkdir()
    (tmp_path / "x.zarr/notes/a.txt").write_text("x")
    out = str(tmp_path / "x.zarr")
    code = f"sys.argv[1:] = ['verify', {out!r}]; main()"
    done = no_terminal(code, capture_output=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr


BUSY = """
import asyncio, sys, time
import zarr.core.sync as sync
from napari_sam2.cli import main

async def busy():
    time.sleep(2)

asyncio.run_coroutine_threadsafe(busy(), sync._get_loop())
sys.argv = ["napari-sam2", "--version"]
main()
"""


def test_a_busy_thread_of_zarr_is_no_traceback_at_the_end():
    done = subprocess.run(
        [sys.executable, "-c", BUSY], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("napari-sam2 ")
    assert done.stderr == ""
