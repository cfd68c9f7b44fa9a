"""An image layer as the movie that the model sees.

`ImageInput` is a frozen picture of the layer, taken in the main thread; the worker
opens it. The model sees what the scientist sees: the layer's contrast limits and gamma,
a colormap that runs from bright to dark, and up to three channels as red, green, blue.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2.engine.movie.axes import LayerAxes
from napari_sam2.engine.movie.image_input import (
    GREY,
    ChannelChoice,
    ChannelSource,
    ImageInput,
    Look,
    SeenChannel,
)
from napari_sam2.interfaces import Calibration
from napari_sam2.io.movies.calibration import unit_name
from napari_sam2.ui.layers.placement import finest_level, layer_shape

if TYPE_CHECKING:
    from napari.layers import Image

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""How bright red, green and blue look (Rec. 709)."""


def look_of(layer: Image) -> Look:
    """Return how a layer is shown now: the model sees what the scientist sees."""
    low, high = (float(limit) for limit in layer.contrast_limits)
    return Look((low, high), float(layer.gamma), is_inverted(layer.colormap))


def pixels_of(layer: Image) -> Hashable:
    """Return what tells the picture of a layer from one that it is given later."""
    return id(finest_level(layer)), layer_shape(layer)


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
    shape
        Its shape, without the samples of RGB; other layers need the same.
    axis
        Dimension along which channels lie; None if there is none.
    """
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


def image_input(
    layer: Image,
    axes: LayerAxes,
    channels: Sequence[ChannelChoice] = (),
    layers: Mapping[Hashable, Image] | None = None,
) -> ImageInput:
    """Take a picture of a layer; see `ImageInput`.

    Parameters
    ----------
    channels
        What the model sees; by default the layer alone, in grey.
    layers
        Other layers that channels come from, by id.
    """
    array = finest_level(layer)
    by_id = {**(layers or {}), layer.unique_id: layer}
    chosen = () if layer.rgb else tuple(channels) or (_own_channel(layer, axes),)
    return ImageInput(
        layer_id=layer.unique_id,
        array_id=id(array),
        name=str(layer.name),
        axes=axes,
        is_rgb=bool(layer.rgb),
        channels=tuple(
            _seen(choice, by_id[choice.source.layer_id]) for choice in chosen
        ),
        calibration=_calibration(layer, axes),
        array=array,
    )


def _own_channel(layer: Image, axes: LayerAxes) -> ChannelChoice:
    index = dict(axes.fixed).get(-1 if axes.channel_axis is None else axes.channel_axis)
    return ChannelChoice(GREY, ChannelSource(layer.unique_id, index, str(layer.name)))


def _seen(choice: ChannelChoice, layer: Image) -> SeenChannel:
    array = finest_level(layer)
    look = choice.look or look_of(layer)
    return SeenChannel(choice.color, choice.source, look, id(array), array)


def _calibration(layer: Image, axes: LayerAxes) -> Calibration:
    shown = (axes.frame_axis, -2, -1)
    frame_letter = "T" if axes.frame_axis is None else axes.letters[axes.frame_axis]
    scale, translation = (
        _picked(values, shown, default)
        for values, default in ((layer.scale, 1.0), (layer.translate, 0.0))
    )
    frame, row, column = (
        None if axis is None else unit_name(str(layer.units[axis])) for axis in shown
    )
    return Calibration(
        scale=scale,
        translation=translation,
        units=(frame, row, column),
        frame_axis="z" if frame_letter == "Z" else "t",
    )


def _picked(
    values: Sequence[float], axes: Sequence[int | None], default: float
) -> tuple[float, float, float]:
    frame, row, column = (
        default if axis is None else float(values[axis]) for axis in axes
    )
    return frame, row, column
