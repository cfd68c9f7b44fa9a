import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent.parent / "tools"
ON_LINUX = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux lacks Qt's libraries"
)


@pytest.fixture
def system_libraries():
    path = TOOLS / "system_libraries.py"
    spec = importlib.util.spec_from_file_location("system_libraries", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def commands(system_libraries, monkeypatch):
    """What would have been run."""
    seen = []
    monkeypatch.setattr(
        system_libraries.subprocess, "run", lambda command, **_: seen.append(command)
    )
    return seen


def test_a_library_that_nobody_has_is_missing(system_libraries, monkeypatch):
    names = {"libc.so.6": "libc6", "libnobody-has-this.so.9": "libnobody9"}
    monkeypatch.setattr(system_libraries, "LIBRARIES", names)
    missing = system_libraries.missing_packages(needs_screen=False)
    assert "libnobody9" in missing
    if sys.platform.startswith("linux"):
        assert missing == ["libnobody9"]


@ON_LINUX
def test_root_gets_what_is_missing(system_libraries, commands, monkeypatch):
    monkeypatch.setattr(system_libraries, "missing_packages", lambda **_: ["libgl1"])
    monkeypatch.setattr(system_libraries.os, "geteuid", lambda: 0)
    monkeypatch.setattr(system_libraries.shutil, "which", lambda name: f"/bin/{name}")
    system_libraries.ensure()
    assert [command[:2] for command in commands] == [
        ["apt-get", "update"],
        ["apt-get", "install"],
    ]
    assert commands[1][-1] == "libgl1"


@ON_LINUX
def test_others_are_told_the_command(system_libraries, commands, monkeypatch):
    monkeypatch.setattr(system_libraries, "missing_packages", lambda **_: ["libgl1"])
    monkeypatch.setattr(system_libraries.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(system_libraries.shutil, "which", lambda name: f"/bin/{name}")
    with pytest.raises(SystemExit, match=r"sudo apt-get install .*libgl1"):
        system_libraries.ensure()
    assert commands == []


@ON_LINUX
def test_other_distributions_are_told_the_names(system_libraries, monkeypatch):
    monkeypatch.setattr(system_libraries, "missing_packages", lambda **_: ["libgl1"])
    monkeypatch.setattr(system_libraries.shutil, "which", lambda _: None)
    with pytest.raises(SystemExit, match=r"your distribution .*libgl1"):
        system_libraries.ensure()


def run_with_display(*arguments, **environment):
    return subprocess.run(
        [sys.executable, TOOLS / "with_display.py", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )


@pytest.mark.skipif(
    sys.platform.startswith("linux") and shutil.which("xvfb-run") is None,
    reason="a desktop without xvfb-run: its own screen is used",
)
def test_a_command_runs_with_a_screen_and_its_exit_status():
    bare = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
    code = (
        "import os, sys; print(os.environ.get('DISPLAY'));"
        "sys.exit(int(os.environ['A']))"
    )
    done = run_with_display("A=3", sys.executable, "-c", code, **bare)
    assert done.returncode == 3, done.stderr
    if sys.platform.startswith("linux"):
        assert done.stdout.startswith(":")
