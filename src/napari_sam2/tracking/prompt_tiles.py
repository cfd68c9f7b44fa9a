"""In which tile a prompt is answered, and what it says there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.tiles import Box, TileLayout
from napari_sam2.tracking.preprocess import check_inside, check_mask


def tile_of_prompt(
    layout: TileLayout, prompt: FramePrompt, now: int | None, is_correction: bool
) -> int:
    """Return the tile that a prompt is answered in.

    Parameters
    ----------
    layout
        Where tiles lie.
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
            if layout.region is None
            else "not lie in the region that is looked at: choose a larger one"
        )
        raise InputError(
            f"object {prompt.object_id}, frame {prompt.frame_index}: its prompt does "
            f"{what}"
        )
    y, x = layout.origin(tile)
    if prompt.mask is not None:
        inside = layout.crop(prompt.mask.mask, tile).copy()
        inside[layout.frame_shape[0] - y :] = False  # beyond the frame is nothing
        inside[:, layout.frame_shape[1] - x :] = False
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


def _clipped(box: Box, layout: TileLayout) -> Box:
    """Return the part of a box that lies in the frame; boxes may reach beyond it."""
    height, width = layout.frame_shape
    y0, x0, y1, x1 = box
    return max(y0, 0.0), max(x0, 0.0), min(y1, height - 1.0), min(x1, width - 1.0)
