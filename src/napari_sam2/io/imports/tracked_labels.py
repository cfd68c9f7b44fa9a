"""What an importer gives: label images as a stream, and who descends from whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.movies.files.image_headers import refuse_beyond_memory
from napari_sam2.prompts import MAX_OBJECT_ID

BYTES_PER_PIXEL = 16
"""Labels as they are drawn, and again while it is found out which there are."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackedLabels:
    """Masklets of another program; one frame is in memory at a time.

    Attributes
    ----------
    name
        What errors call them.
    frame_count, frame_shape
        T, and ``(Y, X)`` in pixels.
    read
        Returns the ``(Y, X)`` label image of a frame; a label is an object.
    mothers
        Mother of each daughter.

    Raises
    ------
    InputError
        If there is no frame or no pixel, or the free memory does not hold a frame.
    """

    name: str
    frame_count: int
    frame_shape: tuple[int, int]
    read: Callable[[int], np.ndarray]
    mothers: Mapping[int, int] = field(default_factory=dict)
    close: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        height, width = self.frame_shape
        if min(self.frame_count, height, width) < 1:
            raise InputError(
                f"{self.name}: a movie of {self.frame_count} frames of {height} × "
                f"{width} pixels is none"
            )
        refuse_beyond_memory(height * width * BYTES_PER_PIXEL, self.name)

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each frame's number and its ``(Y, X)`` uint16 label image.

        Raises
        ------
        InputError
            If a frame has another shape, or an id is no uint16.
        """
        for frame_index in range(self.frame_count):
            labels = self.read(frame_index)
            where = f"{self.name}, frame {frame_index}"
            if labels.shape != self.frame_shape:
                raise InputError(
                    f"{where}: has {labels.shape} pixels, the others "
                    f"{self.frame_shape}; give images of one movie"
                )
            low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
            if low < 0 or high > MAX_OBJECT_ID:
                raise InputError(
                    f"{where}: id {high if low >= 0 else low} is out of range; ids are "
                    f"1 to {MAX_OBJECT_ID}, 0 is the background"
                )
            yield frame_index, labels.astype(np.uint16)

    def check_fits(self, frame_count: int, frame_shape: tuple[int, int]) -> None:
        """Refuse labels of another movie.

        Raises
        ------
        InputError
            If frames or their shape are others.
        """
        ours = (self.frame_count, *self.frame_shape)
        if ours != (frame_count, *frame_shape):
            raise InputError(
                f"{self.name}: holds labels of shape (T, Y, X) = {ours}, the movie has "
                f"{(frame_count, *frame_shape)}; give results of this movie"
            )
