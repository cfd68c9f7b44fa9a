"""What a process does with the pages of memory that it freed."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

HAS_MALLOPT = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt")
COUNT = """
import resource
import numpy as np
from napari_sam2.tracking.heap import keep_pages

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        np.ones(2**18)  # 512 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back = pages()
keep_pages()
pages()
print(given_back, pages())
"""


@pytest.mark.skipif(not HAS_MALLOPT, reason="another C library")
def test_a_worker_of_dask_does_not_ask_for_each_tensor_anew():
    environment = dict(os.environ, MALLOC_TRIM_THRESHOLD_="65536")
    counted = subprocess.run(
        [sys.executable, "-c", COUNT],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    given_back, kept = (int(number) for number in counted.stdout.split())
    assert given_back > 100 * 500
    assert kept < 600
