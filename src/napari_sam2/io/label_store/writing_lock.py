"""One writer at a time: two processes that write one label group destroy its data.

The lock is on an empty file that stays where it is. The operating system lets go of it
when the process ends, however it ends. Stores of one process share it.
"""

from __future__ import annotations

import errno
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from weakref import WeakValueDictionary

from filelock import BaseFileLock, FileLock, Timeout

from napari_sam2.errors import OutputError
from napari_sam2.io.label_store.progress_journal import WHOLE

LOCK_FILE = "writing.lock"
ANYBODY = 0o666
"""Whoever may write into the folder may hold the lock, whoever made its file."""
PATIENCE = 20.0
"""Seconds; a label group is made in less."""
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


@contextmanager
def keeping_writers_out(run: Path) -> Iterator[None]:
    """Read without anybody who writes meanwhile, where that can be had.

    Raises
    ------
    OutputError
        If somebody is writing there.
    """
    held = None
    # A reader makes no files: where there is no lock yet, nobody has written.
    if (run / WHOLE / LOCK_FILE).exists():
        with suppress(PermissionError):
            held = hold_writing_lock(run)
    try:
        yield
    finally:
        del held


@contextmanager
def creating(path: Path) -> Iterator[None]:
    """Be the only one of this machine, threads included, that makes label groups there.

    The lock lies in the folder for temporary files: the group does not exist yet, or is
    being replaced, and beside it readers would find a file that is no part of it. It
    covers the list of label groups, which all of them share.

    Parameters
    ----------
    path
        Folder of the OME-Zarr to be.

    Raises
    ------
    OutputError
        If somebody else is still making one after `PATIENCE`.
    """
    digest = hashlib.sha256(str(path.absolute()).encode("utf-8", "replace"))
    file = Path(tempfile.gettempdir()) / f"napari-sam2-{digest.hexdigest()[:24]}.lock"
    lock = FileLock(file, mode=ANYBODY, thread_local=False)
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout as error:
        raise OutputError(
            f"{path}: another window or run is creating labels there; wait until it "
            "has ended"
        ) from error
    except OSError:
        # No folder for temporary files, or one without locks: nobody is kept out.
        yield
        return
    try:
        yield
    finally:
        lock.release()


def _identity(path: Path) -> tuple[int, int]:
    """Return what tells a file from one that replaced it, or lies elsewhere."""
    status = path.stat()
    return status.st_dev, status.st_ino
