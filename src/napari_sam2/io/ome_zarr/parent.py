"""The zarr folder that masklets go into: a new one, or an existing OME-Zarr image."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import zarr
import zarr.errors

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.levels import finest_first
from napari_sam2.io.ome_zarr.machine_lock import alone
from napari_sam2.io.ome_zarr.metadata import (
    ZARR_FORMATS,
    LevelGeometry,
    image_axes,
    labels_group_attributes,
    ome_attributes,
    ome_metadata,
    read_geometry,
)
from napari_sam2.io.ome_zarr.planes import CHANNEL, SPACE, PlaneLayout
from napari_sam2.io.ome_zarr.watched_store import WatchedStore
from napari_sam2.io.ome_zarr.zarr_nodes import (
    PARTIAL,
    array_at,
    attributes_of,
    group_at,
    is_partial,
    remove_partial_files,
    replace_attributes,
)

NEW_VERSION = "0.5"
METADATA_FILES = {"zarr.json", ".zgroup", ".zarray"}
KILLED_WRITE = re.compile(r"(zarr|\.zgroup|\.zattrs|\.zmetadata)\.[0-9a-f]+\.partial")
"""What zarr leaves of metadata when it is killed; other files here are not ours."""
MARK = "napari-sam2"
"""Attribute of groups that this program made; into others no image is embedded."""
HAS_EVERY_CHUNK = "has_every_chunk"
"""In that attribute: the image was embedded by this program, and so that a lost chunk
is missed."""
IMAGE_ARRAY = "0"
AXIS_ORDER = {"t": 0, "z": 2, "y": 2, "x": 2}
"""Time, then channels and all else, then space."""
NAME = re.compile(r"(?!__)[A-Za-z0-9_-][A-Za-z0-9_. -]*")


@dataclass(frozen=True, slots=True)
class ImageLevel:
    """One resolution level of the image: facts by axis name."""

    shape: dict[str, int]
    scale: dict[str, float]
    translation: dict[str, float]


@dataclass(frozen=True, slots=True)
class ParentImage:
    """Resolution levels of the image that masklets lie in, finest first."""

    levels: tuple[ImageLevel, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        return tuple(self.levels[0].shape)

    def without_other_axes(self, frame_axis: str) -> ParentImage:
        """Return the image as if it had no axes but frame, row and column."""
        names = (frame_axis, *SPACE)

        def kept(facts: dict[str, Any]) -> dict[str, Any]:
            return {name: facts[name] for name in names if name in facts}

        return ParentImage(
            tuple(
                ImageLevel(kept(one.shape), kept(one.scale), kept(one.translation))
                for one in self.levels
            )
        )

    def label_layout(self, frame_axis: str, plane: Mapping[str, int]) -> PlaneLayout:
        """Return how labels lie that have the image's axes.

        Parameters
        ----------
        frame_axis
            Along which their frames run.
        plane
            By name of other axes: where they lie, as far as that is known.
        """
        axes = self.axes
        if frame_axis not in axes or axes[-2:] != SPACE:
            return PlaneLayout.plain(frame_axis)
        others = [name for name in axes if name not in (frame_axis, *SPACE)]
        fixed = {
            name: plane.get(name, 0) if self._knows(name, plane) else 0
            for name in others
        }
        return PlaneLayout(axes, frame_axis, fixed)

    def level_shapes(
        self, shape: tuple[int, ...], layout: PlaneLayout, plane: Mapping[str, int]
    ) -> list[tuple[int, ...]]:
        """Return the shape of the masklets for each level of the image."""
        found = []
        for level in self.levels:
            others = {
                name: level.shape[name] if self._knows(name, plane) else 1
                for name in layout.fixed
            }
            names = (layout.frame_axis, *SPACE)
            frames = tuple(
                level.shape.get(axis, length)
                for axis, length in zip(names, shape, strict=True)
            )
            found.append(tuple(layout.spread(frames, others)))
        return found

    def level_geometries(
        self, calibration: Calibration, layout: PlaneLayout
    ) -> list[LevelGeometry]:
        """Return the masklets' geometry for each level, relative to the finest."""
        axes = (calibration.frame_axis, *SPACE)
        finest = self.levels[0]
        found = []
        for level in self.levels:
            ratios = [
                level.scale.get(axis, 1.0) / finest.scale.get(axis, 1.0)
                for axis in axes
            ]
            shifts = [
                level.translation.get(axis, 0.0) - finest.translation.get(axis, 0.0)
                for axis in axes
            ]
            scale = tuple(map(float.__mul__, calibration.scale, ratios))
            start = tuple(map(float.__add__, calibration.translation, shifts))
            found.append(
                LevelGeometry(
                    tuple(layout.spread(scale, level.scale)),
                    tuple(layout.spread(start, level.translation)),
                )
            )
        return found

    def _knows(self, name: str, plane: Mapping[str, int]) -> bool:
        """Whether it is known where on an axis labels lie; channels have none."""
        length = self.levels[0].shape[name]
        return name != CHANNEL and 0 <= plane.get(name, -1) < length


@dataclass(frozen=True, slots=True)
class LabelLevel:
    """One resolution level of masklets: shape and geometry, axis by axis."""

    shape: tuple[int, ...]
    geometry: LevelGeometry


@dataclass(frozen=True, slots=True)
class Parent:
    """The folder's zarr group, its OME-Zarr version, its image if it holds one."""

    path: Path
    group: zarr.Group
    version: str
    image: ParentImage | None

    def without_other_axes(self, frame_axis: str) -> Parent:
        """Return the folder as masklets see it that have no axes but their own."""
        if self.image is None:
            return self
        return replace(self, image=self.image.without_other_axes(frame_axis))

    def labels_folder(self) -> Path:
        """Return the folder of all label groups."""
        return self.path / "labels"

    def listed_labels(self) -> list[str]:
        """Return the names in the ``labels`` group's list."""
        if "labels" not in self.group:
            return []
        attributes = attributes_of(group_at(self.group, "labels"))
        return list(ome_metadata(attributes).get("labels", ()))

    def list_label(self, name: str) -> None:
        """Add a name to the list of labels, which viewers go by.

        Raises
        ------
        OutputError
            If others are at it for too long.
        """
        with alone(self.path, "listing labels"):
            self._list(name)

    def _list(self, name: str) -> None:
        names = self.listed_labels()
        if name in names:
            return
        attributes = labels_group_attributes(self.version, [*names, name])
        if "labels" in self.group:
            labels = group_at(self.group, "labels")
            replace_attributes(labels, _merged(attributes_of(labels), attributes))
        else:
            self.group.create_group("labels", attributes=attributes)

    def sweep(self, name: str) -> None:
        """Remove what writers of a label group left behind when they were killed."""
        labels = self.labels_folder()
        for folder in (self.path, labels):
            for path in folder.glob(f"*{PARTIAL}"):
                if KILLED_WRITE.fullmatch(path.name) and is_partial(path):
                    path.unlink(missing_ok=True)
        remove_partial_files(labels / name)

    def begin_embedding(self) -> None:
        """Claim the image's array, before anything of it is written.

        Raises
        ------
        OutputError
            If the group, or the array in it, is of another maker.
        """
        attributes = attributes_of(self.group)
        mark = attributes.get(MARK)
        is_begun = isinstance(mark, dict) and mark.get("embedding") is True
        is_free = not os.path.lexists(self.path / IMAGE_ARRAY)
        if mark is None or not (is_begun or is_free):
            raise OutputError(
                f"{self.path}: holds data that napari-sam2 did not write, and an image "
                "is embedded into a new OME-Zarr only; choose another folder"
            )
        replace_attributes(self.group, {**attributes, MARK: {"embedding": True}})

    def end_embedding(self, metadata: dict[str, Any]) -> None:
        """Say that the image's array is whole, with its OME metadata."""
        attributes = attributes_of(self.group)
        image = ome_attributes(self.version, metadata)
        mark = {MARK: {HAS_EVERY_CHUNK: True}}
        replace_attributes(self.group, {**attributes, **image, **mark})

    def refresh_consolidated(self) -> None:
        """Renew consolidated metadata where the image has them.

        Readers that find them look nowhere else, and would not see new labels.
        """
        with alone(self.path, "listing labels"):
            self._consolidate()

    def _consolidate(self) -> None:
        root = zarr.open_group(WatchedStore(self.path), mode="r+")
        if root.metadata.consolidated_metadata is None:
            return
        with warnings.catch_warnings():
            # It is not in the zarr v3 specification; the image uses it all the same.
            warnings.filterwarnings("ignore", "Consolidated metadata")
            zarr.consolidate_metadata(root.store)


def open_parent(path: Path, mode: Literal["r", "r+"] = "r+") -> Parent:
    """Open an existing zarr group.

    Raises
    ------
    OutputError
        If there is none, or it is of a kind that cannot hold labels.
    """
    try:
        group = zarr.open_group(
            WatchedStore(path, read_only=mode == "r"), mode=mode, use_consolidated=False
        )
    except (FileNotFoundError, NotADirectoryError) as error:
        raise OutputError(
            f"{path}: no zarr group is there; check the folder"
        ) from error
    except zarr.errors.ContainsArrayError as error:
        raise OutputError(
            f"{path}: is a single zarr array, which cannot hold labels; "
            "choose another folder"
        ) from error
    return _described(path, group)


def open_or_create_parent(path: Path) -> Parent:
    """Open an existing zarr group, or make one where there is nothing.

    Raises
    ------
    OutputError
        If something else is there.
    """
    if path.is_dir() and any((path / name).exists() for name in METADATA_FILES):
        return open_parent(path)
    if path.is_file() or (path.is_dir() and not all(map(is_partial, path.iterdir()))):
        raise OutputError(f"{path}: exists and is no zarr group; choose another folder")
    group = zarr.create_group(
        WatchedStore(path), zarr_format=ZARR_FORMATS[NEW_VERSION], attributes={MARK: {}}
    )
    return Parent(path, group, NEW_VERSION, None)


def label_levels(
    parent: Parent,
    calibration: Calibration,
    shape: tuple[int, ...],
    plane: Mapping[str, int],
) -> tuple[PlaneLayout, list[LabelLevel]]:
    """Return how masklets lie on disk, and their resolution levels, finest first.

    Parameters
    ----------
    parent
        The folder; where it holds an image, masklets have its axes and levels.
    shape
        ``(T, Y, X)``.
    plane
        By name of other axes: where the masklets lie, as far as that is known.
    """
    if parent.image is None:
        geometry = LevelGeometry(calibration.scale, calibration.translation)
        return PlaneLayout.plain(calibration.frame_axis), [LabelLevel(shape, geometry)]
    layout = parent.image.label_layout(calibration.frame_axis, plane)
    shapes = parent.image.level_shapes(shape, layout, plane)
    geometries = parent.image.level_geometries(calibration, layout)
    return layout, list(map(LabelLevel, shapes, geometries))


def check_label_name(name: str) -> None:
    """Refuse names that cannot be a folder of a zarr hierarchy.

    Raises
    ------
    OutputError
        If the name is not made of letters, digits, ``_``, ``-``, ``.`` and spaces, or
        begins with a dot or ``__``.
    """
    if not NAME.fullmatch(name):
        raise OutputError(
            f"name {name!r}: use letters, digits, '_', '-', '.' and spaces, "
            "and begin with neither '.' nor '__'"
        )


def check_fits(parent: Parent, shape: tuple[int, int, int], frame_axis: str) -> None:
    """Refuse to put masklets into an image of another size.

    Raises
    ------
    OutputError
        If frames, rows or columns differ.
    """
    if parent.image is None:
        return
    order = [AXIS_ORDER.get(name, 1) for name in parent.image.axes]
    if (
        order != sorted(order)
        and not parent.image.label_layout(frame_axis, {}).is_plain
    ):
        raise OutputError(
            f"{parent.path}: has its axes in the order {', '.join(parent.image.axes)}, "
            "but OME-Zarr wants time, channel, space, and so do labels; choose another "
            "folder"
        )
    finest = parent.image.levels[0].shape
    expected = tuple(
        finest.get(axis, length)
        for axis, length in zip((frame_axis, "y", "x"), shape, strict=True)
    )
    if expected != shape:
        raise OutputError(
            f"{parent.path}: holds an image of {_product(expected)} "
            f"({frame_axis}, y, x), but the movie has {_product(shape)}; "
            "choose another folder"
        )


def _described(path: Path, group: zarr.Group) -> Parent:
    metadata = ome_metadata(attributes_of(group))
    for key, words in (("plate", "a plate"), ("bioformats2raw.layout", "a collection")):
        if key in metadata:
            raise OutputError(
                f"{path}: is {words} of images; give the folder of one of its images, "
                f"such as {path / ('A/1/0' if key == 'plate' else '0')}"
            )
    is_v2 = group.metadata.zarr_format == 2
    if "multiscales" not in metadata:
        return Parent(path, group, "0.4" if is_v2 else NEW_VERSION, None)
    version = (
        metadata["multiscales"][0].get("version") if is_v2 else metadata.get("version")
    )
    if ZARR_FORMATS.get(str(version)) != group.metadata.zarr_format:
        raise OutputError(
            f"{path}: is an OME-Zarr image of version {version}, and labels can be "
            "added to 0.4 and 0.5; choose another folder"
        )
    return Parent(path, group, str(version), _parent_image(group, metadata))


def _parent_image(group: zarr.Group, metadata: dict[str, Any]) -> ParentImage:
    entry = metadata["multiscales"][0]
    axes = image_axes(entry)
    levels = []
    for dataset in entry["datasets"]:
        geometry = read_geometry(dataset, len(axes))
        array = array_at(group, dataset["path"])
        level = ImageLevel(
            shape=dict(zip(axes, array.shape, strict=True)),
            scale=dict(zip(axes, geometry.scale, strict=True)),
            translation=dict(zip(axes, geometry.translation, strict=True)),
        )
        levels.append((array.shape, level))
    return ParentImage(tuple(finest_first(levels)))


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Replace the OME part of the attributes, keeping what others put there."""
    if "ome" in new:
        return {**old, "ome": {**old.get("ome", {}), **new["ome"]}}
    return {**old, **new}


def _product(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
