"""Zarr as image stacks: plain arrays and OME-Zarr images, zarr 2 and 3.

Of an image with several resolutions the finest level is read. A path may also
name a level, or any array; what its image says about axes and scales is then found.
Metadata are read from where they belong: a consolidated copy may be out of date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import zarr
from pydantic import ValidationError

from napari_sam2.errors import InputError
from napari_sam2.io.axis_names import axis_letters
from napari_sam2.io.levels import finest_first
from napari_sam2.io.movies.calibration import AxisScale, axis_scale
from napari_sam2.io.movies.files.image_stacks import (
    ArrayStack,
    axes_from_names,
    one_line,
    reading,
)
from napari_sam2.io.movies.files.remote import open_remote
from napari_sam2.io.movies.files.zarr_images import Axis, Dataset, Multiscale
from napari_sam2.io.storage import CheckedStore
from napari_sam2.paths import remote_url

ZARR_MARKERS = ("zarr.json", ".zarray", ".zgroup", ".zattrs")
BROKEN = "its metadata are missing or broken"
LISTED = 12
"""Most members of a group that a hint names."""

DEEPEST = 3
"""How far below a group a hint looks for images."""


def is_zarr(path: Path) -> bool:
    """Tell whether a folder is a zarr array or group."""
    return any((path / marker).is_file() for marker in ZARR_MARKERS)


def open_zarr(path: Path) -> ArrayStack:
    """Open an array, or the finest level of an OME-Zarr image.

    Raises
    ------
    InputError
        If nothing is found, the metadata are broken or of a later version, or the
        group holds several images.
    """
    with reading(_name(path), BROKEN, "zarr"):
        node = _open_node(path)
        if isinstance(node, zarr.Group):
            return _open_group(node, path)
        image, dataset = _image_of_level(path)
        return _as_stack(node, _name(path), image, dataset)


def _name(path: Path) -> str:
    """Return what errors and provenance call a zarr."""
    return remote_url(path) or str(path)


def _open_node(path: Path) -> zarr.Group | zarr.Array:
    if (url := remote_url(path)) is not None:
        return open_remote(url)
    is_array = (path / ".zarray").is_file()
    store = CheckedStore(path, read_only=True)
    if (path / "zarr.json").is_file():
        return _open_version_3(store, path)
    with reading(path, BROKEN, "zarr"):
        if is_array:
            return zarr.open_array(store, mode="r", zarr_format=2)
        return zarr.open_group(store, mode="r", zarr_format=2, use_consolidated=False)


def _open_version_3(store: CheckedStore, path: Path) -> zarr.Group | zarr.Array:
    with reading(path, BROKEN, "zarr"):
        try:
            return zarr.open_group(
                store, mode="r", zarr_format=3, use_consolidated=False
            )
        except zarr.errors.ContainsArrayError:
            return zarr.open_array(store, mode="r", zarr_format=3)


def _open_group(group: zarr.Group, path: Path) -> ArrayStack:
    images = _read_multiscales(group, path)
    if images:
        image = _only_image(images, path)
        array, dataset = _finest_level(image, path)
        return _as_stack(array, _name(path), image, dataset)
    if (url := remote_url(path)) is not None:  # not every server lists what it has
        raise InputError(
            f"{url} is a zarr group without an image of its own; name an image or an "
            "array in it"
        )
    _refuse_plate(group, path)
    if "geff" in group.attrs:
        raise InputError(
            f"{path} is a graph of tracks (GEFF) and holds no images: napari-sam2 "
            "import reads it"
        )
    members = sorted(_members(path))
    if members == ["labels"] and _is_group(path / "labels"):
        raise InputError(
            f"{path} holds labels and no image: give the movie that they were made of, "
            f"or name the labels ({path}/labels/…)"
        )
    if len(members) == 1 or (members == ["0", "OME"]):
        return open_zarr(path / members[0])
    raise InputError(
        f"{path} is a zarr group without an image of its own; name one of what it "
        f"holds: {_listed(members)}"
    )


def _finest_level(image: Multiscale, path: Path) -> tuple[zarr.Array, Dataset]:
    """Return the largest array of an image; coarser ones may be missing."""
    levels: list[tuple[zarr.Array, Dataset]] = []
    for dataset in sorted(image.datasets, key=image.step_size):
        try:
            array = _open_node(path / dataset.path)
        except InputError:
            if not levels:
                raise
            continue
        if isinstance(array, zarr.Group):
            raise InputError(
                f"{path}: its level {dataset.path} is a group, not an array"
            )
        levels.append((array, dataset))
    return finest_first((level[0].shape, level) for level in levels)[0]


def _only_image(images: Sequence[Multiscale], path: Path) -> Multiscale:
    """Return the one image that a group has, or ask which of several is meant."""
    finest = {min(one.datasets, key=one.step_size).path: one for one in images}
    if len(finest) > 1:
        named = [
            f"{path}/{level}" + (f" ({image.name})" if image.name else "")
            for level, image in finest.items()
        ]
        raise InputError(
            f"{path} holds {len(finest)} images; name the finest level of one: "
            f"{_listed(named)}"
        )
    return images[0]


def _refuse_plate(group: zarr.Group, path: Path) -> None:
    """Name a field that is there, if a group is a plate or a well."""
    ome = _ome_metadata(group)
    if "plate" not in ome and "well" not in ome:
        return
    kind = "plate" if "plate" in ome else "well"
    field = next(iter(_images(path)))
    example = f"for example {field}" if field != path else "of which it holds none"
    raise InputError(f"{path} is a {kind}; name one field of it, {example}")


def _images(path: Path, depth: int = DEEPEST) -> Iterator[Path]:
    """Yield the groups and arrays at the ends of a hierarchy, in order of name."""
    below = [path / name for name in sorted(_members(path)) if name != "labels"]
    groups = [folder for folder in below if _is_group(folder)]
    if not groups or depth == 0:
        yield path
        return
    for folder in groups:
        yield from _images(folder, depth - 1)


def _members(path: Path) -> list[str]:
    return [folder.name for folder in path.iterdir() if is_zarr(folder)]


def _is_group(path: Path) -> bool:
    return isinstance(_open_node(path), zarr.Group)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:LISTED]) or "nothing"
    return f"{shown}, … ({len(names)} in all)" if len(names) > LISTED else shown


def _image_of_level(path: Path) -> tuple[Multiscale | None, Dataset | None]:
    """Find the image that an array is a level of, in one of the folders above."""
    for folder in list(path.absolute().parents)[:3]:
        if not is_zarr(folder):
            continue
        group = _open_node(folder)
        for image in _read_multiscales(group, folder):
            for dataset in image.datasets:
                if (folder / dataset.path) == path.absolute():
                    return image, dataset
    return None, None


def _ome_metadata(node: zarr.Group | zarr.Array) -> Mapping[str, Any]:
    attributes: Any = node.attrs.asdict()
    ome = attributes.get("ome", attributes)
    return ome if isinstance(ome, Mapping) else {}


def _read_multiscales(node: zarr.Group | zarr.Array, path: Path) -> list[Multiscale]:
    ome = _ome_metadata(node)
    try:
        return [
            Multiscale.model_validate(
                {**entry, "version": ome.get("version") or entry.get("version")}
            )
            for entry in ome.get("multiscales") or ()
        ]
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        reason = problem["msg"].removeprefix("Value error, ")
        raise InputError(
            f"{path}: its OME-Zarr metadata 'multiscales' cannot be read: "
            f"{where + ': ' if where else ''}{reason}"
        ) from error
    except (TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path}: its OME-Zarr metadata 'multiscales' are broken: {one_line(error)}"
        ) from error


def _as_stack(
    array: zarr.Array, name: str, image: Multiscale | None, dataset: Dataset | None
) -> ArrayStack:
    if image is None or dataset is None:
        names: Any = array.attrs.get("_ARRAY_DIMENSIONS")
        if not isinstance(names, Sequence):
            return ArrayStack(array, name=name)
        axes = axes_from_names(names)
        return ArrayStack(array, name=name, axes=axes, axes_from="_ARRAY_DIMENSIONS")
    try:
        named = image.named_axes(dataset)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from error
    if len(named) != len(array.shape):
        raise InputError(
            f"{name}: its OME-Zarr metadata name {len(named)} axes, but the array has "
            f"shape {array.shape}; save the image as OME-Zarr 0.4 or 0.5"
        )
    letters = axis_letters([axis.name for axis in named], [axis.type for axis in named])
    scales = _axis_scales(named, letters, image.steps_and_starts(dataset))
    return ArrayStack(
        array, name=name, axes=letters, axes_from="OME-Zarr metadata", scales=scales
    )


def _axis_scales(
    axes: Sequence[Axis],
    letters: Sequence[str],
    steps_and_starts: tuple[Sequence[float], Sequence[float]],
) -> dict[str, AxisScale]:
    found = {
        letter: axis_scale(step, axis.unit, start)
        for letter, axis, step, start in zip(
            letters, axes, *steps_and_starts, strict=True
        )
    }
    return {letter: scale for letter, scale in found.items() if scale is not None}
