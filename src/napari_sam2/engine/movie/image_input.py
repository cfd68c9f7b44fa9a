"""A movie as the model sees it: a frozen picture of layers, opened in the worker."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2.engine.movie.axes import LayerAxes
from napari_sam2.engine.movie.channels import (
    COLORS,
    GREY,
    ChannelChoice,
    ChannelSource,
    Look,
)
from napari_sam2.engine.movie.merged_frames import MergedFrames
from napari_sam2.interfaces import Calibration
from napari_sam2.io.movies.frame_sources import StackFrames, open_frames
from napari_sam2.io.movies.intensity import IntensityMapping

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class SeenChannel:
    """One channel as the model sees it.

    Attributes
    ----------
    color
        ``"grey"`` for one that is seen alone, else ``"red"``, ``"green"``, ``"blue"``.
    source
        Which channel of which layer.
    look
        How its intensities become brightness.
    array_id
        Which array the layer held.
    array
        The pixels.
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
    layer_id, array_id
        Which layer, and which array it held.
    name
        What people call it.
    axes
        Where frames lie in it.
    is_rgb
        Whether samples of RGB follow the last dimension.
    channels
        What becomes grey, or red, green and blue; empty for RGB, seen as it is.
    calibration
        Physical scale, for the labels.
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
            ChannelChoice(one.color, one.source, one.look) for one in self.channels
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
        indices = [one.source.index for one in channels]
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
        0 if one.color == GREY else COLORS.index(one.color) for one in channels
    )


def _mapping(channels: Sequence[SeenChannel]) -> IntensityMapping:
    return IntensityMapping(
        limits=tuple(one.look.limits for one in channels),
        gamma=tuple(one.look.gamma for one in channels),
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
