"""The pixels of an image layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.layers import Image


def finest_level(layer: Image) -> Any:
    """Return the layer's array, of a pyramid the largest."""
    return layer.data[0] if layer.multiscale else layer.data


def layer_shape(layer: Image) -> tuple[int, ...]:
    """Return the length of each dimension, without the samples of RGB."""
    shape = tuple(int(length) for length in finest_level(layer).shape)
    return shape[:-1] if layer.rgb else shape
