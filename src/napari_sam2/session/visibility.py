"""What the model cannot see well: cells too small, frames too long for its input."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

SMALLEST = 8
"""Pixels of the model's input across; a mask is then two pixels wide at most."""

LONGEST = 4
"""How often a frame may be longer than wide before shapes are squeezed badly."""


def visibility_remark(
    frame_shape: tuple[int, int], image_size: int, areas: Sequence[float]
) -> str | None:
    """Return what people should know before they trust the masks, with the remedy.

    Parameters
    ----------
    frame_shape
        ``(Y, X)`` of the movie in pixels, squashed into the square input.
    image_size
        Side of the model's input in pixels.
    areas
        Of objects, in pixels of the movie; those of 0 are not there.

    Examples
    --------
    >>> visibility_remark((512, 512), 256, [900.0]) is None
    True
    """
    height, width = frame_shape
    ratio = max(height, width) / min(height, width)
    if ratio > LONGEST:
        return (
            f"frames of {height} × {width} pixels are squeezed {ratio:.0f} : 1 into "
            "the model's square input; crop the movie to shorter frames"
        )
    shrinking = image_size**2 / (height * width)
    across = sorted(sqrt(area * shrinking) for area in areas if area > 0)
    small = [size for size in across if size < SMALLEST]
    if not small:
        return None
    verb = "is" if len(small) == 1 else "are"
    return (
        f"{len(small)} of {len(across)} objects {verb} less than {SMALLEST} pixels "
        f"across in the model's input of {image_size} × {image_size}, the smallest "
        f"{small[0]:.1f}: let it see a part of the frame (a region, tiles), or take a "
        "model with a larger input"
    )
