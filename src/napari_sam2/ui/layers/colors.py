"""Colours of objects and of trust, shared by masks, clicks, plots and timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap

from napari_sam2.palette import PALETTE
from napari_sam2.session.book.state import BookState, Color, ObjectState

if TYPE_CHECKING:
    pass


COLORED_OBJECTS = 1000
"""Objects that have the colour of their masks; later ones are coloured in turn."""


@cache
def object_colors() -> Any:
    """Return the colormap that masks, clicks and swatches share."""
    rgb = np.array([(0, 0, 0), *PALETTE], np.float32) / 255
    rgba = np.concatenate([rgb, np.ones((len(rgb), 1), np.float32)], axis=1)
    rgba[0] = 0  # the background
    return CyclicLabelColormap(colors=rgba, background_value=0)


def object_color(object_id: int) -> np.ndarray:
    """Return ``(4,)`` RGBA in 0…1, the colour of the object's mask."""
    rgba: np.ndarray = np.asarray(object_colors().map(np.array([object_id])))[0]
    return rgba


def color_of(state: ObjectState) -> np.ndarray:
    """Return ``(4,)`` RGBA in 0…1: the object's own colour, or that of its id."""
    if state.color is None:
        return object_color(state.object_id)
    return np.asarray(state.color, np.float32)


def color_in(book: BookState, object_id: int) -> np.ndarray:
    """Return ``(4,)`` RGBA in 0…1 of an object, or what a new one would have."""
    if object_id in book:
        return color_of(book[object_id])
    return object_color(object_id)


def family_colors(book: BookState) -> dict[int, Color | None]:
    """Return the colour of its founder for each object that has a family.

    Where all have it already: None for each, so that asking again takes it away.
    """
    colors: dict[int, Color | None] = {}
    for state in book.objects:
        founder = book.founder_of(state.object_id)
        if founder is not state:
            red, green, blue, alpha = color_of(founder).tolist()
            color = (red, green, blue, alpha)
            colors[state.object_id] = colors[founder.object_id] = color
    if all(book[one].color == color for one, color in colors.items()):
        return dict.fromkeys(colors)
    return colors


def own_colors(book: BookState) -> dict[int, Color]:
    """Return the objects that have colours of their own, and these."""
    return {one.object_id: one.color for one in book.objects if one.color is not None}


def colormap_with(colors: Mapping[int, Sequence[float]]) -> Any:
    """Return a colormap for masks in which some objects have colours of their own.

    Parameters
    ----------
    colors
        RGBA in 0…1 by object id; without any, the usual colormap is returned.
    """
    if not colors:
        return object_colors()
    ids = np.union1d(np.arange(1, COLORED_OBJECTS + 1), list(colors))
    usual = dict(zip(ids.tolist(), object_colors().map(ids), strict=True))
    own = {one: np.asarray(rgba, np.float32) for one, rgba in colors.items()}
    shown: dict[Any, Any] = {None: "gray", 0: "transparent"}
    shown.update(usual)
    shown.update(own)
    return DirectLabelColormap(color_dict=shown)


TRUST_COLORS = ((222, 66, 0), (240, 158, 60), (150, 170, 180), (64, 138, 196))
"""Orange over grey to blue: told apart without telling red from green, and neither end
drowns in a dark or a light window. Low trust is the loud end."""


def trust_colors(trust: np.ndarray | float) -> np.ndarray:
    """Return ``(…, 3)`` float32 colours in 0…255 of trust in 0…1."""
    index = np.nan_to_num(np.clip(trust, 0, 1) * 255).astype(np.uint8)
    colors: np.ndarray = _trust_table()[index]
    return colors


@cache
def _trust_table() -> np.ndarray:
    """Return ``(256, 3)`` float32 colours from no trust to full trust."""
    colors = np.array(TRUST_COLORS, np.float32)
    steps, places = np.linspace(0, 1, 256), np.linspace(0, 1, len(colors))
    channels = [np.interp(steps, places, channel) for channel in colors.T]
    table: np.ndarray = np.stack(channels, axis=-1).astype(np.float32)
    return table
