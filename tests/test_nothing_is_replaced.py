"""No command replaces, changes or removes what it did not write, whatever that is."""

import json
import os
import stat
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image
from tests.command_line import run_main
from tests.io.fake_run import FRAME_SHAPE, write_finished_run

from napari_sam2.cli import app
from napari_sam2.commands import models
from napari_sam2.io.exports.formats import FORMATS, with_suffix

ENDINGS = {0, 2, 3, 4}
READ = {
    *(("track", "movie"), ("masks", "movie"), ("plan", "like"), ("run", "plan_file")),
    *(("evaluate", "labels"), ("evaluate", "truth"), ("evaluate", "match")),
    *(("benchmark", "dataset"), ("self-check", "masklets"), ("self-check", "movie")),
    *(("export", "masklets"), ("export", "movie"), ("verify", "masklets")),
    *(("import", "source"), ("import", "movie"), ("train", "config")),
    *(("train-split", "folder"), ("fine-tune", "session"), ("fine-tune", "image")),
    ("add", "file"),
}
IN_A_ZARR = {("track", "out"), ("import", "out")}
"""See `tests/batch/test_what_was_there.py`."""


def export(name):
    suffix = with_suffix(Path("x"), name).suffix
    return suffix, lambda path: ["export", "x.zarr", "--out", path, "--format", name]


def planned(**more):
    def arguments(path):
        prompts = {"kind": "same", "path": "p.json"}
        plan = {"version": 1, "movies": ["m.tif"], "prompts": prompts}
        plan |= {"out": str(path.with_name("new.zarr"))}
        plan |= {"model_options": {"model": "none"}}
        plan |= {key: make(path) for key, make in more.items() if key != "report"}
        file = path.with_name("plan.json")
        file.write_text(json.dumps(plan))
        report = path if "report" in more else path.with_name("new-report")
        return ["run", file, "--report", report]

    return arguments


AUTO = ["track", "m.tif", "--auto", "--model", "none", "--out"]
SIMULATED = ["--frames", "2", "--size", "40", "--cells", "1"]
WRITERS = {
    ("track", "prompts"): (
        ".json",
        lambda path: [*AUTO, path.with_name("new.zarr"), "--prompts", path],
    ),
    ("track", "overwrite"): (
        ".json",
        lambda path: [
            *AUTO,
            path.with_name("o.zarr"),
            "--prompts",
            path,
            "--overwrite",
        ],
    ),
    ("track", "auto"): (
        "-found.json",
        lambda path: [*AUTO, path.with_name(path.name.replace("-found.json", ".zarr"))],
    ),
    ("masks", "out"): (
        ".tif",
        lambda path: ["masks", "m.tif", "--out", path, "--model", "none"],
    ),
    ("simulate", "out"): ("", lambda path: ["simulate", path, *SIMULATED]),
    ("self-check", "out"): (
        ".json",
        lambda path: ["self-check", "x.zarr", "--out", path],
    ),
    ("train", "out"): ("", lambda path: ["train", "r.toml", "--out", path]),
    ("train-split", "out"): (".txt", lambda path: ["train-split", "ds", "--out", path]),
    ("train-split", "clusters"): (
        ".csv",
        lambda path: [
            *("train-split", "ds", "--out", path.with_name("new.txt")),
            *("--clusters", path),
        ],
    ),
    ("demo", "out"): (
        "",
        lambda path: ["demo", "--out", path, "--model", "none", "--no-view"],
    ),
    ("run", "report"): ("", planned(report=str)),
    ("run", "csv"): (".csv", planned(exports=lambda path: {"csv": str(path)})),
    ("run", "ctc"): ("", planned(exports=lambda path: {"ctc": str(path)})),
    **{("export", name): export(name) for name in FORMATS},
}
"""By command and option: the suffix of a path, and arguments that write there."""


def test_every_path_is_read_or_tried():
    tried = {*WRITERS, ("export", "out")}
    for command in [*app.registered_commands, *models.app.registered_commands]:
        name = command.name or command.callback.__name__.replace("_", "-")
        hints = get_type_hints(command.callback, include_extras=True)
        for option, hint in hints.items():
            kind = (get_args(hint) or (hint,))[0]
            if Path in (kind, *get_args(kind)):
                assert (name, option) in READ | IN_A_ZARR | tried


def a_folder(path):
    path.mkdir()
    (path / "notes.txt").write_text("mine")
    (path / "report.html").write_text("mine")
    (path / "log.csv").write_text("mine")


def a_link_to_a_file(path):
    path.with_name("target.txt").write_text("mine")
    path.symlink_to("target.txt")


def a_link_to_a_folder(path):
    a_folder(path.with_name("target"))
    path.symlink_to("target", target_is_directory=True)


def a_second_name(path):
    path.with_name("twin").write_text("mine")
    os.link(path.with_name("twin"), path)


def an_array(path):
    zarr.create_array(path, data=np.zeros((2, 4, 4), np.uint8), zarr_format=2)


THINGS = {
    "nothing": lambda path: None,
    "a file": lambda path: path.write_text("mine"),
    "JSON": lambda path: path.write_text('{"version": 1, "mine": []}'),
    "an empty file": Path.touch,
    "an image": lambda path: tifffile.imwrite(path, np.zeros((4, 4), np.uint8)),
    "a folder": a_folder,
    "a link to a file": a_link_to_a_file,
    "a link to a folder": a_link_to_a_folder,
    "a link to nothing": lambda path: path.symlink_to("gone"),
    "a second name": a_second_name,
    "an array": an_array,
}
if sys.platform != "win32":
    THINGS["a pipe"] = os.mkfifo


FEW = ("nothing", "a file", "a folder", "a link to nothing")
"""Of formats of one command, which share what looks at a path."""


def things(writer):
    command, what = writer
    if command == "export" and what not in ("csv", "ctc"):
        return {thing: THINGS[thing] for thing in FEW}
    return THINGS


def beside(path):
    """Write files of the names that something unfinished might have."""
    for name in (
        *(f".{path.name}.unfinished", f".{path.name}.partial", f"{path.name}.part"),
        *(f"{path.stem}.part", f"{path.name}.tmp", f"{path.stem}.tmp"),
    ):
        path.with_name(name).write_text("mine")
    path.with_name(f"{path.stem}-masks").mkdir()
    path.with_name(f"{path.stem}-masks").joinpath("1-0.png").write_text("mine")


def contents(folder):
    """Return all that there is, with bytes and times of files; links are no files."""
    found = {}
    for one in folder.rglob("*"):
        status = one.lstat()
        known = (stat.S_IFMT(status.st_mode),)
        if stat.S_ISLNK(status.st_mode):
            known += (one.readlink(),)
        elif stat.S_ISREG(status.st_mode):
            known += (status.st_ino, status.st_mtime_ns, one.read_bytes())
        found[one.relative_to(folder).as_posix()] = known
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A movie, a prompt, masklets, a recipe without data, four images with masks."""
    folder = tmp_path_factory.mktemp("disk")
    movie = np.zeros((2, *FRAME_SHAPE), np.uint8)
    tifffile.imwrite(folder / "m.tif", movie, photometric="minisblack")
    (folder / "p.json").write_text(
        '{"version": 1, "objects": [{"id": 1, "prompts": '
        '[{"frame": 0, "points": [[1, 2]]}]}]}'
    )
    (folder / "r.toml").write_text("[model]\n")
    write_finished_run(folder / "x.zarr")
    for kind in ("images", "masks"):
        (folder / "ds" / kind).mkdir(parents=True)
        for number in range(4):
            pixels = np.zeros((24, 24), np.uint8)
            pixels[4 + number : 14, 5:15] = 1
            Image.fromarray(pixels).save(folder / "ds" / kind / f"{number}.png")
    return folder


@pytest.mark.parametrize("writer", WRITERS, ids=" ".join)
def test_what_is_there_stays_as_it_is(files, tmp_path, monkeypatch, capsys, writer):
    monkeypatch.chdir(files)
    suffix, arguments = WRITERS[writer]
    known = contents(files)
    for number, (thing, make) in enumerate(things(writer).items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / f"mine{suffix}"
        beside(path)
        make(path)
        given = arguments(path)
        before = contents(folder)
        assert run_main(monkeypatch, *given) in ENDINGS, thing
        assert "Traceback" not in capsys.readouterr().err
        after = contents(folder)
        assert {name: after.get(name) for name in before} == before, thing
    assert contents(files) == known


def test_a_link_to_prompts_stays_one(tmp_path):
    from napari_sam2.paths import replace_text

    (tmp_path / "kept.json").write_text("old")
    (tmp_path / "p.json").symlink_to("kept.json")
    replace_text(tmp_path / "p.json", "new")
    assert (tmp_path / "p.json").is_symlink()
    assert (tmp_path / "kept.json").read_text() == "new"
