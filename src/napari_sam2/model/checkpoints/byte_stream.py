"""The bytes behind an address, from a thread of their own.

A read from a silent server blocks for up to a minute, and nothing can interrupt it. So
a daemon thread does the reading; whoever wants the bytes waits a moment at a time, and
may walk away at any.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import requests

PATIENCE = 0.2
"""Seconds after which a waiting reader is asked whether it still wants to wait."""

LONGEST_WAIT = 60.0
"""Seconds in which a piece has to come: what is slower than 1 kB/s never ends."""

_CHUNK_BYTES = 1 << 16
_TIMEOUT_SECONDS = (15, 60)  # to connect, between two chunks
_CHUNKS_AHEAD = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server says before it sends anything.

    Attributes
    ----------
    start
        The first byte that it will send.
    total
        Bytes of the whole file, if it says so.
    """

    start: int
    total: int | None


@dataclass(frozen=True, slots=True)
class _End:
    """The last item: why it ended early, if it did."""

    error: requests.RequestException | None = None


class ByteStream:
    """The bytes behind an address, from some byte on.

    Iterating gives an `Answer` first, then pieces of bytes, and None whenever nothing
    came for a moment; a `requests.RequestException` tells that no more will come.
    `close` ends it at once; the thread then ends by itself.

    Parameters
    ----------
    start
        First byte that is wanted.
    """

    def __init__(self, url: str, start: int) -> None:
        self._url, self._start = url, start
        self._items: Queue[Answer | bytes | _End] = Queue(_CHUNKS_AHEAD)
        self._is_closed = threading.Event()
        thread = threading.Thread(
            target=self._read, name="napari-sam2-download", daemon=True
        )
        thread.start()

    def __iter__(self) -> Iterator[Answer | bytes | None]:
        import requests

        waited = 0.0
        while True:
            try:
                item = self._items.get(timeout=PATIENCE)
            except Empty:
                waited += PATIENCE
                if waited > LONGEST_WAIT:
                    raise requests.Timeout(f"nothing in {LONGEST_WAIT:g} s") from None
                yield None
                continue
            waited = 0.0
            if not isinstance(item, _End):
                yield item
            elif item.error is None:
                return
            else:
                raise item.error

    def close(self) -> None:
        """Want no more."""
        self._is_closed.set()

    def _read(self) -> None:
        import requests
        from urllib3.exceptions import HTTPError

        headers = {"Accept-Encoding": "identity", "Range": f"bytes={self._start}-"}
        error: requests.RequestException | None = None
        try:
            with requests.get(
                self._url, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS
            ) as response:
                self._read_answer(response)
        except requests.RequestException as broken:
            error = broken
        except (HTTPError, OSError, ValueError) as broken:
            # What requests lets through, such as a redirect to no address.
            error = requests.RequestException(broken)
        finally:
            self._put(_End(error))  # whatever happened: somebody waits for it

    def _read_answer(self, response: requests.Response) -> None:
        if self._start and response.status_code == 416:
            return  # nothing lies beyond our bytes: they are all there are
        response.raise_for_status()
        # A server that knows no ranges sends everything again.
        start = self._start if response.status_code == 206 else 0
        rest = response.headers.get("Content-Length", "")
        self._put(Answer(start, start + int(rest) if rest.isdecimal() else None))
        for piece in response.iter_content(_CHUNK_BYTES):
            if not self._put(piece):
                return

    def _put(self, item: Answer | bytes | _End) -> bool:
        """Hand an item over; return False if nobody wants it any more."""
        while not self._is_closed.is_set():
            try:
                self._items.put(item, timeout=PATIENCE)
            except Full:
                continue
            return True
        return False
