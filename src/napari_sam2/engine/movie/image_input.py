"""A movie as the model sees it: a frozen picture of layers, opened in the worker.

Which channels it sees, how each is shown, and the frames that are put together of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_sam2.engine.movie.axes import LayerAxes
from napari_sam2.interfaces import Calibration, FrameSource
from napari_sam2.io.movies.frame_sources import StackFrames, open_frames
from napari_sam2.io.movies.intensity import IntensityMapping
from napari_sam2.io.movies.wrapped_frames import WrappedFrames
from napari_sam2.tiles import TileLayout, Window

GREY = "grey"


COLORS = ("red", "green", "blue")


@dataclass(frozen=True, slots=True)
class ChannelSource:
    """One channel of one layer.

    Attributes
    ----------
    index
        Which of its channels; None if it has no axis of channels.
    title
        What people call it; another name makes it no other channel.
    """

    layer_id: Hashable
    index: int | None
    title: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Look:
    """How intensities become brightness.

    Attributes
    ----------
    limits
        What is black and what is white.
    invert
        Whether dark is shown as bright.
    """

    limits: tuple[float, float]
    gamma: float = 1.0
    invert: bool = False


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """One channel that the model sees.

    Attributes
    ----------
    color
        ``"grey"`` for one that is seen alone, else ``"red"``, ``"green"``, ``"blue"``.
    look
        A look of its own; None for that of its layer.
    """

    color: str
    source: ChannelSource
    look: Look | None = None


PICTURE_SIDE = 256
"""Pixels of the longer side of a small picture."""

RGB_DIMENSIONS = 3


class MergedFrames(WrappedFrames):
    """Frames put together of channels that lie in several arrays.

    Fulfils `napari_sam2.interfaces.FrameSource`.

    Parameters
    ----------
    parts
        Sources of equal frames, and for each of its channels which column of the
        picture it goes to: 0 red, 1 green, 2 blue. A channel of one alone is grey.
    """

    def __init__(self, parts: Sequence[tuple[StackFrames, tuple[int, ...]]]) -> None:
        self._parts = tuple(parts)
        super().__init__(self._parts[0][0])

    @property
    def provenance(self) -> Mapping[str, object]:
        """JSON-able description: that of each part, and the colours it gives."""
        parts = [
            {**frames.provenance, "colors": [COLORS[at] for at in targets]}
            for frames, targets in self._parts
        ]
        names = dict.fromkeys(str(part["source"]) for part in parts)
        return {"source": " + ".join(names), "parts": parts}

    def read(self, frame_index: int) -> np.ndarray:
        """Return one frame as the model sees it: ``(Y, X, 3)`` uint8 RGB."""
        return self.read_both(frame_index)[0]

    def read_raw(self, frame_index: int) -> np.ndarray:
        """Return the channels as they are stored: ``(channels, Y, X)``, one dtype."""
        return self.read_both(frame_index)[1]

    def read_both(self, frame_index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what `read` and `read_raw` return, reading the frame once."""
        image = np.zeros((*self.frame_shape, RGB_DIMENSIONS), np.uint8)
        planes = []
        for frames, targets in self._parts:
            part, stored = frames.read_both(frame_index)
            planes.append(stored)
            for column, target in enumerate(targets):
                image[..., target] = part[..., column]
        return image, np.concatenate(planes)

    def close(self) -> None:
        """Release the files; reading afterwards is an error."""
        for frames, _ in self._parts:
            frames.close()


def small_picture(
    frames: FrameSource,
    frame_index: int,
    side: int = PICTURE_SIDE,
    region: Window | None = None,
) -> np.ndarray:
    """Return a frame as the model sees it, made small; to be called in the worker.

    Parameters
    ----------
    side
        Most pixels of the longer side.
    region
        The part of the frame that is looked at; None for all of it.

    Returns
    -------
    np.ndarray
        ``(Y, X, 3)`` uint8, each pixel the mean of a square of the frame.
    """
    frame = frames.read(frame_index)
    if region is not None:
        frame = TileLayout.of_region(frames.frame_shape, region).crop(frame, 0)
    step = -(-max(frame.shape[:2]) // side)
    if step == 1:
        return frame
    rows, columns = (length // step for length in frame.shape[:2])
    if not rows or not columns:  # thinner than a square
        return frame[::step, ::step]
    squares = frame[: rows * step, : columns * step].reshape(
        rows, step, columns, step, RGB_DIMENSIONS
    )
    picture: np.ndarray = squares.mean(axis=(1, 3)).round().astype(np.uint8)
    return picture


@dataclass(frozen=True, slots=True)
class SeenChannel:
    """One channel as the model sees it.

    Attributes
    ----------
    color
        ``"grey"`` for one that is seen alone, else ``"red"``, ``"green"``, ``"blue"``.
    """

    color: str
    source: ChannelSource
    look: Look
    array_id: int
    array: Any = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ImageInput:
    """A movie to track in, cut out of one or several image layers.

    Two are equal if they give the same frames.

    Attributes
    ----------
    is_rgb
        Whether samples of RGB follow the last dimension.
    channels
        What becomes grey, or red, green and blue; empty for RGB, seen as it is.
    array
        The pixels: numpy, dask, zarr, xarray; the finest level of a pyramid.
    """

    layer_id: Hashable
    array_id: int
    name: str
    axes: LayerAxes
    is_rgb: bool
    channels: tuple[SeenChannel, ...]
    calibration: Calibration
    array: Any = field(compare=False, repr=False)

    @property
    def movie_key(self) -> Hashable:
        """What decides which masklets belong to it; contrast and channels do not."""
        return self.layer_id, self.array_id, self.axes

    @property
    def choices(self) -> tuple[ChannelChoice, ...]:
        """The channels as they were chosen, each with its look."""
        return tuple(
            ChannelChoice(channel.color, channel.source, channel.look)
            for channel in self.channels
        )

    @property
    def mapping(self) -> IntensityMapping:
        """From the intensities of all channels to brightness.

        ``invert`` is that of the first; `open` gives each channel its own.
        """
        if self.is_rgb:
            return _rgb_mapping(np.dtype(self.array.dtype))
        return _mapping(self.channels)

    def open(self) -> StackFrames | MergedFrames:
        """Open the frames; to be called, and read from, in the worker.

        Raises
        ------
        InputError
            If an array holds no intensities.
        """
        if self.is_rgb:
            return self._frames(self.array, None, self.mapping, self.name)
        groups: dict[tuple[int, bool], list[SeenChannel]] = {}
        for channel in self.channels:
            key = (channel.array_id, channel.look.invert)
            groups.setdefault(key, []).append(channel)
        parts = [(self._part(group), _targets(group)) for group in groups.values()]
        only, targets = parts[0]
        if len(parts) == 1 and targets == tuple(range(len(targets))):
            return only
        return MergedFrames(parts)

    def _part(self, channels: Sequence[SeenChannel]) -> StackFrames:
        """Open channels of one array that are inverted alike."""
        first = channels[0]
        indices = [channel.source.index for channel in channels]
        along = [index for index in indices if index is not None]
        name = self.name if first.array_id == self.array_id else first.source.title
        return self._frames(first.array, along or None, _mapping(channels), name)

    def _frames(
        self,
        array: Any,
        channels: Sequence[int] | None,
        mapping: IntensityMapping,
        name: str,
    ) -> StackFrames:
        letters = self.axes.letters + ("S" if self.is_rgb else "")
        by_letter = {self.axes.letters[axis]: at for axis, at in self.axes.fixed}
        return open_frames(
            array,
            axes=letters,
            t=by_letter.get("T"),
            z=by_letter.get("Z"),
            channels=by_letter.get("C") if channels is None else channels,
            mapping=mapping,
            calibration=self.calibration,
            name=name,
        )


def _targets(channels: Sequence[SeenChannel]) -> tuple[int, ...]:
    """Return the columns of the picture that channels go to; grey goes to the first."""
    return tuple(
        0 if channel.color == GREY else COLORS.index(channel.color)
        for channel in channels
    )


def _mapping(channels: Sequence[SeenChannel]) -> IntensityMapping:
    return IntensityMapping(
        limits=tuple(channel.look.limits for channel in channels),
        gamma=tuple(channel.look.gamma for channel in channels),
        invert=channels[0].look.invert,
    )


def _rgb_mapping(dtype: np.dtype) -> IntensityMapping:
    """Return what the canvas does to RGB.

    napari shows it from black to the largest value of its dtype, whatever the limits.
    """
    if dtype == np.uint8:
        return IntensityMapping(gamma=(1.0, 1.0, 1.0))
    white = float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0
    return IntensityMapping(limits=((0.0, white),) * 3, gamma=(1.0, 1.0, 1.0))
