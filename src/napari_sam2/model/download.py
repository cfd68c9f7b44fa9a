"""Checkpoints on this machine: where they lie, how they come, whether they are whole.

pooch keeps the cache folder: a file gets its name there only after its hash is right.
The way there is ours, because the official files are large and connections break: bytes
are collected in ``<file>.part``, an interrupted download goes on where it stopped, and
of several processes that want the same file one downloads it while the others wait.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_sam2.errors import ModelError
from napari_sam2.model.registry import ModelFile, find

if TYPE_CHECKING:
    import requests

ProgressCallback = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes that there will be, if known."""

CACHE_VARIABLE = "NAPARI_SAM2_CACHE"
"""Environment variable that places the cache folder."""

_WEIGHTS_FOLDER = Path(__file__).parent / "weights"
_CHUNK_BYTES = 1 << 18
_TIMEOUT_SECONDS = (15, 60)  # to connect, between two chunks


@dataclass(frozen=True, slots=True)
class VerifiedFile:
    """A checkpoint whose bytes were read and compared.

    Attributes
    ----------
    path
        Where it lies.
    sha256
        Hash of its bytes.
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
    import pooch

    return Path(pooch.os_cache("napari-sam2"))


def model_path(name: str) -> Path:
    """Return where the file of a named model lies, or would lie once downloaded."""
    entry = find(name)
    return (_WEIGHTS_FOLDER if entry.is_bundled else cache_folder()) / entry.file


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
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
    if actual == _accepted_hash(path):
        return VerifiedFile(path, actual, "person")
    raise ModelError(
        f"{path} is not the published {entry.name}: its SHA-256 is {actual}, expected "
        f"{entry.sha256}; delete it and run 'napari-sam2 models download {entry.name}'"
    )


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
    name
        Name of the model.
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
    import filelock

    entry, path = find(name), model_path(name)
    if entry.is_bundled:
        return verify(name).path
    expected = _expected_hash(entry, accept_hash)
    url = f"{base_url.rstrip('/')}/{entry.file}" if base_url else str(entry.url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_name(path.name + ".lock")):
            _retrieve(entry, path, url, expected, progress)
            _remember_accepted(entry, path, expected)
    except OSError as error:
        raise ModelError(
            f"cannot write {path}: {error.strerror or error}; free some space or set "
            f"{CACHE_VARIABLE} to another folder"
        ) from error
    return path


def _retrieve(
    entry: ModelFile,
    path: Path,
    url: str,
    expected: str,
    progress: ProgressCallback | None,
) -> None:
    import pooch

    # Its notes on where it downloads to would break a progress bar.
    pooch.get_logger().setLevel(logging.WARNING)
    pooch.retrieve(
        url,
        known_hash=f"sha256:{expected}",
        fname=path.name,
        path=path.parent,
        downloader=_ResumingDownloader(entry, path, expected, progress),
    )


@dataclass(frozen=True, slots=True)
class _ResumingDownloader:
    """Fills pooch's temporary file by way of a ``.part`` file that outlives a crash."""

    entry: ModelFile
    path: Path
    expected: str
    progress: ProgressCallback | None

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        """Collect the whole file, check it, and only then put it in place."""
        part = self.path.with_name(self.path.name + ".part")
        had_a_start = part.exists()
        if not (had_a_start and file_sha256(part) == self.expected):
            self._collect(url, part)
            if had_a_start and file_sha256(part) != self.expected:
                # The start may be of another file: once more, from nothing.
                part.unlink()
                self._collect(url, part)
            self._check(part, url)
        part.replace(output_file)

    def _collect(self, url: str, part: Path) -> None:
        import requests

        start = part.stat().st_size if part.exists() else 0
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={start}-"}
        try:
            with requests.get(
                url, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS
            ) as response:
                self._append(response, part, start)
        except requests.RequestException as error:
            raise ModelError(self._broken(error, url, part)) from error

    def _append(self, response: requests.Response, part: Path, start: int) -> None:
        if start and response.status_code == 416:
            return  # nothing lies beyond our bytes: they are all there are
        response.raise_for_status()
        if response.status_code != 206:
            start = 0  # a server that knows no ranges sends everything again
        rest = response.headers.get("Content-Length")
        total = start + int(rest) if rest else self.entry.bytes
        here = start
        with part.open("ab" if start else "wb") as stream:
            for chunk in response.iter_content(_CHUNK_BYTES):
                stream.write(chunk)
                here += len(chunk)
                if self.progress is not None:
                    self.progress(here, total)

    def _broken(self, error: requests.RequestException, url: str, part: Path) -> str:
        if error.response is not None:
            return (
                f"{url} answers {error.response.status_code} {error.response.reason}: "
                f"get {self.entry.file} elsewhere and put it at {self.path}"
            )
        here = part.stat().st_size if part.exists() else 0
        if here:
            return (
                f"the download of {url} broke off after {here} bytes: run it again, it "
                "goes on from there"
            )
        return (
            f"cannot reach {url}: check the network, or get the file on another "
            f"machine and put it at {self.path}"
        )

    def _check(self, part: Path, url: str) -> None:
        actual = file_sha256(part)
        if actual == self.expected:
            return
        length, entry = part.stat().st_size, self.entry
        if entry.bytes is not None and length < entry.bytes:
            raise ModelError(
                f"the download of {url} ended after {length} of {entry.bytes} bytes: "
                "run it again, it goes on from there"
            )
        wrong = f"{url} has SHA-256 {actual}, expected {self.expected}"
        if entry.confirmed:
            part.unlink()
            raise ModelError(f"{wrong}: it was not kept; try again, or another network")
        # Kept as it is, so that accepting its hash needs no second download.
        raise ModelError(
            f"{wrong}, but that hash comes from a single source: if you trust this "
            f"file, run 'napari-sam2 models download {entry.name} --accept-hash "
            f"{actual}'"
        )


def _expected_hash(entry: ModelFile, accept_hash: str | None) -> str:
    """Return the hash that a download must have: ours, or the one a person accepts."""
    if accept_hash is None:
        return _accepted_hash(model_path(entry.name)) or str(entry.sha256)
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


def _accepted_hash(path: Path) -> str | None:
    record = _acceptance(path)
    return record.read_text(encoding="ascii").strip() if record.exists() else None


def _remember_accepted(entry: ModelFile, path: Path, expected: str) -> None:
    if expected != entry.sha256:
        _acceptance(path).write_text(expected + "\n", encoding="ascii")


def _absent(entry: ModelFile, path: Path) -> str:
    if entry.is_bundled:
        return f"the bundled model is missing at {path}: install napari-sam2 again"
    return (
        f"{entry.name} is not on this machine: run 'napari-sam2 models download "
        f"{entry.name}', or put {entry.file} into {path.parent}"
    )
