"""One writer at a time: two that write one label group destroy its data.

The lock is on an empty file that stays where it is. The operating system lets go of it
when the process ends, however it ends. Stores of one writer share it: those of a
window, or of a thread.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakValueDictionary

from filelock import FileLock, Timeout

from napari_sam2.errors import OutputError
from napari_sam2.io.label_store.progress_journal import WHOLE
from napari_sam2.io.ome_zarr.machine_lock import ANYBODY, NO_LOCKS

LOCK_FILE = "writing.lock"
PATIENCE, LOOK = 3.0, 0.05
"""Seconds that a window waits for one that is closing, and between two looks."""

NO_LOCK = (
    "this file system has no locks, so nobody is kept out: let one window or run at a "
    "time write there"
)


class WritingLock:
    """Held as long as anything refers to it.

    Parameters
    ----------
    file_lock
        What keeps other processes out; None where the file system has no locks.
    writer
        Whose stores share it: a number that is nobody else's.

    Attributes
    ----------
    keeps_others_out
        Whether other processes are refused.
    """

    def __init__(
        self, file_lock: FileLock | None, writer: int, thread: threading.Thread
    ) -> None:
        self._file_lock = file_lock
        self._writer = writer
        self._thread = thread
        self.keeps_others_out = file_lock is not None

    def belongs_to(self, writer: int, thread: threading.Thread) -> bool:
        """Whether a writer or a thread holds it, or a thread that has ended."""
        if writer == self._writer or thread is self._thread:
            return True
        return self._writer == self._thread.ident and not self._thread.is_alive()


_held: WeakValueDictionary[tuple[int, int], WritingLock] = WeakValueDictionary()
_registering = threading.Lock()


def hold_writing_lock(run: Path, writer: int | None = None) -> WritingLock | None:
    """Become the one that writes a label group.

    It stays so as long as anything refers to the lock that is returned. A window waits
    a moment: the one before it may be closing.

    Parameters
    ----------
    run
        Folder of the group of its run.
    writer
        Who: stores of the same one share the lock. The calling thread unless given.

    Returns
    -------
    WritingLock | None
        None where there is nothing to write.

    Raises
    ------
    OutputError
        If somebody else writes there.
    """
    # Readers list groups, and warn of files that are no part of the hierarchy; they do
    # not list what is in an array.
    folder = run / WHOLE
    if not folder.is_dir():
        return None
    if writer is None:
        return _take(run, folder, threading.get_ident())
    last = time.monotonic() + PATIENCE
    while True:
        try:
            return _take(run, folder, writer)
        except OutputError:
            if time.monotonic() > last:
                raise
        time.sleep(LOOK)


def _take(run: Path, folder: Path, writer: int) -> WritingLock:
    thread = threading.current_thread()
    with _registering:
        place = _identity(folder)
        known = _held.get(place)
        if known is not None and known.belongs_to(writer, thread):
            return known
        if known is not None:
            raise _refusal(run)
        lock = WritingLock(_file_lock(run, folder / LOCK_FILE), writer, thread)
        _held[place] = lock
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
def replacing(run: Path, writer: int | None) -> Iterator[None]:
    """Keep others from writing a label group that is about to be replaced.

    Raises
    ------
    OutputError
        If somebody is writing there.
    """
    held = hold_writing_lock(run, writer)
    if sys.platform == "win32":
        held = None  # a folder with an open file cannot be renamed
    try:
        yield
    finally:
        del held


def _file_lock(run: Path, path: Path) -> FileLock | None:
    lock = FileLock(path, mode=ANYBODY, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise _refusal(run) from error
    except NotImplementedError:
        return None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return None
    return lock


def _refusal(run: Path) -> OutputError:
    return OutputError(
        f"{run.parent}: another window or run is writing there; close it, or wait "
        "until it has ended, and open this again"
    )


def _identity(path: Path) -> tuple[int, int]:
    """Return what tells a folder from one that replaced it, or lies elsewhere."""
    status = path.stat()
    return status.st_dev, status.st_ino
