"""What a disk says of a store: never background for damage, and errors in one line.

Zarr takes what is damaged for what was never written: a chunk that is not there is
background, and it says "not there" as well where a folder lies in the place of a chunk,
a file in the place of a folder, or a link to nothing; of a shard without content it
reads background; and for a pipe it waits. `CheckedStore` does not.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from napari_sam2.errors import OutputError

METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")
"""Keys that are asked for to find out whether they are there."""

NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_PLACE = {errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG}
NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}

DAMAGED = (
    *(ValueError, RuntimeError, KeyError, TypeError, AttributeError, IndexError),
    *(EOFError, ArithmeticError),
)
"""What chunks and documents raise that are not what was written."""
LOOK = "check that the disk is there and that you may read it, and open this again"
RESTORE = "restore the folder from a copy, or track anew into another one"


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


def storage_errors(path: Path, action: str) -> AbstractContextManager[None]:
    """Turn what goes wrong while something is written into one line with a remedy.

    Raises
    ------
    OutputError
        Instead of an error of the file system, or of a file that is damaged.
    """
    return _in_one_line(path, action, _remedy)


def reading_errors(path: Path, what: str) -> AbstractContextManager[None]:
    """Turn what goes wrong while something is read into one line with a remedy.

    Raises
    ------
    OutputError
        Instead of an error of the file system, or of a file that is damaged.
    """
    return _in_one_line(path, f"read {what}", lambda _number: LOOK)


@contextmanager
def _in_one_line(
    path: Path, action: str, remedy: Callable[[int | None], str]
) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{path}: cannot {action}: {reason}; {remedy(error.errno)}"
        ) from error
    except (*DAMAGED, MemoryError) as error:  # metadata may claim any size
        raise _damaged(path, action, error) from error


def _damaged(path: Path, action: str, error: Exception) -> OutputError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    why = "it is damaged"
    if isinstance(error, MemoryError):
        why = "close other programs; if that does not help, it is damaged"
    return OutputError(f"{path}: cannot {action}: {lines[0][:200]}; {why}: {RESTORE}")


def _remedy(number: int | None) -> str:
    if number in NO_SPACE:
        return (
            "what was written is kept: free some space and go on, or choose another "
            "folder"
        )
    if number in NOT_ALLOWED:
        return "choose a folder that you may write to"
    if number in NO_PLACE:
        return "choose another folder or name"
    return "check that the disk is there, and go on"
