"""Films (MP4, AVI, …) as image stacks, decoded by PyAV."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.movies.calibration import AxisScale
from napari_sam2.io.movies.files.image_stacks import DAMAGED, Index, read_pages, reading

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".m4v", ".webm", ".mpg", ".mpeg")
GREY_FORMATS = ("gray", "gray10le", "gray12le", "gray16le", "gray16be")
LASTS = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)", re.ASCII)


class VideoStack:
    """The frames of a film: ``(T, Y, X, 3)`` RGB, or grey, both as deep as it is.

    Reading goes on from the frame before; other frames are sought from the nearest
    frame that is stored whole.

    Parameters
    ----------
    path
        The film; its first video stream is read.

    Raises
    ------
    InputError
        If PyAV is missing, there is no video, or it is damaged.
    """

    axes_from = "its format"

    def __init__(self, path: Path) -> None:
        try:
            import av
        except ImportError as error:
            raise InputError(
                f"{path} is a film, which needs a package that is not installed: "
                'pip install "napari-sam2[video]"'
            ) from error
        self.name = str(path)
        self._failures = av.FFmpegError
        self._lock = Lock()
        with reading(path, DAMAGED, "film"), self._decoding():
            self._container = av.open(str(path))
        try:
            with reading(path, DAMAGED, "film"), self._decoding():
                self._look_through()
        except BaseException:
            self._container.close()
            raise

    @property
    def scales(self) -> Mapping[str, AxisScale]:
        """Seconds from frame to frame."""
        return {"T": AxisScale(1 / self._rate, "second")} if self._rate else {}

    def chunk_starts(self, axis: int) -> Sequence[int]:
        """Return where frames begin along an axis."""
        return range(self.shape[0]) if axis == 0 else (0,)

    def read(self, index: Index) -> np.ndarray:
        """Return the part that an index of integers and slices names."""
        with self._lock, self._decoding():
            return read_pages(index, self.shape[:1], self._read_frame)

    def close(self) -> None:
        """Close the film."""
        self._container.close()

    def _look_through(self) -> None:
        """Count the frames: what a film says of their number is often not so."""
        if not self._container.streams.video:
            raise InputError(f"{self.name} holds no video")
        self._stream = self._container.streams.video[0]
        self._rate = float(self._stream.average_rate or 0)
        times, end = [], 0
        for packet in self._container.demux(self._stream):
            if packet.is_corrupt:
                raise EOFError("the film ends inside a frame, or one is damaged")
            # What was cut off at the beginning is there, and never shown.
            if packet.pts is not None and not packet.is_discard:
                times.append(packet.pts)
                end = max(end, packet.pts + (packet.duration or 0))
        if not times:
            raise InputError(f"{self.name} holds no frames")
        self._check_end(float(end * (self._stream.time_base or 0)))
        times.sort()
        self._times = times
        self._number = {time: number for number, time in enumerate(times)}
        self._next = -1
        first = self._pixels(self._decode_from(0))
        self.dtype = first.dtype
        self.axes = ("T", "Y", "X", "S")[: 1 + first.ndim]
        self.shape = (len(times), *first.shape)

    def _check_end(self, end: float) -> None:
        """Refuse a film that ends before the time that Matroska says, in seconds."""
        said = LASTS.fullmatch(self._stream.metadata.get("DURATION", ""))
        if said is None or not self._rate:
            return
        hours, minutes, seconds = map(float, said.groups())
        if 3600 * hours + 60 * minutes + seconds > end + 1.5 / self._rate:
            raise EOFError(f"the film lasts until {said.group()}, but ends before")

    def _read_frame(self, number: int) -> np.ndarray:
        if number != self._next:
            return self._pixels(self._decode_from(number))
        frame = next(self._frames, None)
        if frame is None or frame.pts != self._times[number]:
            return self._pixels(self._decode_from(number))
        self._next = number + 1
        return self._pixels(frame)

    def _decode_from(self, number: int) -> Any:
        """Seek to a frame and return it; further ones follow in `_frames`."""
        time = self._times[number]
        self._container.seek(time, stream=self._stream, backward=True)
        self._frames = self._container.decode(self._stream)
        for frame in self._frames:
            if frame.pts is not None and frame.pts >= time:
                self._next = number + 1
                return frame
        raise EOFError("the film ends before this frame")

    def _pixels(self, frame: Any) -> np.ndarray:
        name = frame.format.name
        if name not in GREY_FORMATS:
            bits = max(component.bits for component in frame.format.components)
            name = "rgb48le" if bits > 8 else "rgb24"
        pixels: np.ndarray = frame.to_ndarray(format=name)
        return pixels

    @contextmanager
    def _decoding(self) -> Iterator[None]:
        """Turn FFmpeg's errors into what every reader of files raises."""
        try:
            yield
        except OSError:
            raise
        except self._failures as error:
            raise OSError(str(error)) from error
