"""A simulated movie seen through a stage that jumps and visits other places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.synthetic.config import MovieConfig
from napari_sam2.synthetic.movie import SimulatedMovie

ELSEWHERE = 1000
"""Added to a movie's seed: the other place has cells of its own."""

Jump = tuple[int, int, int]
"""Frame, and the pixels down and to the right that all is further on from there on."""

Cover = tuple[int, int, tuple[slice, slice]]
"""First frame, the one after the last, and the part of the window that is covered."""


class StagedMovie:
    """A window of a simulated field, and what else the stage shows meanwhile.

    The field goes on while nobody looks: cells that left with the stage have moved when
    it comes back. A jump on every frame is a drift.

    Parameters
    ----------
    config
        The field; its ``frame_shape`` is what there is, not what is seen.
    frame_shape
        ``(Y, X)`` of the window in pixels. It begins in the middle of the field.
    jumps
        When and how far the picture moves.
    cuts
        ``(first, stop)`` frames on which another field is shown.
    covers
        Where something flat and grey lies over the cells, which go on below it.

    Raises
    ------
    InputError
        If the window leaves the field.
    """

    def __init__(
        self,
        config: MovieConfig,
        frame_shape: tuple[int, int],
        *,
        jumps: Sequence[Jump] = (),
        cuts: Sequence[tuple[int, int]] = (),
        covers: Sequence[Cover] = (),
    ) -> None:
        self.frame_shape, self.frame_count = frame_shape, config.frame_count
        self._field = SimulatedMovie(config)
        self._other = SimulatedMovie(replace(config, seed=config.seed + ELSEWHERE))
        self._cuts, self._covers = tuple(cuts), tuple(covers)
        self._origins = self._walked(jumps)

    def frame(self, frame_index: int) -> np.ndarray:
        """Return one frame, ``(Y, X)`` uint8 or uint16."""
        field = self._other if self._is_cut(frame_index) else self._field
        picture = field.frame(frame_index)
        return self._seen(picture, frame_index, cover=int(np.median(picture)))

    def labels(self, frame_index: int) -> np.ndarray:
        """Return the truth of one frame, ``(Y, X)`` uint16: nothing where it is cut."""
        if self._is_cut(frame_index):
            return np.zeros(self.frame_shape, np.uint16)
        return self._seen(self._field.labels(frame_index), frame_index, cover=0)

    def _is_cut(self, frame_index: int) -> bool:
        return any(first <= frame_index < stop for first, stop in self._cuts)

    def _seen(self, picture: np.ndarray, frame_index: int, cover: int) -> np.ndarray:
        y, x = self._origins[frame_index]
        seen = picture[y : y + self.frame_shape[0], x : x + self.frame_shape[1]].copy()
        for first, stop, part in self._covers:
            if first <= frame_index < stop:
                seen[part] = cover
        return seen

    def _walked(self, jumps: Sequence[Jump]) -> np.ndarray:
        """Return ``(frames, 2)`` integer: the window's first pixel on every frame."""
        field = np.asarray(self._field.frame_shape)
        steps = np.zeros((self.frame_count, 2), np.int64)
        for frame_index, down, right in jumps:
            steps[frame_index:] -= (down, right)
        origins: np.ndarray = (field - self.frame_shape) // 2 + steps
        outside = ((origins < 0) | (origins + self.frame_shape > field)).any(axis=1)
        if outside.any():
            raise InputError(
                f"staged movie: on frame {int(np.argmax(outside))} the window leaves "
                "the field: make the field larger or the jumps smaller"
            )
        return origins
