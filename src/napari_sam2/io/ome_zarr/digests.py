"""Digests: by what files and arrays are known to be what was once written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from napari_sam2.interfaces import Arrays

UNKNOWN, ABSENT = 0, 1
"""Instead of a digest: nobody noted one; there was to be no file."""
_LEAST = 2


def digest_of(content: bytes | None) -> int:
    """Return the first 64 bits of the SHA-256 of a file's content; `ABSENT` of none."""
    if content is None:
        return ABSENT
    return max(_LEAST, int.from_bytes(hashlib.sha256(content).digest()[:8], "little"))


def digest_of_arrays(arrays: Arrays) -> str:
    """Return the SHA-256 of arrays: names, types, shapes and values."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {values.dtype.str} {arrays[name].shape}\n".encode())
        total.update(values.data if values.size else b"")
    return total.hexdigest()


def digest_of_file(file: str | Path) -> int:
    """Return the digest of what a file holds; `ABSENT` where there is none."""
    try:
        with open(file, "rb", buffering=0) as stream:  # noqa: PTH123 - a Path costs more
            return digest_of(stream.readall())
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
