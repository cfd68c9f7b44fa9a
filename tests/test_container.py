"""The build steps of the container, run as a script in a bare folder."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import napari_sam2

ROOT = Path(__file__).parents[1]
CONTAINERFILE = ROOT / "container" / "Containerfile"


@pytest.mark.skipif(sys.platform == "win32", reason="containers are built by a shell")
def test_the_steps_install_a_command_line_that_runs(tmp_path):
    """Packages are those of the tests: only ours is built and installed."""
    (step,) = re.findall(r"^RUN (.*)$", CONTAINERFILE.read_text(), re.M)
    script = step.partition(" && ")[0].replace("${PYTORCH}", "")
    script = script.replace("/opt/", f"{tmp_path}/").replace("/src", str(ROOT))
    environment = {
        **os.environ,
        "PYTHON": sys.executable,
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it as "build_isolation"
        "PIP_IGNORE_INSTALLED": "1",
    }
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    last = done.stdout.strip().splitlines()[-1]
    assert last == f"napari-sam2 {napari_sam2.__version__}"
    installed = tmp_path / "napari-sam2" / "bin" / "napari-sam2"
    assert installed.exists()
    text = CONTAINERFILE.read_text()
    assert 'ENTRYPOINT ["napari-sam2"]' in text
    assert "/opt/napari-sam2/bin:$PATH" in text
