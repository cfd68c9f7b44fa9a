"""Frames and prompts become what the network sees, and prompts go into tiles.

The only place that knows both coordinate systems: ``(y, x)`` image pixels outside,
``(x, y)`` pixels of the square model input inside. The frame is squashed to the square
as the official video loader does (sam2-spec §1.2); what is padded is a tile by then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from napari_sam2.errors import InputError
from napari_sam2.model.prompt_encoder import PointLabel
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.tiles import Box, TileLayout, Window
from napari_sam2.tracking.device.resampling import resized
from napari_sam2.tracking.device.transfer import to_device

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
        channels = np.empty((3, *side), np.float32)
        for c in range(3):  # to clip what cannot lie outside spares a copy
            np.take(_LEVELS[c], pixels[..., c], out=channels[c], mode="clip")
        return torch.from_numpy(channels)[None]

    def frame_on(self, frame: np.ndarray, device: torch.device) -> Tensor:
        """Return `frame_tensor` on a device, bit by bit.

        CUDA is sent the frame's bytes, and does the rest itself.

        Raises
        ------
        InputError
            If the frame has another shape or dtype.
        """
        if device.type != "cuda":
            return to_device(self.frame_tensor(frame), device)
        check_frame(frame, self.frame_shape)
        pixels = to_device(np.require(frame, requirements=("C", "W")), device)
        return prepared(pixels, self.image_size)

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


@torch.no_grad()
def prepared(pixels: Tensor, side: int) -> Tensor:
    """Resize and normalise ``(Y, X, 3)`` uint8 pixels to ``(1, 3, side, side)``."""
    levels = _levels_on(pixels.device)
    channels = resized(pixels, side).long().unbind(dim=2)
    chosen = [level[c] for level, c in zip(levels, channels, strict=True)]
    return torch.stack(chosen)[None]


@lru_cache(maxsize=4)
def _levels_on(device: torch.device) -> Tensor:
    return to_device(_LEVELS, device)


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


def tile_of_prompt(
    layout: TileLayout, prompt: FramePrompt, now: int | None, is_correction: bool
) -> int:
    """Return the tile that a prompt is answered in.

    Parameters
    ----------
    prompt
        In pixels of the frame.
    now
        Tile that the object has come to, if it is known.
    is_correction
        Whether the prompt corrects what was tracked: then the tile stays the object's,
        if it holds all that is said.
    """
    if layout.is_whole:
        return 0
    meant = _box(prompt, positive_only=not prompt.only_refuses)
    if meant is None:  # an empty mask: the object is not where it was looked for
        return now or 0
    said = _box(prompt, positive_only=False) or meant
    if is_correction and now is not None and layout.holds(now, said):
        return now
    best = layout.best(said)
    return best if layout.holds(best, said) else layout.best(meant)


def within_tile(layout: TileLayout, prompt: FramePrompt, tile: int) -> FramePrompt:
    """Return a prompt in pixels of a tile.

    Negative clicks beyond the tile are left out: nothing is found there anyway.

    Raises
    ------
    InputError
        If the prompt does not fit into the tile, or not into the frame.
    """
    if layout.is_whole:
        return prompt
    check_inside(prompt, layout.frame_shape)
    if prompt.mask is not None:
        check_mask(prompt.mask, layout.frame_shape)
    meant = _box(prompt, positive_only=not prompt.only_refuses)
    if meant is not None and not layout.holds(tile, _clipped(meant, layout)):
        what = (
            f"not fit into a tile of {layout.tile_shape[0]} pixels: use larger tiles, "
            "or none (--tiles off)"
            if layout.region is None or _lies_in(meant, layout.region)
            else "not lie in the region that is looked at: choose a larger one"
        )
        raise InputError(
            f"object {prompt.object_id}, frame {prompt.frame_index}: its prompt does "
            f"{what}"
        )
    y, x = layout.origin(tile)
    if prompt.mask is not None:
        inside = layout.crop(prompt.mask.mask, tile).copy()
        top, left, height, width = layout.covered
        inside[top + height - y :] = False  # beyond the frame is nothing
        inside[:, left + width - x :] = False
        return replace(prompt, mask=MaskPrompt(inside))
    box = prompt.box
    return replace(
        prompt,
        points=tuple(
            PointPrompt(point.y - y, point.x - x, point.positive)
            for point in prompt.points
            if layout.holds(tile, (point.y, point.x, point.y, point.x))
        ),
        box=box and BoxPrompt(box.y0 - y, box.x0 - x, box.y1 - y, box.x1 - x),
    )


def _box(prompt: FramePrompt, *, positive_only: bool) -> Box | None:
    """Return the box around what a prompt says; None for an empty mask."""
    if prompt.mask is not None:
        rows = np.flatnonzero(prompt.mask.mask.any(axis=1))
        columns = np.flatnonzero(prompt.mask.mask.any(axis=0))
        if not len(rows):
            return None
        ends = (rows[0], columns[0], rows[-1], columns[-1])
        return tuple(float(end) for end in ends)  # type: ignore[return-value]
    corners = [
        (point.y, point.x)
        for point in prompt.points
        if point.positive or not positive_only
    ]
    if prompt.box is not None:
        corners += [(prompt.box.y0, prompt.box.x0), (prompt.box.y1, prompt.box.x1)]
    y, x = zip(*corners, strict=True)
    return min(y), min(x), max(y), max(x)


def _lies_in(box: Box, window: Window) -> bool:
    (y0, x0, y1, x1), (y, x, height, width) = box, window
    return y <= y0 and x <= x0 and y1 < y + height and x1 < x + width


def _clipped(box: Box, layout: TileLayout) -> Box:
    """Return the part of a box that lies in the frame; boxes may reach beyond it."""
    height, width = layout.frame_shape
    y0, x0, y1, x1 = box
    return max(y0, 0.0), max(x0, 0.0), min(y1, height - 1.0), min(x1, width - 1.0)
