"""Training clips: a crop of a labelled picture, set in motion, with its true masks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from napari_sam2.train.appearance import normalise, vary
from napari_sam2.train.examples import Corpus, Example
from napari_sam2.train.motion import (
    CropStyle,
    sample_frames,
    sample_labels,
    sampling_grid,
)

SMALLEST_AREA = 20
"""Crop pixels that an object must show in frame 0 to be prompted."""

BORDER_WEIGHT = 0.3

SLOWEST = 0.15
"""Part of the wanted motion that the slowest clips have."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Frames and the masks of the chosen objects.

    Attributes
    ----------
    frames
        ``(T, 3, S, S)`` float32, normalised.
    labels
        ``(T, S, S)`` int32 of all objects, chosen or not.
    masks
        ``(T, N, S, S)`` bool of the chosen objects; all False where one is absent.
    """

    frames: torch.Tensor
    labels: np.ndarray
    masks: torch.Tensor


def make_clip(
    corpus: Corpus, style: CropStyle, objects: int, random: np.random.Generator
) -> Clip:
    """Draw a clip in which ``objects`` objects are visible in frame 0.

    With fewer in view some are chosen twice (they get different prompts).
    """
    # Slow clips teach to keep a mask exactly, fast ones to follow it.
    style = replace(style, motion=style.motion * random.uniform(SLOWEST, 1.0))
    while True:
        example = corpus.pick(random)
        frames, labels = animate(example, style, random)
        ids = choose_objects(labels[0], objects, random)
        if len(ids):
            break
    if style.frames > 1:
        frames, labels = disturb(frames, labels, corpus, random)
    frames = normalise(vary(frames, random, invert=example.invert))
    masks = torch.from_numpy(labels[:, None] == ids[None, :, None, None])
    return Clip(frames, labels, masks)


def animate(
    example: Example, style: CropStyle, random: np.random.Generator
) -> tuple[torch.Tensor, np.ndarray]:
    """Return ``(T, 3, S, S)`` frames in 0…1 and ``(T, S, S)`` labels of a moving crop.

    Frames and labels are read through the same grid: masks move with the picture. A
    movie shows consecutive frames, sometimes every second one, under a gentler grid.
    """
    available = len(example.labels)
    grid = sampling_grid(example, style, random)
    if available == 1:
        return sample_frames(example, grid), sample_labels(example.labels, grid)
    step = 2 if available >= 2 * style.frames and random.random() < 0.4 else 1
    first = int(random.integers(max(1, available - step * (style.frames - 1))))
    chosen = np.minimum(first + step * np.arange(style.frames), available - 1)
    if random.random() < 0.5:
        chosen = chosen[::-1]
    part = Example(
        example.name,
        tuple(np.ascontiguousarray(level[chosen]) for level in example.levels),
        np.ascontiguousarray(example.labels[chosen]),
        example.objects,
        example.invert,
    )
    still = np.repeat(grid[:1], style.frames, axis=0) * 0.5 + grid * 0.5
    return sample_frames(part, still), sample_labels(part.labels, still)


def choose_objects(
    labels: np.ndarray, count: int, random: np.random.Generator
) -> np.ndarray:
    """Return ``count`` ids visible in a label image, or an empty array if none is.

    All are different where there are enough. Objects cut by the crop's border are
    chosen less often: little of them is seen.
    """
    found, areas = np.unique(labels, return_counts=True)
    fits = (found != 0) & (areas >= SMALLEST_AREA) & (areas < 0.6 * labels.size)
    ids: np.ndarray = found[fits]
    if not len(ids):
        return ids
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    weights = np.where(np.isin(ids, border), BORDER_WEIGHT, 1.0)
    weights /= weights.sum()
    chosen: np.ndarray = random.choice(
        ids, min(count, len(ids)), replace=False, p=weights
    )
    again = random.choice(ids, count - len(chosen), replace=True, p=weights)
    return np.concatenate([chosen, again])


def disturb(
    frames: torch.Tensor,
    labels: np.ndarray,
    corpus: Corpus,
    random: np.random.Generator,
) -> tuple[torch.Tensor, np.ndarray]:
    """Sometimes let something pass in front of the cells, or cut to another scene."""
    draw = random.random()
    if draw < 0.3:
        return occlude(frames, labels, random)
    if draw < 0.38:
        count, size = len(labels), labels.shape[1]
        style = CropStyle(1, size, (0.1 * size, 0.45 * size), 0.0)
        other, _ = animate(corpus.pick(random), style, random)
        first = int(random.integers(1, count))
        last = int(random.integers(first, count)) + 1
        frames, labels = frames.clone(), labels.copy()
        frames[first:last] = other[:1]
        labels[first:last] = 0
    return frames, labels


def occlude(
    frames: torch.Tensor, labels: np.ndarray, random: np.random.Generator
) -> tuple[torch.Tensor, np.ndarray]:
    """Let an ellipse, filled with another part of the picture, cross the scene.

    It keeps out of frame 0, where objects are prompted.
    """
    count, size = len(labels), labels.shape[1]
    frames, labels = frames.clone(), labels.copy()
    radius = random.uniform(0.06, 0.2, 2) * size
    start = random.uniform(0.2, 0.8, 2) * size
    velocity = random.normal(0, 0.06 * size, 2)
    shift = tuple(int(value) for value in random.integers(size // 4, 3 * size // 4, 2))
    smooth = random.random() < 0.5
    y, x = np.mgrid[:size, :size]
    for frame in range(1, count):
        middle = start + velocity * frame
        inside = ((y - middle[0]) / radius[0]) ** 2 + (
            (x - middle[1]) / radius[1]
        ) ** 2 < 1
        cover = torch.roll(frames[0], shift, (1, 2))
        if smooth:
            cover = cover.mean(dim=(1, 2), keepdim=True).expand_as(cover)
        frames[frame] = torch.where(torch.from_numpy(inside), cover, frames[frame])
        labels[frame][inside] = 0
    return frames, labels
