"""Which channels of which layers the model can see, and how each is shown.

Pure values; of layers only what every image layer of napari has publicly.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2.engine.movie.channels import ChannelSource, Look

if TYPE_CHECKING:
    from napari.layers import Image


LUMINANCE = (0.2126, 0.7152, 0.0722)
"""How bright red, green and blue look (Rec. 709)."""


def look_of(layer: Image) -> Look:
    """Return how a layer is shown now: the model sees what the scientist sees."""
    low, high = (float(limit) for limit in layer.contrast_limits)
    return Look((low, high), float(layer.gamma), is_inverted(layer.colormap))


def is_inverted(colormap: Any) -> bool:
    """Whether a colormap shows low intensities brighter than high ones."""
    dark, bright = np.asarray(colormap.map(np.array([0.0, 1.0])))[:, :3] @ LUMINANCE
    return bool(bright < dark)


def channel_sources(
    layers: Iterable[Image], movie: Image, shape: tuple[int, ...], axis: int | None
) -> list[ChannelSource]:
    """Return the channels that can be seen together with a movie's, its own first.

    Parameters
    ----------
    layers
        All image layers.
    movie
        The layer that is tracked in.
    shape
        Its shape, without the samples of RGB; other layers need the same.
    axis
        Dimension along which channels lie; None if there is none.
    """
    from napari_sam2.ui.layers.pixels import layer_shape

    fitting = [movie]
    fitting += [
        layer
        for layer in layers
        if layer.unique_id != movie.unique_id
        and not layer.rgb
        and layer_shape(layer) == shape
    ]
    indices: list[int | None] = [None] if axis is None else [*range(shape[axis])]
    return [
        ChannelSource(layer.unique_id, index, _title(layer, index, len(fitting)))
        for layer in fitting
        for index in indices
    ]


def _title(layer: Image, index: int | None, layers: int) -> str:
    if index is None:
        return str(layer.name)
    return f"channel {index}" if layers == 1 else f"channel {index} of {layer.name}"
