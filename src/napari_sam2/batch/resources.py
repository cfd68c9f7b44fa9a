"""What the process uses, as far as the system tells."""

from __future__ import annotations

import ctypes
import sys

import psutil

KIBIBYTE = 1024
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Names of two settings in glibc's ``mallopt``."""
KEPT_BYTES, MAPPED_BYTES = 2**28, 2**25
"""What a process keeps of the memory that it freed, and from which size on an array is
mapped by itself and given back at once (glibc takes no more than 32 MiB)."""


def peak_memory() -> int:
    """Return the largest resident memory of this process so far, in bytes."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes, Linux kibibytes.
    return peak if sys.platform == "darwin" else peak * KIBIBYTE


def current_memory() -> int:
    """Return the resident memory of this process, in bytes."""
    return int(psutil.Process().memory_info().rss)


def keep_freed_memory() -> None:
    """Let the process use freed memory again, where glibc is its C library.

    dask starts workers with ``MALLOC_TRIM_THRESHOLD_`` at 64 KiB: each tensor is given
    back to the system and asked for anew, page by page, and movies took twice the
    processor time.
    """
    if sys.platform != "linux":
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(TRIM_THRESHOLD, KEPT_BYTES)
        set_option(MMAP_THRESHOLD, MAPPED_BYTES)
