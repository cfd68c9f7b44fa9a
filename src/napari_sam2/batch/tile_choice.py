"""How large tiles are where nobody says: by how large the prompted objects are."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from statistics import median
from typing import Final

from napari_sam2.errors import InputError
from napari_sam2.prompts import FramePrompt, PromptedObject
from napari_sam2.tiles import OVERLAP

AUTO: Final = "auto"

ENOUGH = 16
"""Pixels of the model's input across, which a typical object should have: four of its
mask. Larger ones are followed as well on whole frames, which is faster."""


def fitting_side(
    frame_shape: tuple[int, int], image_size: int, sizes: Iterable[float]
) -> int | None:
    """Return the side of the tiles in which objects are seen well; None for none.

    The largest that shows a typical object large enough, at least one pixel of the
    movie a pixel of the input, and large enough for the largest to lie whole in one.

    Parameters
    ----------
    frame_shape
        ``(Y, X)`` of the movie in pixels, squashed into the square input.
    image_size
        Side of the model's input in pixels.
    sizes
        Of objects, in pixels of the movie across.
    """
    known = sorted(sizes)
    if not known:
        return None
    height, width = frame_shape
    typical = median(known)
    if typical * image_size / sqrt(height * width) >= ENOUGH:
        return None
    side = image_size
    while typical * image_size / (2 * side) >= ENOUGH or OVERLAP * side < known[-1]:
        side *= 2
    return None if side >= max(frame_shape) else side


def chosen_side(
    asked: int | str | None,
    frame_shape: tuple[int, int],
    image_size: int | None,
    objects: Iterable[PromptedObject],
) -> int | None:
    """Return the side of the tiles of a run: as asked for, or as the prompts are.

    Raises
    ------
    InputError
        If it is to be chosen, and no prompt tells how large its object is, or the
        model's file how large its input.
    """
    if asked != AUTO:
        return asked if isinstance(asked, int) and asked < max(frame_shape) else None
    if image_size is None:
        raise InputError(
            "--tiles auto: the model's file does not tell how large its input is; give "
            "--image-size, or the side of the tiles in pixels, or off"
        )
    prompts = [prompt for state in objects for prompt in state.shown]
    sizes = [size for prompt in prompts if (size := across(prompt)) is not None]
    if not sizes:
        raise InputError(
            "--tiles auto: clicks do not tell how large objects are; prompt one with a "
            "box or a mask, or give the side of the tiles in pixels, or off"
        )
    return fitting_side(frame_shape, image_size, sizes)


def across(prompt: FramePrompt) -> float | None:
    """Return how large what is prompted is; None for clicks."""
    if prompt.mask is not None:
        return sqrt(prompt.mask.mask.sum())
    if prompt.box is None:
        return None
    box = prompt.box
    return sqrt((box.y1 - box.y0 + 1) * (box.x1 - box.x0 + 1))
