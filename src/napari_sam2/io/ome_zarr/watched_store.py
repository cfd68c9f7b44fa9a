"""Zarr's local store, with somebody who is told before a key changes.

Everything that writes into the masklets comes through here, a viewer that paints on
the label array included, so nothing can be replaced unseen.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

from zarr.core.buffer import Buffer

from napari_sam2.io.storage import CheckedStore


class WatchedStore(CheckedStore):
    """A `CheckedStore` that asks before it replaces or removes a key.

    Attributes
    ----------
    before_change
        Called with the key, a path below the root, and what it will hold, None if it is
        removed; from the thread that writes.
    """

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self.before_change: Callable[[str, Buffer | None], None] | None = None
        self._unsynced: set[str] | None = None

    def sync_from_now_on(self, prefix: str) -> None:
        """Note what is written, for `sync`, and all that lies below a prefix."""
        files = (self.root / prefix).rglob("*")
        found = {str(one.relative_to(self.root)) for one in files if one.is_file()}
        self._unsynced = found | {"zarr.json", ".zattrs", "labels/zarr.json"}

    def sync(self) -> None:
        """Wait until what was written is on the disk, as far as that is noted."""
        if not self._unsynced:
            return
        written, self._unsynced = self._unsynced, set()
        folders = set()
        for key in written:
            path = self.root / key
            folders |= {one for one in path.parents if one.is_relative_to(self.root)}
            if path.is_file():
                _sync(path, os.O_RDWR)
        if os.name != "nt":  # where folders cannot be opened
            for folder in filter(Path.is_dir, folders):
                _sync(folder, os.O_RDONLY)

    def __getstate__(self) -> dict[str, object]:
        """Leave the watcher out: it belongs to this process."""
        return {**self.__dict__, "before_change": None, "_unsynced": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)

    def with_read_only(self, read_only: bool = False) -> Self:
        """Return the same store with other rights, watched by the same one."""
        store = super().with_read_only(read_only)
        store.before_change = self.before_change
        return store

    async def set(self, key: str, value: Buffer) -> None:
        """Store a key."""
        self._tell(key, value)
        await super().set(key, value)

    def set_sync(self, key: str, value: Buffer) -> None:
        """Store a key, from code that is not asynchronous."""
        self._tell(key, value)
        super().set_sync(key, value)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Store a key unless it is there.

        Zarr's own way gives a file a second name, which exFAT and some network shares
        cannot; the lock on the label group already keeps others out.
        """
        if not await self.exists(key):
            await self.set(key, value)

    async def delete(self, key: str) -> None:
        """Remove a key."""
        self._tell(key, None)
        await super().delete(key)

    def delete_sync(self, key: str) -> None:
        """Remove a key, from code that is not asynchronous."""
        self._tell(key, None)
        super().delete_sync(key)

    def _tell(self, key: str, value: Buffer | None) -> None:
        if self._unsynced is not None:
            self._unsynced.add(key)
        if self.before_change is not None:
            self.before_change(key, value)


def _sync(path: Path, flags: int) -> None:
    number = os.open(path, flags)
    try:
        os.fsync(number)
    finally:
        os.close(number)
