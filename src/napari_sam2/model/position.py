"""Where things are and when: the position encodings of SAM 2.

Four of them, with four layouts (sam2-spec §1.3): sines of image positions, random
Fourier features of prompt coordinates, rotary angles of attention, and sines of time
distances. All are computed in float32.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor, nn

TEMPERATURE = 10000.0


def _paired_frequencies(count: int, device: torch.device) -> Float[Tensor, " count"]:
    """Wavelength divisors, two neighbours sharing one."""
    index = torch.arange(count, dtype=torch.float32, device=device)
    return TEMPERATURE ** (2 * (index // 2) / count)


@lru_cache(maxsize=8)
def sine_position(
    channels: int, height: int, width: int, device: torch.device
) -> Float[Tensor, "1 channels height width"]:
    """Encode image positions by interleaved sines and cosines, y channels before x."""
    with torch.inference_mode(False):  # kept for calls that need gradients, too
        return _sine_position(channels, height, width, device)


def _sine_position(
    channels: int, height: int, width: int, device: torch.device
) -> Float[Tensor, "1 channels height width"]:
    divisor = _paired_frequencies(channels // 2, device)

    def encode(length: int) -> Float[Tensor, "length half"]:
        position = torch.arange(1, length + 1, dtype=torch.float32, device=device)
        position = position / (position[-1:] + 1e-6) * (2 * math.pi)
        phase = position[:, None] / divisor
        pairs = torch.stack((phase[:, 0::2].sin(), phase[:, 1::2].cos()), dim=2)
        return pairs.flatten(1)

    rows = encode(height)[:, None, :].expand(height, width, -1)
    columns = encode(width)[None, :, :].expand(height, width, -1)
    return torch.cat((rows, columns), dim=2).permute(2, 0, 1)[None]


def sine_distance(
    distance: Float[Tensor, "..."], channels: int
) -> Float[Tensor, "... channels"]:
    """Encode distances in time: all sines, then all cosines."""
    divisor = _paired_frequencies(channels // 2, distance.device)
    phase = distance[..., None] / divisor
    return torch.cat((phase.sin(), phase.cos()), dim=-1)


class FourierPosition(nn.Module):
    """Random Fourier features of ``(x, y)`` in 0…1, shared by prompts and image."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer(
            "positional_encoding_gaussian_matrix",
            torch.empty(2, channels // 2).normal_(),
        )

    def forward(self, xy: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n channels"]:
        """Encode coordinates in 0…1."""
        phase = (2 * xy - 1) @ self.positional_encoding_gaussian_matrix
        phase = 2 * math.pi * phase
        return torch.cat((phase.sin(), phase.cos()), dim=-1)

    def grid(self, height: int, width: int) -> Float[Tensor, "1 channels height width"]:
        """Encode the pixel centres of a map."""
        matrix = self.positional_encoding_gaussian_matrix
        ones = torch.ones(height, width, device=matrix.device, dtype=matrix.dtype)
        y = (ones.cumsum(dim=0) - 0.5) / height
        x = (ones.cumsum(dim=1) - 0.5) / width
        encoded: Tensor = self(torch.stack((x, y), dim=-1))
        return encoded.permute(2, 0, 1)[None]


@lru_cache(maxsize=8)
def rotary_angles(
    channels: int, height: int, width: int, device: torch.device
) -> tuple[Float[Tensor, "tokens half"], Float[Tensor, "tokens half"]]:
    """Cosine and sine of the axial rotary angles of a map's tokens.

    The first half of the channel pairs turns with x, the second with y.
    """
    with torch.inference_mode(False):  # kept for calls that need gradients, too
        exponent = torch.arange(0, channels, 4, dtype=torch.float32)
        frequency = 1.0 / TEMPERATURE ** (exponent / channels)
        token = torch.arange(height * width, dtype=torch.float32)
        x = token % width
        y = torch.div(token, width, rounding_mode="floor")
        angle = torch.cat((x.outer(frequency), y.outer(frequency)), dim=-1)
        # On the CPU and by polar, as official: cos and sin round the last bit apart.
        turn = torch.view_as_real(torch.polar(torch.ones_like(angle), angle))
        cosine, sine = turn.to(device).unbind(-1)
        return cosine.contiguous(), sine.contiguous()


def rotate(
    x: Float[Tensor, "... tokens channels"],
    cosine: Float[Tensor, "tokens half"],
    sine: Float[Tensor, "tokens half"],
) -> Float[Tensor, "... tokens channels"]:
    """Turn neighbouring channel pairs ``(2k, 2k + 1)`` by the rotary angles.

    On CPUs as a product of complex numbers, which takes a tenth of the time; elsewhere
    real-valued, so that it compiles and runs on every device. In float32 both are equal
    bit by bit.
    """
    if x.is_cpu and not torch.compiler.is_compiling():
        pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
        turned = torch.view_as_real(pairs * torch.complex(cosine, sine))
        return turned.flatten(-2).to(x.dtype)
    even, odd = x.float()[..., 0::2], x.float()[..., 1::2]
    turned = torch.stack(
        (even * cosine - odd * sine, even * sine + odd * cosine), dim=-1
    )
    return turned.flatten(-2).to(x.dtype)
