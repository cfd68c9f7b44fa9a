"""Smooth motion of a crop: where every output pixel of every frame comes from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from napari_sam2.train.data.examples import Example

LARGEST_SCALE = 3.0
"""Small objects are magnified no more than this: there is nothing more to see."""


@dataclass(frozen=True, slots=True)
class CropStyle:
    """Size and liveliness of a clip.

    Attributes
    ----------
    frames, size
        Frames, and side of the crop in pixels.
    diameter
        Range of the central object's diameter in crop pixels.
    motion
        0 holds still; 1 is the usual strength.
    absence
        Probability that a followed object vanishes or is covered on some frames.
    reverse
        Probability that a clip runs backwards.
    division
        Probability that a followed object divides.
    deformation
        Elastic change of shape in parts of what ``motion`` says.
    touching
        Probability that the followed objects are one that touches others, and these.
    """

    frames: int
    size: int
    diameter: tuple[float, float]
    motion: float = 1.0
    absence: float = 0.0
    reverse: float = 0.0
    division: float = 0.0
    deformation: float = 1.0
    touching: float = 0.0


def sampling_grid(
    example: Example, style: CropStyle, random: np.random.Generator
) -> np.ndarray:
    """Return source coordinates of every crop pixel.

    The crop shows an object of frame 0 somewhere near its middle, rotated, mirrored
    and scaled at random; over the frames it drifts, turns and scales smoothly while an
    elastic field moves neighbouring cells differently.

    Returns
    -------
    numpy.ndarray
        ``(T, S, S, 2)`` float32, x and y in pixels of the example at full resolution,
        whole numbers being pixel centres.
    """
    target = example.objects[int(random.integers(len(example.objects)))]
    scale = _scale(float(target[2]), style, random)
    linear = _linear(scale, random)
    steps = np.arange(style.frames, dtype=np.float64)
    centre = _centre(example, target, style.size / scale, random)
    drift = _drift(style, random) / scale
    turn = np.deg2rad(random.normal(0, 2.0 * style.motion)) * steps
    grow = np.exp(random.normal(0, 0.015 * style.motion) * steps)
    offsets = np.arange(style.size) - (style.size - 1) / 2
    plane = np.stack(np.meshgrid(offsets, offsets), axis=-1)  # (S, S, 2) as x, y
    field = elastic(style, random)
    grid = np.empty((style.frames, style.size, style.size, 2), np.float32)
    for frame in range(style.frames):
        cosine, sine = np.cos(turn[frame]), np.sin(turn[frame])
        matrix = linear @ np.array([[cosine, -sine], [sine, cosine]]) * grow[frame]
        moved = (plane + field[frame]) @ matrix.T
        grid[frame] = moved + centre + drift[frame]
    return grid


def elastic(style: CropStyle, random: np.random.Generator) -> np.ndarray:
    """Return ``(T, S, S, 2)`` displacements in crop pixels, growing from a start of 0.

    Control points of a coarse lattice walk with momentum; the lattice is about as
    fine as cells, so that neighbours move apart.
    """
    cells = int(random.integers(3, 9))
    liveliness = style.motion * style.deformation * random.uniform(0.0, 0.022)
    strength = liveliness * style.size * 6 / (cells + 2)
    shape = (cells, cells, 2)
    velocity = random.normal(0, strength, shape)
    walk = [np.zeros(shape)]
    for _ in range(style.frames - 1):
        velocity = 0.8 * velocity + 0.6 * random.normal(0, strength, shape)
        walk.append(walk[-1] + velocity)
    # Also the first frame is bent, so that shapes vary beyond those drawn.
    start = random.normal(0, 0.4 * style.size * 0.03 * 6 / (cells + 2), shape)
    lattice = torch.from_numpy(np.stack(walk) + start).float().permute(0, 3, 1, 2)
    field = functional.interpolate(
        lattice, size=(style.size, style.size), mode="bicubic", align_corners=True
    )
    displacement: np.ndarray = field.permute(0, 2, 3, 1).numpy()
    return displacement


def _scale(diameter: float, style: CropStyle, random: np.random.Generator) -> float:
    """Return crop pixels per pixel: objects of any size shrink to the wanted one."""
    low, high = np.log(style.diameter)
    wanted = float(np.exp(random.uniform(low, high)))
    return min(wanted / max(diameter, 4.0), LARGEST_SCALE)


def _linear(scale: float, random: np.random.Generator) -> np.ndarray:
    angle = random.uniform(0, 2 * np.pi)
    stretch = np.exp(random.normal(0, 0.07))
    mirror = 1.0 if random.random() < 0.5 else -1.0
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    linear: np.ndarray = turn @ np.diag([stretch, mirror / stretch]) / scale
    return linear


def _centre(
    example: Example, target: np.ndarray, extent: float, random: np.random.Generator
) -> np.ndarray:
    """Return the x, y that the crop's middle shows; kept inside the picture."""
    height, width = example.labels.shape[1:]
    wanted = target[[1, 0]] + random.uniform(-0.35, 0.35, 2) * extent
    centre = np.empty(2)
    for axis, length in enumerate((width, height)):
        margin = min(0.5 * extent, 0.5 * (length - 1))
        centre[axis] = np.clip(wanted[axis], margin, length - 1 - margin)
    return centre


def _drift(style: CropStyle, random: np.random.Generator) -> np.ndarray:
    """Return ``(T, 2)`` drift of the crop in crop pixels, 0 at the start."""
    # A quarter of the clips drift fast enough for objects to leave and enter; some of
    # these come back.
    draw = random.random()
    speed = 0.07 if draw < 0.25 else 0.012
    strength = style.motion * style.size * speed
    velocity = random.normal(0, strength, 2)
    path = np.zeros((style.frames, 2))
    for frame in range(1, style.frames):
        velocity = velocity + random.normal(0, 0.3 * strength, 2)
        path[frame] = path[frame - 1] + velocity
    if draw < 0.12:
        there = (style.frames + 1) // 2
        path[there:] = path[: style.frames - there][::-1]
    return path


def sample_labels(labels: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Read ``(T, S, S)`` int32 labels at the nearest pixel; 0 outside the picture.

    ``labels`` is ``(T, Y, X)``, or ``(1, Y, X)`` for a picture shown in every frame.
    """
    x = np.rint(grid[..., 0]).astype(np.int64)
    y = np.rint(grid[..., 1]).astype(np.int64)
    height, width = labels.shape[1:]
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    frame = np.arange(len(grid)) if len(labels) > 1 else np.zeros(len(grid), np.int64)
    taken = labels[
        frame[:, None, None], np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
    ]
    return np.where(inside, taken, 0).astype(np.int32)


def sample_frames(example: Example, grid: np.ndarray) -> torch.Tensor:
    """Read ``(T, 3, S, S)`` float32 in 0…1, bilinearly, from the fitting resolution.

    Outside the picture its border continues.
    """
    step = float(np.abs(grid[0, -1, -1] - grid[0, 0, 0]).max()) / grid.shape[1]
    level = int(
        np.clip(np.floor(np.log2(max(step, 1.0)) + 0.3), 0, len(example.levels) - 1)
    )
    source = example.levels[level]
    points = torch.from_numpy((grid + 0.5) / 2**level - 0.5)
    low = torch.floor(points.amin(dim=(0, 1, 2)) - 1).clamp(min=0).long().tolist()
    high = torch.ceil(points.amax(dim=(0, 1, 2)) + 2).long().tolist()
    x0, y0 = min(low[0], source.shape[2] - 1), min(low[1], source.shape[1] - 1)
    window = source[:, y0 : max(high[1], y0 + 1), x0 : max(high[0], x0 + 1)]
    pixels = torch.tensor(window).permute(0, 3, 1, 2).float() / 255.0
    pixels = pixels.expand(len(grid), -1, -1, -1)
    extent = torch.tensor([window.shape[2], window.shape[1]])
    normal = (points - torch.tensor([x0, y0]) + 0.5) / extent * 2 - 1
    taken = functional.grid_sample(
        pixels, normal.float(), padding_mode="border", align_corners=False
    )
    return taken.expand(-1, 3, -1, -1)
