"""Zarr's local store, with somebody who is told before a key changes.

Everything that writes into the masklets comes through here, a viewer that paints on
the label array included, so nothing can be replaced unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Self

from zarr.core.buffer import Buffer
from zarr.storage import LocalStore


class WatchedStore(LocalStore):
    """A `LocalStore` that asks before it replaces or removes a key.

    Attributes
    ----------
    before_change
        Called with the key, a path below the root, and what it will hold, None if it is
        removed; from the thread that writes.
    """

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self.before_change: Callable[[str, Buffer | None], None] | None = None

    def __getstate__(self) -> dict[str, object]:
        """Leave the watcher out: it belongs to this process."""
        return {**self.__dict__, "before_change": None}

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
        if self.before_change is not None:
            self.before_change(key, value)
