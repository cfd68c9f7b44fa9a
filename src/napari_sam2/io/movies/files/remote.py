"""OME-Zarr that lies on a server: http, S3 and whatever else fsspec reaches.

How a server is asked (region, endpoint, anonymous access) is set up as fsspec has it,
in its configuration file or in the environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import zarr
from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import FsspecStore, WrapperStore

from napari_sam2.io.optional_packages import optional_package

EXTRA = "remote"


def open_remote(url: str) -> zarr.Group | zarr.Array:
    """Open a zarr group or array on a server, to be read.

    Raises
    ------
    InputError
        If the packages for it are not installed.
    OSError
        If the server does not answer, or has no such thing.
    """
    optional_package("fsspec", EXTRA)
    optional_package("aiohttp" if url.startswith("http") else "s3fs", EXTRA)
    with _as_os_errors():
        store = RemoteStore(FsspecStore.from_url(url, read_only=True))
        return zarr.open(store, mode="r")


class RemoteStore(WrapperStore[FsspecStore]):
    """Lets what network libraries raise be `ConnectionError`, which may pass."""

    async def get(
        self,
        key: str,
        prototype: BufferPrototype,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Return what lies at a key."""
        with _as_os_errors():
            return await super().get(key, prototype, byte_range)


@contextmanager
def _as_os_errors() -> Iterator[None]:
    try:
        yield
    except _network_errors() as error:
        raise ConnectionError(f"the server cannot be asked: {error}") from error


def _network_errors() -> tuple[type[Exception], ...]:
    """Return the errors of network libraries that are no `OSError`, as installed."""
    found: list[Any] = []
    if find_spec("aiohttp") is not None:
        found.append(optional_package("aiohttp", EXTRA).ClientError)
    if find_spec("botocore") is not None:
        exceptions = optional_package("botocore.exceptions", EXTRA)
        found += [exceptions.BotoCoreError, exceptions.ClientError]
    return tuple(found)
