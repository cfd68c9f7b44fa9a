"""Keeping the C heap's pages between frames, where that can be asked for.

Activations of a small model are a few megabytes each. glibc gives such blocks back to
the system when they are freed, or not, depending on what was allocated before; each
page that comes back costs microseconds, up to a tenth of a frame. dask starts workers
with ``MALLOC_TRIM_THRESHOLD_`` at 64 KiB: there movies took twice the processor time.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Numbers of the options, from ``malloc.h``."""

KEPT_BYTES, LARGEST_KEPT = 2**27, 2**25
"""Free bytes that stay at the end of the heap; larger blocks never lie in it."""


@cache
def keep_pages() -> bool:
    """Let the heap keep some free memory; tell whether the C library knows how."""
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has none
        return False
    options = ((MMAP_THRESHOLD, LARGEST_KEPT), (TRIM_THRESHOLD, KEPT_BYTES))
    answers = [mallopt(option, value) for option, value in options]
    return answers == [1, 1]
