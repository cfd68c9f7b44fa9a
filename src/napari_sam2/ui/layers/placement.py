"""Where the pixels of an image layer lie, and other layers on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari.layers import Image, Layer


def finest_level(layer: Image) -> Any:
    """Return the layer's array, of a pyramid the largest."""
    return layer.data[0] if layer.multiscale else layer.data


def layer_shape(layer: Image) -> tuple[int, ...]:
    """Return the length of each dimension, without the samples of RGB."""
    shape = tuple(int(length) for length in finest_level(layer).shape)
    return shape[:-1] if layer.rgb else shape


TRANSFORMS = ("scale", "translate", "rotate", "shear", "affine")
SHARED = (*TRANSFORMS, "units", "axis_labels")
"""What a layer must have in common with the image to lie on it."""


def placed_like(image: Layer) -> dict[str, Any]:
    """Return the keyword arguments that put a new layer onto another one."""
    return {name: getattr(image, name) for name in SHARED}


def positions_in(
    image: Layer,
    layer: Layer,
    positions: np.ndarray,
    here: Sequence[float] | None = None,
) -> np.ndarray:
    """Return positions of one layer in pixels of another, by the world.

    Parameters
    ----------
    image
        The layer whose pixels are meant.
    layer
        The layer that the positions are of.
    positions
        ``(positions, dimensions)``.
    here
        Point of the world that stands in for dimensions that ``layer`` lacks.

    Returns
    -------
    ndarray
        ``(positions, dimensions)`` with the dimensions of ``image``.
    """
    positions = np.asarray(positions, float).reshape(-1, layer.ndim)
    if _lie_alike(image, layer):
        return positions
    lacking: Sequence[float] = () if here is None else here[: -layer.ndim]
    places = [
        image.world_to_data((*lacking, *layer.data_to_world(row))) for row in positions
    ]
    return np.array(places, float).reshape(-1, image.ndim)


def _lie_alike(one: Layer, other: Layer) -> bool:
    return one.ndim == other.ndim and all(
        np.array_equal(np.asarray(getattr(one, name)), np.asarray(getattr(other, name)))
        for name in TRANSFORMS
    )
