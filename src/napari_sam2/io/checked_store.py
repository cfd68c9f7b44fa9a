"""Zarr's local store, which does not take what is damaged for what was never written.

A chunk that is not there is background. Zarr says "not there" as well where a folder
lies in the place of a chunk, a file in the place of a folder, or a link to nothing; of
a shard without content it reads background; and for a pipe it waits.
"""

from __future__ import annotations

import stat
from pathlib import Path

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")
"""Keys that are asked for to find out whether they are there."""


class CheckedStore(LocalStore):
    """A `LocalStore` whose missing chunks are missing.

    Raises
    ------
    ValueError
        On reading, naming what lies where a chunk belongs.
    """

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Return what lies at a key, None if there is nothing."""
        self._check_place(key)
        return _not_empty(await super().get(key, prototype, byte_range), key)

    def get_sync(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Return what lies at a key, from code that is not asynchronous."""
        self._check_place(key)
        value = super().get_sync(key, prototype=prototype, byte_range=byte_range)
        return _not_empty(value, key)

    def _check_place(self, key: str) -> None:
        """Refuse what is no file where a chunk belongs, or keeps one out."""
        if key.endswith(METADATA):
            return
        path = self.root / key
        try:
            is_file = stat.S_ISREG(path.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            _refuse_blocked(path, self.root)
            return
        if not is_file:
            raise ValueError(f"{path} is no file, but a chunk should be there")


def _not_empty(value: Buffer | None, key: str) -> Buffer | None:
    if value is not None and len(value) == 0:
        raise ValueError(f"{key} is empty, and no chunk is")
    return value


def _refuse_blocked(path: Path, root: Path) -> None:
    """Refuse a chunk that is kept out by what lies above it, or by a dead link."""
    for place in (path, *path.parents):
        if place == root or place.is_dir():
            return
        if place.is_symlink() or place.exists():
            raise ValueError(f"{place} is no folder, but chunks should be there")
