"""Changes of intensity that microscopes make: contrast, illumination, noise, blur."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)

MIXING = 0.1
SHOT_NOISE = 0.15
FLICKER = 0.4
"""Shares of the clips whose channels are mixed, that have few photons, and that
flicker."""


def vary(
    frames: torch.Tensor, random: np.random.Generator, *, invert: float = 0.2
) -> torch.Tensor:
    """Return a clip in another contrast, with drift and noise of its own.

    Parameters
    ----------
    frames
        ``(T, 3, S, S)`` float in 0…1.
    invert
        Probability that bright becomes dark.

    Returns
    -------
    torch.Tensor
        ``(T, 3, S, S)`` float in 0…1.
    """
    count, _, size, _ = frames.shape
    if random.random() < invert:
        frames = 1.0 - frames
    if random.random() < MIXING:
        frames = mix_channels(frames, random)
    if random.random() < 0.7:
        frames = frames.clamp(1e-4, 1).pow(float(np.exp(random.normal(0, 0.3))))
    if random.random() < 0.2:
        frames = frames * illumination(size, random)
    contrast = float(np.exp(random.normal(0, 0.2)))
    offset = float(random.normal(0, 0.08))
    gain = 1.0 + np.cumsum(random.normal(0, 0.02, count))
    frames = (frames - 0.5) * contrast + 0.5 + offset
    frames = frames * torch.from_numpy(gain).float().view(-1, 1, 1, 1)
    if count > 1 and random.random() < FLICKER:
        frames = frames + flicker(count, size, random)
    return _disturb(frames, random).clamp(0, 1)


def _disturb(frames: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Blur some clips, and add the noise of a camera."""
    if random.random() < 0.2:
        frames = blur(frames, random.uniform(0.4, 1.6))
    if random.random() < 0.5:
        frames = add_noise(frames, random.uniform(0.0, 0.05), random)
    if random.random() < SHOT_NOISE:
        frames = add_shot_noise(frames, random)
    return frames


def mix_channels(frames: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Return frames whose channels are weighted means of the old ones."""
    weights = random.dirichlet(np.ones(3), size=3)
    mixture = torch.from_numpy(weights).float()
    mixed: torch.Tensor = torch.einsum("dc,tcyx->tdyx", mixture, frames)
    return mixed


def add_shot_noise(frames: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Return frames as counted photons: bright pixels are noisier than dark ones."""
    photons = float(np.exp(random.uniform(np.log(40), np.log(1000))))
    grey = frames.mean(dim=1, keepdim=True).clamp(0, 1)
    counted = random.poisson(grey.numpy() * photons) / photons
    return frames + torch.from_numpy(counted).float() - grey


def illumination(size: int, random: np.random.Generator) -> torch.Tensor:
    """Return a smooth ``(1, 1, S, S)`` factor around 1."""
    lattice = torch.from_numpy(1.0 + random.normal(0, 0.18, (1, 1, 3, 3))).float()
    return functional.interpolate(
        lattice, size=(size, size), mode="bicubic", align_corners=True
    )


def flicker(count: int, size: int, random: np.random.Generator) -> torch.Tensor:
    """Return ``(T, 1, S, S)`` to add: patches of a cell's size brighten and darken.

    A picture in motion carries its texture along; living cells do not.
    """
    side = int(random.integers(5, 14))
    strength = random.uniform(0.01, 0.06)
    steps = random.normal(0, strength, (count, 1, side, side))
    for frame in range(1, count):
        steps[frame] += 0.7 * steps[frame - 1]
    return functional.interpolate(
        torch.from_numpy(steps).float(), size=(size, size), mode="bicubic"
    )


def blur(frames: torch.Tensor, sigma: float) -> torch.Tensor:
    """Return ``(T, C, S, S)`` blurred by a Gaussian of ``sigma`` pixels."""
    radius = int(np.ceil(2.5 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    count, channels, height, width = frames.shape
    flat = frames.reshape(count * channels, 1, height, width)
    flat = functional.pad(flat, (radius, radius, radius, radius), mode="replicate")
    flat = functional.conv2d(flat, kernel.view(1, 1, 1, -1))
    flat = functional.conv2d(flat, kernel.view(1, 1, -1, 1))
    return flat.reshape(frames.shape)


def add_noise(
    frames: torch.Tensor, sigma: float, random: np.random.Generator
) -> torch.Tensor:
    """Return frames with grey noise of ``sigma``, new in every frame."""
    count, _, height, width = frames.shape
    noise = random.standard_normal((count, 1, height, width), dtype=np.float32)
    return frames + sigma * torch.from_numpy(noise)


def normalise(frames: torch.Tensor) -> torch.Tensor:
    """Return frames of 0…1 as the network wants them (ImageNet mean and deviation)."""
    mean = torch.tensor(IMAGE_MEAN).view(1, 3, 1, 1)
    deviation = torch.tensor(IMAGE_STD).view(1, 3, 1, 1)
    return (frames - mean) / deviation
