import subprocess
import sys
from pathlib import Path

import pytest

BUILD_A_TRUNK_AFTER = """
import ctypes
ctypes.CDLL({library!r}, mode=ctypes.RTLD_GLOBAL)
from napari_sam2.model.config import CONFIGS
from napari_sam2.model.encoders.trunk import build_trunk
build_trunk(CONFIGS["toy"].trunk)
import sys
print("triton" in sys.modules)
"""

DROP_DOUBLES_AFTER = """
import ctypes
ctypes.CDLL({library!r}, mode=ctypes.RTLD_GLOBAL)
import torch
from napari_sam2.tracking.automatic.candidates import without_doubles
without_doubles(torch.tensor([[0, 0, 4, 4]]), torch.ones(1), 0.5)
import sys
print("triton" in sys.modules)
"""


def mesas_llvm():
    """The LLVM that Mesa draws with, if there is one on this machine."""
    found = sorted(Path("/usr/lib").glob("*-linux-gnu/libLLVM*.so*"))
    return str(found[-1]) if found else None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has Mesa and triton")
@pytest.mark.parametrize("program", [BUILD_A_TRUNK_AFTER, DROP_DOUBLES_AFTER])
def test_torchvision_is_loaded_after_mesa_loaded_its_llvm(program):
    pytest.importorskip("triton", reason="torch came without triton")
    library = mesas_llvm()
    if library is None:
        pytest.skip("Mesa on this machine has no shared LLVM")
    done = subprocess.run(
        [sys.executable, "-c", program.format(library=library)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "True"
