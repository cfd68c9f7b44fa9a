"""An image layer as the movie that the model sees.

`ImageInput` is a frozen picture of the layer, taken in the main thread; the worker
opens it. The model sees what the scientist sees: the layer's contrast limits and gamma.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam2.interfaces import Calibration
from napari_sam2.io.calibration import unit_name
from napari_sam2.io.frame_sources import StackFrames, open_frames
from napari_sam2.io.intensity import IntensityMapping
from napari_sam2.ui.layer_axes import LayerAxes

if TYPE_CHECKING:
    from napari.layers import Image


@dataclass(frozen=True, slots=True)
class ImageInput:
    """A movie to track in, cut out of an image layer.

    Two are equal if they give the same frames.

    Attributes
    ----------
    layer_id, array_id
        Which layer, and which array it held.
    name
        What people call it.
    axes
        Where frames lie in it.
    is_rgb
        Whether samples of RGB follow the last dimension.
    mapping
        From its intensities to what the model sees.
    calibration
        Physical scale, for the labels.
    array
        The pixels: numpy, dask, zarr, xarray; the finest level of a pyramid.
    """

    layer_id: Hashable
    array_id: int
    name: str
    axes: LayerAxes
    is_rgb: bool
    mapping: IntensityMapping
    calibration: Calibration
    array: Any = field(compare=False, repr=False)

    @property
    def movie_key(self) -> Hashable:
        """What decides which masklets belong to it; the contrast does not."""
        return self.layer_id, self.array_id, self.axes

    def open(self) -> StackFrames:
        """Open the frames; to be called, and read from, in the worker.

        Raises
        ------
        InputError
            If the array holds no intensities.
        """
        letters = self.axes.letters + ("S" if self.is_rgb else "")
        by_letter = {self.axes.letters[axis]: at for axis, at in self.axes.fixed}
        return open_frames(
            self.array,
            axes=letters,
            t=by_letter.get("T"),
            z=by_letter.get("Z"),
            channels=by_letter.get("C"),
            mapping=self.mapping,
            calibration=self.calibration,
            name=self.name,
        )


def finest_level(layer: Image) -> Any:
    """Return the layer's array, of a pyramid the largest."""
    return layer.data[0] if layer.multiscale else layer.data


def layer_shape(layer: Image) -> tuple[int, ...]:
    """Return the length of each dimension, without the samples of RGB."""
    shape = tuple(int(length) for length in finest_level(layer).shape)
    return shape[:-1] if layer.rgb else shape


def image_input(layer: Image, axes: LayerAxes) -> ImageInput:
    """Take a picture of a layer; see `ImageInput`."""
    array = finest_level(layer)
    return ImageInput(
        layer_id=layer.unique_id,
        array_id=id(array),
        name=str(layer.name),
        axes=axes,
        is_rgb=bool(layer.rgb),
        mapping=_mapping(layer, np.dtype(array.dtype)),
        calibration=_calibration(layer, axes),
        array=array,
    )


def _mapping(layer: Image, dtype: np.dtype) -> IntensityMapping:
    """Return what the canvas does to intensities.

    napari shows RGB from black to the largest value of its dtype, whatever the limits.
    """
    if not layer.rgb:
        low, high = (float(limit) for limit in layer.contrast_limits)
        return IntensityMapping(limits=((low, high),), gamma=(float(layer.gamma),))
    if dtype == np.uint8:
        return IntensityMapping(gamma=(1.0, 1.0, 1.0))
    white = float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0
    return IntensityMapping(limits=((0.0, white),) * 3, gamma=(1.0, 1.0, 1.0))


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
