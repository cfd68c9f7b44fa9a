import subprocess
import sys
from pathlib import Path

import pytest

BUILD_A_TRUNK_AFTER = """
import ctypes
ctypes.CDLL({library!r}, mode=ctypes.RTLD_GLOBAL)
from napari_sam2.model.config import CONFIGS
from napari_sam2.model.trunk import build_trunk
build_trunk(CONFIGS["toy"].trunk)
import sys
print("triton" in sys.modules)
"""


def mesas_llvm():
    """The LLVM that Mesa draws with, if there is one on this machine."""
    found = sorted(Path("/usr/lib").glob("*-linux-gnu/libLLVM*.so*"))
    return str(found[-1]) if found else None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has Mesa and triton")
def test_a_network_can_be_built_after_mesa_loaded_its_llvm():
    pytest.importorskip("triton", reason="torch came without triton")
    library = mesas_llvm()
    if library is None:
        pytest.skip("Mesa on this machine has no shared LLVM")
    done = subprocess.run(
        [sys.executable, "-c", BUILD_A_TRUNK_AFTER.format(library=library)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "True"
