"""Zarr as image stacks: plain arrays and OME-Zarr images, zarr 2 and 3.

Of an image with several resolutions the first, finest level is read. A path may also
name a level, or any array; what its image says about axes and scales is then found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import zarr
from pydantic import BaseModel, Field, ValidationError

from napari_sam2.errors import InputError
from napari_sam2.io.movies.calibration import AxisScale, axis_scale
from napari_sam2.io.movies.image_stacks import (
    READ_FAILURES,
    ArrayStack,
    axes_from_names,
    one_line,
)

ZARR_MARKERS = ("zarr.json", ".zarray", ".zgroup", ".zattrs")


class _Axis(BaseModel):
    name: str
    type: str | None = None
    unit: str | None = None


class _Transformation(BaseModel):
    type: str
    scale: list[float] | None = None
    translation: list[float] | None = None


class _Dataset(BaseModel):
    path: str
    transformations: list[_Transformation] = Field(
        default=[], alias="coordinateTransformations"
    )


class _Multiscale(BaseModel):
    """What OME-Zarr says of an image, all its versions alike."""

    axes: list[_Axis | str] | None = None
    datasets: list[_Dataset] = Field(min_length=1)
    transformations: list[_Transformation] = Field(
        default=[], alias="coordinateTransformations"
    )

    def named_axes(self) -> list[_Axis]:
        """Return the axes; version 0.1 and 0.2 images have these five."""
        axes = self.axes if self.axes is not None else list("tczyx")
        return [_Axis(name=axis) if isinstance(axis, str) else axis for axis in axes]


def is_zarr(path: Path) -> bool:
    """Tell whether a folder is a zarr array or group."""
    return any((path / marker).is_file() for marker in ZARR_MARKERS)


def open_zarr(path: Path) -> ArrayStack:
    """Open an array, or the finest level of an OME-Zarr image.

    Raises
    ------
    InputError
        If nothing is found, the metadata are broken, or the group holds several
        images.
    """
    node = _open_node(path)
    if isinstance(node, zarr.Group):
        return _open_group(node, path)
    image, dataset = _image_of_level(path)
    return _as_stack(node, str(path), image, dataset)


def _open_node(path: Path) -> zarr.Group | zarr.Array:
    try:
        return zarr.open(path, mode="r")
    except (*READ_FAILURES, TypeError) as error:
        raise InputError(
            f"{path} cannot be read as zarr: {one_line(error)}; its metadata are "
            "missing or broken"
        ) from error


def _open_group(group: zarr.Group, path: Path) -> ArrayStack:
    image = _read_multiscale(group, path)
    if image is not None:
        level = image.datasets[0].path
        array = _open_node(path / level)
        if isinstance(array, zarr.Group):
            raise InputError(f"{path}: its level {level} is a group, not an array")
        return _as_stack(array, str(path), image, image.datasets[0])
    ome = group.attrs.get("ome", group.attrs)
    if isinstance(ome, Mapping) and "plate" in ome:
        raise InputError(
            f"{path} is a plate; name one field of it, for example {path}/A/1/0"
        )
    members = sorted(name for name, _ in group.members())
    if members == ["labels"] and isinstance(group["labels"], zarr.Group):
        raise InputError(
            f"{path} holds labels and no image: give the movie that they were made of, "
            f"or name the labels ({path}/labels/…)"
        )
    if len(members) == 1 or (members == ["0", "OME"]):
        return open_zarr(path / members[0])
    listed = ", ".join(members) or "nothing"
    raise InputError(
        f"{path} is a zarr group without an image of its own; name one of what it "
        f"holds: {listed}"
    )


def _image_of_level(path: Path) -> tuple[_Multiscale | None, _Dataset | None]:
    """Find the image that an array is a level of, in one of the folders above."""
    for folder in list(path.absolute().parents)[:3]:
        if not is_zarr(folder):
            continue
        group = _open_node(folder)
        image = _read_multiscale(group, folder)
        for dataset in image.datasets if image else ():
            if (folder / dataset.path) == path.absolute():
                return image, dataset
    return None, None


def _read_multiscale(node: zarr.Group | zarr.Array, path: Path) -> _Multiscale | None:
    attributes: Any = node.attrs.asdict()
    ome = attributes.get("ome", attributes)
    multiscales = ome.get("multiscales") if isinstance(ome, Mapping) else None
    if not multiscales:
        return None
    try:
        return _Multiscale.model_validate(multiscales[0])
    except (ValidationError, TypeError, KeyError) as error:
        raise InputError(
            f"{path}: its OME-Zarr metadata 'multiscales' are broken: {one_line(error)}"
        ) from error


def _as_stack(
    array: zarr.Array, name: str, image: _Multiscale | None, dataset: _Dataset | None
) -> ArrayStack:
    if image is None or dataset is None:
        names: Any = array.attrs.get("_ARRAY_DIMENSIONS")
        return ArrayStack(array, name=name, axes=axes_from_names(names or ()))
    axes = image.named_axes()
    if len(axes) != len(array.shape):
        raise InputError(
            f"{name}: its OME-Zarr metadata name {len(axes)} axes, but the array has "
            f"shape {array.shape}"
        )
    letters = "".join(_letter(axis) for axis in axes)
    scales = _axis_scales(axes, [*dataset.transformations, *image.transformations])
    return ArrayStack(array, name=name, axes=letters, scales=scales)


def _letter(axis: _Axis) -> str:
    letters = {"time": "T", "channel": "C"}
    if len(axis.name) == 1:
        return axis.name.upper()
    return letters.get(axis.type or "", axes_from_names([axis.name]) or "?")


def _axis_scales(
    axes: Sequence[_Axis], transformations: Sequence[_Transformation]
) -> dict[str, AxisScale]:
    """Compose transformations, in their order, axis by axis."""
    steps, starts = [1.0] * len(axes), [0.0] * len(axes)
    for transformation in transformations:
        factors = transformation.scale or [1.0] * len(axes)
        shifts = transformation.translation or [0.0] * len(axes)
        if len(factors) != len(axes) or len(shifts) != len(axes):
            continue
        steps = [step * factor for step, factor in zip(steps, factors, strict=True)]
        starts = [
            start * factor + shift
            for start, factor, shift in zip(starts, factors, shifts, strict=True)
        ]
    found = {
        _letter(axis): axis_scale(step, axis.unit, start)
        for axis, step, start in zip(axes, steps, starts, strict=True)
    }
    return {letter: scale for letter, scale in found.items() if scale is not None}
