"""One writer at a time: two processes that write one label group destroy its data.

The lock is on an empty file that stays where it is. The operating system lets go of it
when the process ends, however it ends. Stores of one process share it.
"""

from __future__ import annotations

import errno
from pathlib import Path
from threading import Lock
from weakref import WeakValueDictionary

from filelock import BaseFileLock, FileLock, Timeout

from napari_sam2.errors import OutputError
from napari_sam2.io.label_store.progress_journal import WHOLE

LOCK_FILE = "writing.lock"
ANYBODY = 0o666
"""Whoever may write into the folder may hold the lock, whoever made its file."""
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}

_held: WeakValueDictionary[tuple[int, int], BaseFileLock] = WeakValueDictionary()
_registering = Lock()


def hold_writing_lock(run: Path) -> BaseFileLock | None:
    """Become the one process that writes a label group, without waiting.

    It stays so as long as anything refers to the lock that is returned.

    Parameters
    ----------
    run
        Folder of the group of its run.

    Returns
    -------
    BaseFileLock | None
        None where the file system knows no locks, or there is nothing to write.

    Raises
    ------
    OutputError
        If another process writes there.
    """
    # Readers list groups, and warn of files that are no part of the hierarchy; they do
    # not list what is in an array.
    folder = run / WHOLE
    if not folder.is_dir():
        return None
    path = folder / LOCK_FILE
    with _registering:
        known = _held.get(_identity(path)) if path.exists() else None
        if known is not None:
            return known
        lock = FileLock(path, mode=ANYBODY, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout as error:
            raise OutputError(
                f"{run.parent}: another window or run is writing there; close it, or "
                "wait until it has ended, and open this again"
            ) from error
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            return None
        _held[_identity(path)] = lock
        return lock


def _identity(path: Path) -> tuple[int, int]:
    """Return what tells a file from one that replaced it, or lies elsewhere."""
    status = path.stat()
    return status.st_dev, status.st_ino
