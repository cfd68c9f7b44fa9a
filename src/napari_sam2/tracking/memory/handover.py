"""What was remembered is moved to where it lies now: to another tile, by a jump."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from napari_sam2.model.config import LOGIT_STRIDE, STRIDE
from napari_sam2.model.memory_attention import MemorySelection
from napari_sam2.tiles import TileLayout
from napari_sam2.tracking.device.transfer import to_device
from napari_sam2.tracking.postprocess import OUTSIDE_LOGIT


def tile_shifts(tile: int, tiles: np.ndarray, layout: TileLayout) -> np.ndarray:
    """Return ``(objects, memories, 2)`` tokens from where memories lie to a tile.

    Parameters
    ----------
    tile
        That the objects are looked for in.
    tiles
        ``(objects, memories)`` integer: where each memory was seen.
    """
    shifts = [[layout.shift(source, tile) for source in row] for row in tiles.tolist()]
    return np.asarray(shifts, np.int64).reshape(*tiles.shape, 2)


def moved_memories(memory: MemorySelection, shifts: np.ndarray) -> MemorySelection:
    """Return memories moved by whole tokens.

    Places that they do not tell of take no part in attention, nor does a memory that
    lies elsewhere altogether; an object that would remember nothing keeps its memories
    where they were.

    Parameters
    ----------
    shifts
        ``(objects, memories, 2)`` tokens down and to the right.
    """
    if not shifts.any():
        return memory
    grid = np.asarray(memory.spatial.shape[-2:])
    is_near = (np.abs(shifts) < grid).all(axis=2)
    is_near &= memory.spatial_valid.cpu().numpy()
    shifts = np.where(is_near.any(axis=1)[:, None, None], shifts, 0)
    spatial, known = _moved_maps(memory.spatial, shifts)
    return replace(memory, spatial=spatial, known=known)


def _moved_maps(maps: Tensor, shifts: np.ndarray) -> tuple[Tensor, Tensor]:
    """Move ``(objects, memories, M, h, w)`` maps by ``(objects, memories, 2)`` tokens.

    Returns
    -------
    tuple
        The maps, and ``(objects, memories, h, w)`` bool: which places are known.
    """
    height, width = maps.shape[-2:]
    row = torch.arange(height) - torch.from_numpy(shifts[..., :1])
    column = torch.arange(width) - torch.from_numpy(shifts[..., 1:])
    known = ((row >= 0) & (row < height))[..., :, None] & (
        (column >= 0) & (column < width)
    )[..., None, :]
    source = (
        row.clamp(0, height - 1)[..., :, None] * width
        + column.clamp(0, width - 1)[..., None, :]
    )
    known, source = (to_device(each, maps.device) for each in (known, source))
    index = source.flatten(2)[:, :, None].expand(-1, -1, maps.shape[2], -1)
    return maps.flatten(3).gather(3, index).view_as(maps), known


def logits_in_tile(
    logits: np.ndarray, tiles: tuple[int, int], layout: TileLayout
) -> np.ndarray:
    """Return ``(h, w)`` logits of one tile as far as they lie in another.

    Parameters
    ----------
    tiles
        The one that they cover, and the one that they are to cover.
    """
    shift = layout.shift(*tiles)
    if shift == (0, 0):
        return logits
    down, right = (tokens * STRIDE // LOGIT_STRIDE for tokens in shift)
    return moved(logits, (down, right), fill=OUTSIDE_LOGIT)


def moved(array: np.ndarray, shift: tuple[int, int], *, fill: float) -> np.ndarray:
    """Move an ``(h, w)`` array down and to the right, by whole pixels."""
    result = np.full_like(array, fill)
    targets, sources = [], []
    for length, by in zip(array.shape, shift, strict=True):
        targets.append(slice(max(by, 0), max(length + min(by, 0), 0)))
        sources.append(slice(max(-by, 0), max(length - max(by, 0), 0)))
    result[tuple(targets)] = array[tuple(sources)]
    return result
