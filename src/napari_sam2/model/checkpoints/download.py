"""Checkpoints on this machine: where they lie, how they come, whether they are whole.

A file gets its name in the cache folder only after its hash is right. The official ones
are large and connections break: bytes are collected in ``<file>.part``
(`napari_sam2.model.checkpoints.byte_stream`), an interrupted download goes on where it
stopped, and of several processes that want the same file one downloads it while the
others wait. (pooch's downloaders, seen in version 1.9, begin anew after a break, and
nothing cancels them while a server is silent.)

`download_steps` is a generator: whoever closes it has cancelled the download, which
then ends within a fraction of a second even if the server is silent.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from platformdirs import user_cache_path

from napari_sam2.errors import ModelError
from napari_sam2.model.checkpoints.byte_stream import PATIENCE, Answer, ByteStream
from napari_sam2.model.checkpoints.registry import ModelFile, find

if TYPE_CHECKING:
    import requests
    from filelock import BaseFileLock

ProgressCallback = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes that there will be, if known."""

CACHE_VARIABLE = "NAPARI_SAM2_CACHE"
"""Environment variable that places the cache folder."""

LARGEST_FILE = 2**31
"""Bytes of a file whose length no source states, at most; official ones have 0.9 GB."""

_WEIGHTS_FOLDER = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True, slots=True)
class VerifiedFile:
    """A checkpoint whose bytes were read and compared.

    Attributes
    ----------
    trusted_by
        What the hash was compared with: our registry, a hash that a person accepted,
        or nothing, for the model that comes with the package.
    """

    path: Path
    sha256: str
    trusted_by: Literal["registry", "person", "package"]


def cache_folder() -> Path:
    """Return the folder of downloaded checkpoints; it need not exist."""
    placed = os.environ.get(CACHE_VARIABLE)
    if placed:
        return Path(placed).expanduser()
    return user_cache_path("napari-sam2")


def model_path(name: str) -> Path:
    """Return where the file of a named model lies, or would lie once downloaded."""
    entry = find(name)
    return (_WEIGHTS_FOLDER if entry.is_bundled else cache_folder()) / entry.file


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits.

    A file is read once a process, unless it changes: whoever asks where a model's file
    is has it checked, and a batch asks several times a movie.
    """
    return _sha256_of(path, stamp_of(path))


def stamp_of(path: Path) -> tuple[int, int, int]:
    """Return what tells a file from what it was: time, size and node."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


@lru_cache(maxsize=64)
def _sha256_of(path: Path, stamp: tuple[int, int, int]) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(name: str) -> VerifiedFile:
    """Read a named model's file and compare its hash with the one it should have.

    Raises
    ------
    ModelError
        If the file is not there, cannot be read, or has another hash.
    """
    entry, path = find(name), model_path(name)
    try:
        actual = file_sha256(path)
    except FileNotFoundError:
        raise ModelError(_absent(entry, path)) from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    if entry.sha256 is None:
        return VerifiedFile(path, actual, "package")
    if actual == entry.sha256:
        return VerifiedFile(path, actual, "registry")
    if actual == _accepted_hash(entry, path):
        return VerifiedFile(path, actual, "person")
    raise ModelError(
        f"{path} is not the published {entry.name}: its SHA-256 is {actual}, expected "
        f"{entry.sha256}; delete it and run 'napari-sam2 models download {entry.name}'"
    )


@dataclass(frozen=True, slots=True)
class DownloadStep:
    """How far the way to a checkpoint is.

    Attributes
    ----------
    stage
        What goes on: another process has the file in hand, bytes come, or the hash of
        what came is being compared.
    here, total
        Bytes that are there, and that there will be, if known.
    """

    stage: Literal["waiting", "downloading", "checking"]
    here: int
    total: int | None


def download(
    name: str,
    *,
    progress: ProgressCallback | None = None,
    accept_hash: str | None = None,
    base_url: str | None = None,
) -> Path:
    """Return the path of a named model, bringing it into the cache folder if needed.

    Parameters
    ----------
    progress
        Called after every chunk.
    accept_hash
        SHA-256 to accept instead of ours; only where ours is not confirmed.
    base_url
        Folder of a mirror, instead of the official address.

    Raises
    ------
    ModelError
        If there is no such model, no network, no room, or the bytes are wrong. What
        came so far is kept, and the next call goes on from there.
    """
    steps = download_steps(name, accept_hash=accept_hash, base_url=base_url)
    before: DownloadStep | None = None
    with closing(steps):
        for step in steps:
            if progress is not None and before is not None and step.here > before.here:
                progress(step.here, step.total)
            before = step
    return model_path(name)


def download_steps(
    name: str, *, accept_hash: str | None = None, base_url: str | None = None
) -> Generator[DownloadStep, None, Path]:
    """Bring a named model into the cache folder, one step after the other.

    A step comes with every piece, and about five times a second if none comes. Closing
    the generator cancels; what came is kept, and the next download goes on from there.

    Parameters
    ----------
    name, accept_hash, base_url
        See `download`.

    Returns
    -------
    Path
        Where the file lies; a file that is there and whole is not fetched again.

    Raises
    ------
    ModelError
        See `download`.
    """
    entry, path = find(name), model_path(name)
    if entry.is_bundled:
        return verify(name).path
    expected = _expected_hash(entry, accept_hash)
    url = f"{base_url.rstrip('/')}/{entry.file}" if base_url else str(entry.url)
    try:
        if not _is_whole(path, expected):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = yield from _locked(entry, path)
            try:
                if not _is_whole(path, expected):  # nobody brought it meanwhile
                    yield from _Fetching(entry, path, url, expected).steps()
                    _part_of(path).replace(path)
            finally:
                lock.release()
        if expected not in (entry.sha256, _accepted_hash(entry, path)):
            _acceptance(path).write_text(expected + "\n", encoding="ascii")
    except OSError as error:
        raise ModelError(
            f"cannot write {path}: {error.strerror or error}; free some space or set "
            f"{CACHE_VARIABLE} to another folder"
        ) from error
    return path


def _locked(
    entry: ModelFile, path: Path
) -> Generator[DownloadStep, None, BaseFileLock]:
    """Wait until no other process has the file in hand."""
    import filelock

    lock = filelock.FileLock(path.with_name(path.name + ".lock"))
    while True:
        try:
            lock.acquire(timeout=PATIENCE, poll_interval=PATIENCE / 4)
        except filelock.Timeout:
            part = _part_of(path)
            here = part.stat().st_size if part.exists() else 0
            yield DownloadStep("waiting", here, entry.bytes)
        else:
            return lock


@dataclass(frozen=True, slots=True)
class _Fetching:
    """Fills the ``.part`` file of a checkpoint; it outlives a crash."""

    entry: ModelFile
    path: Path
    url: str
    expected: str

    def steps(self) -> Generator[DownloadStep, None, None]:
        """Collect the whole file and check it."""
        part = _part_of(self.path)
        had_a_start = part.exists()
        if had_a_start and _is_whole(part, self.expected):
            return
        yield from self._collect(part)
        if had_a_start and not _is_whole(part, self.expected):
            # The start may be of another file: once more, from nothing.
            part.unlink()
            yield from self._collect(part)
        yield DownloadStep("checking", part.stat().st_size, self.entry.bytes)
        self._check(part)

    def _collect(self, part: Path) -> Generator[DownloadStep, None, None]:
        import requests

        here = part.stat().st_size if part.exists() else 0
        total = self.entry.bytes
        yield DownloadStep("downloading", here, total)
        try:
            with closing(ByteStream(self.url, here)) as stream:
                for item in stream:
                    if isinstance(item, Answer):
                        total = item.total or self.entry.bytes
                        self._check_length(total or 0, part)
                        here = _cut(part, item.start)
                    elif item is not None:
                        here = _append(part, item)
                        self._check_length(here, part)
                    yield DownloadStep("downloading", here, total)
        except requests.RequestException as error:
            raise ModelError(self._broken(error, part)) from error

    def _check_length(self, length: int, part: Path) -> None:
        """Refuse a body that is longer than the file, or has no end."""
        limit = self.entry.bytes or LARGEST_FILE
        if length > limit:
            part.unlink(missing_ok=True)
            raise ModelError(
                f"{self.url} sends more than the {limit} bytes of {self.entry.name}: "
                "it was not kept; try again, or another network"
            )

    def _broken(self, error: requests.RequestException, part: Path) -> str:
        if error.response is not None:
            return (
                f"{self.url} answers {error.response.status_code} "
                f"{error.response.reason}: get {self.entry.file} elsewhere and put it "
                f"at {self.path}"
            )
        here = part.stat().st_size if part.exists() else 0
        if here:
            return (
                f"the download of {self.url} broke off after {here} bytes: run it "
                "again, it goes on from there"
            )
        return (
            f"cannot reach {self.url}: check the network, or get the file on another "
            f"machine and put it at {self.path}"
        )

    def _check(self, part: Path) -> None:
        actual = file_sha256(part)
        if actual == self.expected:
            return
        length, entry = part.stat().st_size, self.entry
        if entry.bytes is not None and length < entry.bytes:
            raise ModelError(
                f"the download of {self.url} ended after {length} of {entry.bytes} "
                "bytes: run it again, it goes on from there"
            )
        wrong = f"{self.url} has SHA-256 {actual}, expected {self.expected}"
        if entry.confirmed:
            part.unlink()
            raise ModelError(f"{wrong}: it was not kept; try again, or another network")
        # Kept as it is, so that accepting its hash needs no second download.
        raise ModelError(
            f"{wrong}, but that hash comes from a single source: if you trust this "
            f"file, run 'napari-sam2 models download {entry.name} --accept-hash "
            f"{actual}'"
        )


def _part_of(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _is_whole(path: Path, expected: str) -> bool:
    return path.exists() and file_sha256(path) == expected


def _cut(part: Path, length: int) -> int:
    """Keep the first bytes of what came; a server that knows no ranges begins anew."""
    with part.open("ab") as stream:
        stream.truncate(length)
    return length


def _append(part: Path, piece: bytes) -> int:
    """Add a piece; return how many bytes there are now."""
    with part.open("ab") as stream:
        stream.write(piece)
        return stream.tell()


def _expected_hash(entry: ModelFile, accept_hash: str | None) -> str:
    """Return the hash that a download must have: ours, or the one a person accepts."""
    if accept_hash is None:
        return _accepted_hash(entry, model_path(entry.name)) or str(entry.sha256)
    accepted = accept_hash.strip().lower()
    if len(accepted) != 64 or set(accepted) - set("0123456789abcdef"):
        raise ModelError(f"{accept_hash!r} is no SHA-256: give 64 hexadecimal digits")
    if entry.confirmed and accepted != entry.sha256:
        raise ModelError(
            f"the hash of {entry.name} is confirmed by several sources "
            f"({entry.sha256}), no other one is accepted: give the file by its "
            "path instead"
        )
    return accepted


def _acceptance(path: Path) -> Path:
    return path.with_name(path.name + ".accepted-sha256")


def _accepted_hash(entry: ModelFile, path: Path) -> str | None:
    """Return the hash that a person accepted; none where several sources agree."""
    record = _acceptance(path)
    if entry.confirmed or not record.exists():
        return None
    return record.read_text(encoding="ascii", errors="replace").strip()


def _absent(entry: ModelFile, path: Path) -> str:
    if entry.is_bundled:
        return f"the bundled model is missing at {path}: install napari-sam2 again"
    return (
        f"{entry.name} is not on this machine: run 'napari-sam2 models download "
        f"{entry.name}', or put {entry.file} into {path.parent}"
    )
