"""One at a time, of all threads and processes of this machine, at what a folder shares.

The lock lies in the folder for temporary files: what it is about may not exist yet, or
is being replaced, and beside it readers would find a file that is no part of it. The
lock's file goes before the lock does: who waits for it takes no lock on a file that is
gone (`FileLock` looks), but makes another. Windows removes none that is open; there
`FileLock` itself removes it afterwards.
"""

from __future__ import annotations

import errno
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from napari_sam2.errors import OutputError

ANYBODY = 0o666
"""Whoever may write into the folder may hold the lock, whoever made its file."""
PATIENCE = 20.0
"""Seconds; a label group is made in less."""
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextmanager
def alone(path: Path, action: str) -> Iterator[bool]:
    """Be the only one that does something in a folder.

    Parameters
    ----------
    path
        The folder, which need not exist.
    action
        What is done, in words; different ones do not wait for each other.

    Yields
    ------
    bool
        False where there are no locks: then nobody is kept out.

    Raises
    ------
    OutputError
        If somebody else still does it after `PATIENCE`.
    """
    text = f"{path.absolute()}\n{action}"
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    file = Path(tempfile.gettempdir()) / f"napari-sam2-{digest[:24]}.lock"
    lock = FileLock(file, mode=ANYBODY, thread_local=False)
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout as error:
        raise OutputError(
            f"{path}: another window or run is {action} there; wait until it has ended"
        ) from error
    except (OSError, NotImplementedError):
        yield False
        return
    try:
        yield True
    finally:
        with suppress(OSError):
            file.unlink()
        lock.release()
