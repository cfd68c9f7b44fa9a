"""Frames and prompts become what the network sees.

The only place that knows both coordinate systems: ``(y, x)`` image pixels outside,
``(x, y)`` pixels of the square model input inside. The frame is squashed to the square
as the official video loader does; its aspect ratio is not kept (sam2-spec §1.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from napari_sam2.errors import InputError
from napari_sam2.model.prompt_encoder import PointLabel
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, PointPrompt

CHANNEL_MEAN = (0.485, 0.456, 0.406)
CHANNEL_STD = (0.229, 0.224, 0.225)
MASK_THRESHOLD = 0.5


def _normalised_levels() -> np.ndarray:
    """Return what each grey level becomes in each channel, ``(3, 256)`` float32.

    A table because uint8 has no more levels, and because it pins the official order of
    roundings: float64 division by 255, float32, minus mean, over deviation.
    """
    levels = (np.arange(256) / 255.0).astype(np.float32)
    mean = np.asarray(CHANNEL_MEAN, dtype=np.float32)[:, None]
    std = np.asarray(CHANNEL_STD, dtype=np.float32)[:, None]
    return (levels - mean) / std


_LEVELS = _normalised_levels()


@dataclass(frozen=True, slots=True)
class FrameGeometry:
    """Where image pixels lie in the model's input.

    Attributes
    ----------
    frame_shape
        ``(Y, X)`` of the movie's frames in pixels.
    image_size
        Side S of the model's square input in pixels.
    """

    frame_shape: tuple[int, int]
    image_size: int

    def to_model(self, yx: np.ndarray) -> np.ndarray:
        """Turn ``(n, 2)`` image ``(y, x)`` into ``(n, 2)`` float32 model ``(x, y)``.

        No half-pixel shift: the prompt encoder has its own (spec §1.6).
        """
        xy = np.asarray(yx, dtype=np.float32).reshape(-1, 2)[:, ::-1]
        extent = np.asarray(self.frame_shape[::-1], dtype=np.float32)
        return np.asarray(xy / extent * np.float32(self.image_size), dtype=np.float32)

    def frame_tensor(self, frame: np.ndarray) -> Tensor:
        """Resize and normalise a ``(Y, X, 3)`` uint8 RGB frame to ``(1, 3, S, S)``.

        Raises
        ------
        InputError
            If the frame has another shape or dtype.
        """
        check_frame(frame, self.frame_shape)
        side = (self.image_size, self.image_size)
        image = Image.fromarray(frame).resize(side, Image.Resampling.BICUBIC)
        pixels = np.asarray(image)
        channels = [_LEVELS[c].take(pixels[..., c]) for c in range(3)]
        return torch.from_numpy(np.stack(channels))[None]

    def prompt_points(self, prompt: FramePrompt) -> tuple[np.ndarray, np.ndarray]:
        """Return ``(n, 2)`` float32 model ``(x, y)`` and ``(n,)`` int64 `PointLabel`.

        A box is two points that precede the clicks; its corners are taken as given.

        Raises
        ------
        InputError
            If a click lies outside of the frame (a box may reach beyond it).
        """
        corners = [] if prompt.box is None else _corners(prompt.box)
        clicks = [(point.y, point.x) for point in prompt.points]
        labels = [PointLabel.BOX_FIRST, PointLabel.BOX_LAST][: len(corners)]
        labels += [_click_label(point) for point in prompt.points]
        check_inside(prompt, self.frame_shape)
        yx = np.asarray([*corners, *clicks], dtype=np.float32)
        return self.to_model(yx), np.asarray(labels, dtype=np.int64)

    def prompt_mask(self, mask: MaskPrompt) -> Tensor:
        """Resize a mask prompt to ``(1, S, S)`` float32 of zeros and ones.

        Raises
        ------
        InputError
            If the mask has not the frame's shape.
        """
        check_mask(mask, self.frame_shape)
        given = torch.from_numpy(mask.mask.astype(np.float32))
        side = (self.image_size, self.image_size)
        if self.frame_shape == side:
            return given[None]
        resized = F.interpolate(
            given[None, None],
            side,
            mode="bilinear",
            align_corners=False,
            antialias=True,
        )
        return (resized[0] >= MASK_THRESHOLD).float()


def check_frame(frame: np.ndarray, frame_shape: tuple[int, int]) -> None:
    """Refuse a frame that is no ``(Y, X, 3)`` uint8 RGB.

    Raises
    ------
    InputError
        Saying what it is.
    """
    expected = (*frame_shape, 3)
    if frame.shape != expected or frame.dtype != np.uint8:
        raise InputError(
            f"a frame must be {expected} uint8 RGB; got {frame.shape} of "
            f"{frame.dtype}: check the movie's axes and intensity mapping"
        )


def check_mask(mask: MaskPrompt, frame_shape: tuple[int, int]) -> None:
    """Refuse a mask that has not the frame's ``(Y, X)``.

    Raises
    ------
    InputError
        Saying what it has.
    """
    if mask.mask.shape != frame_shape:
        raise InputError(
            f"a mask prompt must have the frame's shape {frame_shape}; got "
            f"{mask.mask.shape}: resize the mask to the movie"
        )


def check_inside(prompt: FramePrompt, frame_shape: tuple[int, int]) -> None:
    """Refuse clicks outside of the ``(Y, X)`` frame.

    Raises
    ------
    InputError
        Naming the first one.
    """
    # Pixel centres are whole numbers, so the frame reaches from −0.5 to size − 0.5.
    height, width = frame_shape
    for point in prompt.points:
        y, x = point.y, point.x
        if not (-0.5 <= y <= height - 0.5 and -0.5 <= x <= width - 0.5):
            raise InputError(
                f"object {prompt.object_id}, frame {prompt.frame_index}: the click "
                f"at (y, x) = ({y:g}, {x:g}) lies outside of the frame of "
                f"{height} × {width} pixels: give pixel indices in (y, x) order"
            )


def _corners(box: BoxPrompt) -> list[tuple[float, float]]:
    return [(box.y0, box.x0), (box.y1, box.x1)]


def _click_label(point: PointPrompt) -> PointLabel:
    return PointLabel.POSITIVE if point.positive else PointLabel.NEGATIVE
