"""Load triton where Mesa's OpenGL was loaded first, without a crash.

torchvision, which timm imports, and torch's compiler import triton, whose extension
holds a copy of LLVM. Mesa, which draws napari's canvas on most Linux machines without
an NVIDIA driver, loads another LLVM and makes its symbols global. An extension that is
loaded after it calls into the wrong copy, and the process dies of a segmentation fault:
that is what happened when a window was opened first and the model loaded later. Bound
deeply, triton uses its own copy. Loaded in the other order, the two get along by
themselves.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from pathlib import Path


def load_triton_apart() -> None:
    """Import triton with its own symbols first, if another LLVM is already here."""
    if sys.platform != "linux" or "triton" in sys.modules or not _has_foreign_llvm():
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | os.RTLD_DEEPBIND)
    try:
        # torch works without triton: on a CPU, or where it does not fit.
        with contextlib.suppress(ImportError):
            importlib.import_module("triton")
    finally:
        sys.setdlopenflags(flags)


def _has_foreign_llvm() -> bool:
    """Whether a shared LLVM is mapped into this process."""
    return "libLLVM" in Path("/proc/self/maps").read_text(encoding="utf-8")
