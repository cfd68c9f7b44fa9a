"""Label images as a movie: one frame at a time, whatever file they lie in."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.movies.axes import FrameLayout, FrameSelection, lay_out_frames
from napari_sam2.io.movies.files.image_stacks import ImageStack
from napari_sam2.io.movies.frame_sources import StackFrames
from napari_sam2.io.movies.label_images import (
    as_labels,
    color_ids,
    holds_colors,
    open_label_images,
)


@dataclass(frozen=True, slots=True)
class LabelSelection:
    """Which part of a file the labels are; as for a movie, but of one channel."""

    axes: str | None = None
    t: int | None = None
    z: int | None = None
    channel: int | None = None


EVERYTHING = LabelSelection()


class LabelFrames:
    """A movie of label images.

    Parameters
    ----------
    name
        What errors call it.
    frame_count, frame_shape
        How many, and ``(Y, X)``.
    read
        From a frame to its ``(Y, X)`` labels.

    Attributes
    ----------
    saw_colors
        Whether a frame that was read was in colour, whose ids are no numbers of labels.
    dtype
        Of the frame that was read last; None before that.
    """

    def __init__(
        self,
        name: str,
        frame_count: int,
        frame_shape: tuple[int, int],
        read: Callable[[int], np.ndarray],
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.frame_count = frame_count
        self.frame_shape = frame_shape
        self.saw_colors = False
        self.dtype: np.dtype | None = None
        self._read = lru_cache(maxsize=1)(read)  # looked at, then scored
        self.close = close

    def read(self, frame_index: int) -> np.ndarray:
        """Return the ``(Y, X)`` integer labels of a frame, 0 for background.

        Raises
        ------
        InputError
            If the file is broken there, or holds no labels.
        """
        labels = self._read(frame_index)
        self.saw_colors = self.saw_colors or holds_colors(labels)
        self.dtype = labels.dtype
        return labels


def cut_label_frames(
    path: str | os.PathLike[str], selection: LabelSelection
) -> LabelFrames:
    """Open label images of any kind as a movie.

    Raises
    ------
    InputError
        If they cannot be read, or there are more planes or channels than one and none
        was chosen.
    """
    stack = open_label_images(path)
    try:
        if stack.dtype.kind not in "biuf":
            raise InputError(f"{path}: labels are whole numbers, not {stack.dtype}")
        layout = lay_out_labels(stack, selection)
    except BaseException:
        stack.close()
        raise
    frames = StackFrames(stack, layout, Calibration())

    def read(frame_index: int) -> np.ndarray:
        planes = frames.read_raw(frame_index)
        where = f"{stack.name}, frame {frame_index}"
        if len(planes) == 1:
            return as_labels(planes[0], where)
        if planes.dtype.kind not in "bu":
            raise InputError(f"{where}: colours are whole numbers, not {planes.dtype}")
        return color_ids(np.moveaxis(planes, 0, -1))

    return LabelFrames(
        stack.name, layout.frame_count, layout.frame_shape, read, frames.close
    )


def lay_out_labels(
    stack: ImageStack,
    selection: LabelSelection = EVERYTHING,
    *,
    axes: Sequence[str] | None = None,
) -> FrameLayout:
    """Decide which axis of label images is the frame, and what is fixed.

    ``axes`` are those of the file by default: who knows more than it says gives them.

    Raises
    ------
    InputError
        See `napari_sam2.io.movies.axes.lay_out_frames`.
    """
    channels = None if selection.channel is None else (selection.channel,)
    layout = lay_out_frames(
        stack.shape,
        known_axes=axes or stack.axes,
        selection=FrameSelection(
            selection.axes, selection.t, selection.z, channels, most_channels=1
        ),
        name=stack.name,
    )
    if layout.channel_axis != "S" or channels is not None:
        return layout
    # How opaque a pixel is says where the background is.
    return replace(layout, channels=tuple(range(layout.length("S"))))
