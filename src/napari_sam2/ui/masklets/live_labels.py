"""Label images of a movie in memory, filled by the worker, painted on by napari.

Nothing of napari or Qt. Who draws gets what is there at once; a frame that is not is
background for it, and asked for: it comes later. Who reads gets what is true, from disk
where it must. Frames are kept compressed (a tenth of a millisecond for 512², two for
2048²), so that hundreds fit where one fitted before.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import Any

import numpy as np
from numcodecs import Zstd

MAX_BYTES = 256_000_000
ASK_AGAIN_S = 3.0
"""A frame that did not come for so long is asked for again when it is looked at."""

KEEPER_IS_GONE = (
    "Open the SAM 2 Tracker and this session in it: it keeps what is painted"
)


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """What was painted on one frame: ``(Y, X)`` labels before and after it."""

    frame_index: int
    before: np.ndarray
    after: np.ndarray


class LiveLabels:
    """Label images ``(Y, X)`` of a movie, which come and go.

    May be read from any thread; all else belongs to the main thread.

    Parameters
    ----------
    shape
        ``(T, Y, X)``.
    read_frame
        Returns the ``(Y, X)`` labels of a frame as they are on disk; called in any
        thread. None if they lie nowhere else: frames that nobody brought are empty.
    max_bytes
        Memory for frames nobody paints on. The ones used least go first, but none of a
        volume that is looked at.

    Attributes
    ----------
    notify
        Called, in any thread, when the first of some frames is missed; `take_wanted`
        names them. None as long as nobody brings frames, nor keeps what is painted.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        dtype: np.typing.DTypeLike,
        read_frame: Callable[[int], np.ndarray] | None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.shape = shape
        self.dtype: np.dtype = np.dtype(dtype)
        self.notify: Callable[[], None] | None = None
        self._read_frame = read_frame
        self._max_bytes = max_bytes
        self._codec = Zstd(level=1)
        self._packed: OrderedDict[int, bytes] = OrderedDict()
        self._size = 0
        self._unpacked: tuple[int, np.ndarray] | None = None
        self._painted: dict[int, Stroke] = {}
        self._wanted: list[int] = []
        self._asked: dict[int, float] = {}
        self._volume: frozenset[int] = frozenset()
        self._outdated: set[int] = set()
        self._refused: set[int] = set()
        self._lock = RLock()

    # --- As label images in a layer

    def read(self, frames: Iterable[int]) -> Iterator[np.ndarray]:
        """Give the labels of frames; those that are missing are read from disk, here.

        Nobody else is waited for, so that it may be done in any thread.
        """
        read_frame = self._read_frame
        for frame_index in frames:
            with self._lock:
                there = self._there(frame_index)
                # What nobody brings may be out of date, and nobody would tell.
                is_true = self.notify is not None and self.is_loaded(frame_index)
            yield there if is_true or read_frame is None else read_frame(frame_index)

    def look(self, frames: Sequence[int]) -> Iterator[np.ndarray]:
        """Give what is there of frames, and ask for the rest."""
        with self._lock:
            self._volume = frozenset(frames if len(frames) > 1 else ())
            if self.notify is None and self._read_frame is not None:
                for frame_index in frames:
                    if not self.is_loaded(frame_index):
                        self._keep(frame_index, self._read_frame(frame_index))
            self.ask(frames)
        return map(self._there, frames)

    def paint(self, frame_index: int, rows: Any, columns: Any, labels: Any) -> None:
        """Paint on a frame; one that is not there yet stays as it is.

        Raises
        ------
        RuntimeError
            If nobody is there who keeps what is painted.
        """
        if self.notify is None:
            raise RuntimeError(KEEPER_IS_GONE)
        with self._lock:
            stroke = self._painted.get(frame_index)
            if stroke is None:
                if not self.is_loaded(frame_index):
                    self._refused.add(frame_index)
                    self.ask([frame_index])
                    return
                before = self._there(frame_index)
                stroke = Stroke(frame_index, before, before.copy())
                self._painted[frame_index] = stroke
            stroke.after[rows, columns] = labels

    # --- What comes and goes

    def is_loaded(self, frame_index: int) -> bool:
        """Whether a frame is as it is on disk, or painted on."""
        with self._lock:
            is_kept = frame_index in self._packed and frame_index not in self._outdated
            return is_kept or frame_index in self._painted

    def put(self, frame_index: int, labels: np.ndarray) -> bool:
        """Take a frame; return False if somebody paints on it just now.

        It is not needed then: the frame comes again when the stroke is stored.
        """
        with self._lock:
            self._asked.pop(frame_index, None)
            stroke = self._painted.get(frame_index)
            if stroke is not None:
                if not np.array_equal(stroke.before, stroke.after):
                    return False
                del self._painted[frame_index]
            self._keep(frame_index, labels)
            return True

    def forget(self, frames: Iterable[int] | None = None) -> None:
        """Let frames be asked for anew; all frames if none are named.

        Until they come they are seen as they were, and not to be painted on.
        """
        with self._lock:
            outdated = range(self.shape[0]) if frames is None else frames
            for frame in outdated:
                self._outdated.add(frame)
                self._asked.pop(frame, None)

    def ask(self, frames: Iterable[int]) -> None:
        """Ask for those frames that are missing, unless that was done just now."""
        now = time.monotonic()
        with self._lock:
            missed = [
                frame
                for frame in dict.fromkeys(frames)
                if 0 <= frame < self.shape[0]
                and not self.is_loaded(frame)
                and now - self._asked.get(frame, -ASK_AGAIN_S) >= ASK_AGAIN_S
            ]
            self._asked.update(dict.fromkeys(missed, now))
            is_first = bool(missed) and not self._wanted
            self._wanted.extend(missed)
            notify = self.notify
        if is_first and notify is not None:
            notify()

    def take_wanted(self) -> list[int]:
        """Return the frames asked for since the last call, in the order of asking."""
        with self._lock:
            wanted, self._wanted = self._wanted, []
        return wanted

    # --- Strokes

    @property
    def is_painted(self) -> bool:
        """Whether there are strokes that nobody took."""
        return bool(self._painted)

    def take_strokes(self) -> list[Stroke]:
        """Return what was painted since the last call, of frames that have changed."""
        with self._lock:
            strokes = list(self._painted.values())
            self._painted.clear()
            for stroke in strokes:
                self._keep(stroke.frame_index, stroke.after)
        return [
            stroke
            for stroke in strokes
            if not np.array_equal(stroke.before, stroke.after)
        ]

    def take_refused(self) -> set[int]:
        """Return frames that could not be painted on, since the last call."""
        with self._lock:
            refused, self._refused = self._refused, set()
        return refused

    # --- Steps

    def _there(self, frame_index: int) -> np.ndarray:
        """Return what is there of a frame, which the caller may not change."""
        with self._lock:
            stroke = self._painted.get(frame_index)
            if stroke is not None:
                return stroke.after
            if frame_index in self._packed:
                return self._unpack(frame_index)
        return np.zeros(self.shape[1:], self.dtype)

    def _unpack(self, frame_index: int) -> np.ndarray:
        self._packed.move_to_end(frame_index)
        if self._unpacked is not None and self._unpacked[0] == frame_index:
            return self._unpacked[1]
        raw = self._codec.decode(self._packed[frame_index])
        labels: np.ndarray = np.frombuffer(raw, self.dtype).reshape(self.shape[1:])
        self._unpacked = frame_index, labels
        return labels

    def _keep(self, frame_index: int, labels: np.ndarray) -> None:
        fitting = np.ascontiguousarray(labels, self.dtype)
        if fitting.shape != self.shape[1:]:
            raise ValueError(f"labels are {fitting.shape}, frames {self.shape[1:]}")
        self._unpacked = None
        self._outdated.discard(frame_index)
        self._size -= len(self._packed.pop(frame_index, b""))
        self._packed[frame_index] = packed = bytes(self._codec.encode(fitting))
        self._size += len(packed)
        for gone in [frame for frame in self._packed if frame not in self._volume][:-1]:
            if self._size <= self._max_bytes:
                break
            self._size -= len(self._packed.pop(gone))
