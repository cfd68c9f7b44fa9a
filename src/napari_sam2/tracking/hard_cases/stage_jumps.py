"""The stage jumps, or the movie is cut: memories are moved along, or forgotten."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch
from torch import Tensor

from napari_sam2.interfaces import Arrays
from napari_sam2.tracking.hard_cases.case import HardCase
from napari_sam2.tracking.hard_cases.registration import change_between, small_picture
from napari_sam2.tracking.memory.bank import MemoryBank
from napari_sam2.tracking.preprocess import check_frame

NO_FRAME = -2
"""Is next to no frame."""


class StageJumps(HardCase):
    """Compares each frame with the one before it, whichever way the stream runs.

    After a jump of half a token or more, what is remembered is moved along before
    attention; what moves less is the network's business. After a cut recent frames are
    forgotten: only anchors tell of the objects then.
    """

    def __init__(self, bank: MemoryBank) -> None:
        self._bank = bank
        self._frame_index, self._picture = NO_FRAME, torch.zeros(1, 1)

    def show(self, frame_index: int, frame: np.ndarray) -> None:
        """Note a jump, or forget what was before a cut."""
        if frame_index == self._frame_index:
            return
        check_frame(frame, self._bank.layout.frame_shape)
        picture = small_picture(frame)
        if abs(frame_index - self._frame_index) == 1:
            self._follow(frame_index, frame.shape[:2], picture)
        self._frame_index, self._picture = frame_index, picture

    def _follow(self, frame_index: int, shape: tuple[int, ...], now: Tensor) -> None:
        """Compare a frame with the one shown before, in the order of time."""
        is_forward = frame_index > self._frame_index
        pair = (self._picture, now) if is_forward else (now, self._picture)
        change = change_between(*pair)
        if change.is_cut:
            self._bank.forget_recent()
            return
        pixels = np.round(np.multiply(change.shift, shape) / now.shape)
        token = np.divide(self._bank.layout.tile_shape, self._bank.grid)
        if (np.abs(pixels) >= token / 2).any():
            down, right = pixels.astype(int).tolist()
            self._bank.stage.add(max(frame_index, self._frame_index), (down, right))

    def forget(self, object_ids: Collection[int] | None = None) -> None:
        """Forget all jumps, and the frame before; they are those of all objects."""
        if object_ids is not None:
            return
        self._bank.stage.clear()
        self._frame_index = NO_FRAME

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return the jumps and the last frame, small."""
        return {
            "stage_jumps": self._bank.stage.to_array(),
            "stage_frame": np.asarray([self._frame_index], np.int64),
            "stage_picture": self._picture.numpy(),
        }

    def restore(self, arrays: Arrays) -> None:
        """Go on from there."""
        self._bank.stage.read(arrays["stage_jumps"])
        self._frame_index = int(arrays["stage_frame"][0])
        self._picture = torch.from_numpy(np.array(arrays["stage_picture"]))
