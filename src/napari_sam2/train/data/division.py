"""Cells that divide in clips of single images: the mother ends, daughters appear."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from napari_sam2.train.data.absence import Scene, erase

SMALLEST_MOTHER = 60
"""Crop pixels that an object must show to divide."""

ROUNDNESS = 0.12
"""How far the cut's corners are rounded, in parts of the mother's diameter."""

APART = (0.02, 0.12)
"""Way of a daughter per frame, in parts of the mother's diameter."""


def divide(
    scene: Scene, object_id: int, first: int, random: np.random.Generator
) -> bool:
    """Split an object in two along its minor axis from a frame on, in place.

    The mother's id ends; both halves have new ids and drift apart along her major axis
    with her texture. Other objects are not painted over.

    Parameters
    ----------
    scene
        A clip; its frames from ``first`` on are changed.
    object_id
        The mother.
    first
        First frame of the daughters.

    Returns
    -------
    bool
        False if the object is too small on that frame, or cut by the crop's border:
        then nothing is changed.
    """
    mother = scene.labels[first] == object_id
    if mother.sum() < SMALLEST_MOTHER or _touches_border(mother):
        return False
    before = scene.copy()
    frames = range(first, len(scene.labels))
    erase(scene, object_id, frames, random)
    axis = _major_axis(mother)
    diameter = 2.0 * np.sqrt(mother.sum() / np.pi)
    speed = random.uniform(*APART) * diameter
    # Before it a gap opens that is wide enough to be seen.
    start = random.uniform(0.5, 1.5)
    newest = int(scene.labels.max())
    for frame in frames:
        away = axis * (start + speed * (frame - first))
        for number, half in enumerate(_halves(before.labels[frame] == object_id, axis)):
            way = away if number else -away
            shift = round(float(way[0])), round(float(way[1]))
            _paste(scene, before, frame, (half, shift, newest + 1 + number))
    return True


def _touches_border(mask: np.ndarray) -> bool:
    edges = mask[0], mask[-1], mask[:, 0], mask[:, -1]
    return any(edge.any() for edge in edges)


def _major_axis(mask: np.ndarray) -> np.ndarray:
    """Return the unit vector (y, x) along which a mask is longest."""
    places = np.argwhere(mask).astype(np.float64)
    _, vectors = np.linalg.eigh(np.cov(places.T))
    axis: np.ndarray = vectors[:, -1]
    return axis


def _halves(mask: np.ndarray, axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut a mask through its middle, across an axis; round what is cut."""
    places = np.argwhere(mask)
    if not len(places):
        return mask, mask
    along = (np.moveaxis(np.indices(mask.shape), 0, -1) - places.mean(axis=0)) @ axis
    width = ROUNDNESS * 2.0 * np.sqrt(len(places) / np.pi)
    one, two = (
        half & (ndimage.gaussian_filter(half.astype(np.float32), width) > 0.4)
        for half in (mask & (along <= 0), mask & (along > 0))
    )
    return one, two


def _paste(
    scene: Scene,
    source: Scene,
    frame: int,
    part: tuple[np.ndarray, tuple[int, int], int],
) -> None:
    """Lay a part of another scene's frame on free places, moved, under a new id."""
    mask, shift, new_id = part
    labels = scene.labels[frame]
    moved = _shifted(mask, shift) & (labels == 0)
    labels[moved] = new_id
    edge = ndimage.gaussian_filter(moved.astype(np.float32), 0.7)
    opacity = np.where(moved, 1.0, 2.0 * edge).clip(0, 1) * np.isin(labels, (0, new_id))
    texture = np.stack(
        [_shifted(channel, shift) for channel in source.frames[frame].numpy()]
    )
    weight = torch.from_numpy(opacity.astype(np.float32))
    scene.frames[frame].lerp_(torch.from_numpy(texture), weight)


def _shifted(values: np.ndarray, shift: tuple[int, int]) -> np.ndarray:
    """Return an image moved by whole pixels (y, x); zero comes in."""
    moved = np.zeros_like(values)
    height, width = values.shape
    y, x = shift
    if abs(y) < height and abs(x) < width:
        moved[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)] = values[
            max(-y, 0) : height + min(-y, 0), max(-x, 0) : width + min(-x, 0)
        ]
    return moved
