"""Labels of stacks over time: ``(t, z, y, x)``, and inside them the run of each plane.

`labels/<name>/0` is an ordinary label image with the axes of its movie. What it is made
of, masklets of each stack and of each plane that was tracked, lies as an OME-Zarr of
its own in the group of the run; so each of them is resumed and verified as masklets of
a movie are.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import zarr

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.label_store.group import (
    OF_STACKS,
    RUN,
    check_length,
    check_range,
    is_volume,
    labels_of,
    open_group_of_ours,
    put_label_group,
)
from napari_sam2.io.label_store.progress_journal import WholeFrames
from napari_sam2.io.label_store.writing_lock import hold_writing_lock, replacing
from napari_sam2.io.ome_zarr.digests import UNKNOWN, digest_of
from napari_sam2.io.ome_zarr.machine_lock import alone
from napari_sam2.io.ome_zarr.metadata import (
    ZARR_FORMATS,
    LabelledObject,
    LevelGeometry,
    axis_names,
    label_attributes,
    ome_metadata,
    read_geometry,
    read_objects,
)
from napari_sam2.io.ome_zarr.parent import (
    AXIS_ORDER,
    LabelLevel,
    Parent,
    check_label_name,
    open_or_create_parent,
    open_parent,
)
from napari_sam2.io.ome_zarr.planes import CHANNEL
from napari_sam2.io.ome_zarr.pyramid import label_spec
from napari_sam2.io.ome_zarr.volume_axes import PlaneAxis, volume_axes, volume_geometry
from napari_sam2.io.ome_zarr.watched_store import WatchedStore
from napari_sam2.io.ome_zarr.zarr_nodes import (
    ArraySpec,
    array_if_any,
    attributes_of,
    create_array,
    group_at,
    replace_attributes,
)
from napari_sam2.io.storage import DAMAGED, reading_errors, storage_errors
from napari_sam2.prompts import PromptedObject

PARTS = "parts"
"""The OME-Zarr, in the group of the run, of all that was tracked."""
AXES = ("t", "z", "y", "x")
DTYPE = np.dtype(np.uint16)
DIGESTS = "digests"
SHOWN = 5
"""Most frames that are named in one line."""
CREATING = "creating labels"


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    """What the labels of a movie of stacks are made of.

    Attributes
    ----------
    shape
        ``(T, Z, Y, X)``.
    objects
        All of them; their prompts are not looked at.
    """

    name: str
    shape: tuple[int, int, int, int]
    objects: tuple[PromptedObject, ...]
    calibration: Calibration
    planes: PlaneAxis


class VolumeLabels:
    """Labels of stacks over time in an OME-Zarr; made by `create` or `open`.

    Attributes
    ----------
    path, name
        Folder of the OME-Zarr, name of the label group in it.
    parts
        Folder of the OME-Zarr with the masklets that the labels are made of.
    array
        The labels as they are stored; as many dimensions as the image has.
    """

    def __init__(self, parent: Parent, name: str, mode: Literal["r", "r+"]) -> None:
        self.path, self.name = parent.path, name
        run = parent.labels_folder() / name / RUN
        self.parts = run / PARTS
        self._lock = hold_writing_lock(run) if mode == "r+" else None
        self._parent = parent
        self._group = open_group_of_ours(parent, name, mode)
        if not is_volume(self._group):
            raise OutputError(
                f"{parent.path}/labels/{name}: holds masklets of single frames, not of "
                "stacks over time; choose another --name"
            )
        self._run = group_at(self._group, RUN)
        self.array = labels_of(self._group)
        self._whole = WholeFrames.open(self._run)
        self._digests = _digests_of(self._run, self.shape[:2])
        self._parts_read: dict[str, zarr.Array] = {}

    @classmethod
    def create(cls, path: Path, spec: VolumeSpec, *, overwrite: bool = False) -> Self:
        """Create empty labels in a new OME-Zarr, or beside the image of another one.

        Raises
        ------
        OutputError
            If the group exists, the folder is no OME-Zarr or holds another movie, or
            the disk refuses.
        """
        path = Path(path)
        run = path / "labels" / spec.name / RUN
        with (
            storage_errors(path, "create the labels"),
            alone(path, CREATING) as is_alone,
            replacing(run, None) if overwrite else nullcontext(),
        ):
            check_label_name(spec.name)
            check_length(spec.shape[0])
            for one in spec.objects:
                check_range(one.object_id, DTYPE)
            parent = open_or_create_parent(path)
            axes, levels = _laid_out(parent, spec)
            put_label_group(
                parent,
                spec.name,
                lambda folder: _fill(parent, folder, spec, (axes, levels)),
                overwrite=overwrite,
                sweep=is_alone,
            )
            return cls(parent, spec.name, "r+")

    @classmethod
    def open(cls, path: Path, name: str, mode: Literal["r", "r+"] = "r+") -> Self:
        """Open what `create` made.

        Raises
        ------
        OutputError
            If there is none, it is of another kind, or somebody else writes it.
        """
        path = Path(path)
        with storage_errors(path, "open the labels"), reading_errors(path, name):
            volume = cls(open_parent(path, mode), name, mode)
            if mode == "r+":
                volume._parent.list_label(name)
            return volume

    def close(self) -> None:
        """Let others write."""
        self._lock = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(T, Z, Y, X)``."""
        lengths = dict(zip(self._axes, self.array.shape, strict=True))
        frames, planes, rows, columns = (lengths[name] for name in AXES)
        return frames, planes, rows, columns

    @property
    def is_complete(self) -> bool:
        """Whether `finish` was called and nothing was written since."""
        return bool(attributes_of(self._run).get("complete", False))

    @property
    def whole_frames(self) -> np.ndarray:
        """``(T,)`` bool: which time points are written."""
        return self._whole.read()

    @property
    def objects(self) -> list[LabelledObject]:
        """All objects, with name and mother."""
        with reading_errors(self.path, "the list of its objects"):
            return read_objects(attributes_of(self._group))

    @property
    def placed(self) -> tuple[tuple[str, ...], LevelGeometry, tuple[str | None, ...]]:
        """Names of the dimensions of `array`, where pixels lie, and units."""
        entry = ome_metadata(attributes_of(self._group))["multiscales"][0]
        geometry = read_geometry(entry["datasets"][0], len(self._axes))
        return self._axes, geometry, tuple(one.get("unit") for one in entry["axes"])

    @property
    def provenance(self) -> dict[str, Any] | None:
        """What made the labels, as JSON; None until that is known."""
        found = attributes_of(self._group)[RUN].get("provenance")
        return found if isinstance(found, dict) else None

    def record_provenance(self, provenance: dict[str, Any]) -> None:
        """Say what makes the labels, by one atomic write."""
        attributes = attributes_of(self._group)
        attributes[RUN] = {**attributes[RUN], "provenance": provenance}
        with storage_errors(self.path, "record the provenance"):
            replace_attributes(self._group, attributes)

    def read(self, frame_index: int, plane: int) -> np.ndarray:
        """Return the ``(Y, X)`` labels of a plane; zeros where nothing was written."""
        what = f"frame {frame_index}, plane {plane} of the labels"
        with reading_errors(self.path, what):
            return np.asarray(self.array[self._index(frame_index, plane)])

    def read_part(self, name: str, frame_index: int) -> np.ndarray:
        """Return a ``(Y, X)`` frame of the labels of one of the parts."""
        path = self.parts / "labels" / name / "0"
        with reading_errors(path, f"frame {frame_index}"):
            if name not in self._parts_read:
                self._parts_read[name] = zarr.open_array(path, mode="r")
            return np.asarray(self._parts_read[name][frame_index])

    def read_so_far(self, frame_index: int, plane: int) -> np.ndarray:
        """Return the ``(Y, X)`` labels of a plane while a run goes on.

        As they are settled, else as the plane was tracked in time, else as the stack
        was followed along z.
        """
        if WholeFrames.open(self._run).read()[frame_index]:  # as it is now
            return self.read(frame_index, plane)
        for name, index in ((f"z{plane}", frame_index), (f"t{frame_index}", plane)):
            if (self.parts / "labels" / name / "0").is_dir():
                labels = self.read_part(name, index)
                if labels.any():
                    return labels
        return self.read(frame_index, plane)

    def write(self, frame_index: int, planes: Iterable[np.ndarray]) -> None:
        """Write all planes of a time point, ``(Y, X)`` each, and say that it is whole.

        Raises
        ------
        OutputError
            If the disk refuses.
        """
        with storage_errors(self.path, f"write frame {frame_index}"):
            self._whole.begin(frame_index)
            digests = np.zeros(self.shape[1], np.uint64)
            for plane, labels in enumerate(planes):
                self.array[self._index(frame_index, plane)] = labels
                digests[plane] = _digest_of(labels)
            if self._digests is not None:
                self._digests[frame_index] = digests
            self._sync()
            self._whole.mark()
            self._sync()

    def begin_again(self) -> None:
        """Say that no time point is written as it is to be, nor coarser levels."""
        with storage_errors(self.path, "reopen the labels"):
            self._say_complete(False)
            for frame_index in np.flatnonzero(self.whole_frames).tolist():
                self._whole.remove(frame_index)
            self._describe(1)

    def finish(self) -> None:
        """Mark the labels complete; inside an image, with as many levels as it has."""
        with storage_errors(self.path, "finish the labels"):
            levels = self._levels()
            for number, level in enumerate(levels[1:], start=1):
                self._build(number, level.shape)
            self._describe(len(levels))
            self._parent.refresh_consolidated()
            self._sync()
            self._say_complete(True)
            self._sync()

    def damaged(self) -> list[tuple[int, str]]:
        """Return the time points with a plane that is not what was written, and why.

        What version 0.2 had not, and what was made before there were digests, must only
        be readable.
        """
        found = []
        for frame_index in np.flatnonzero(self.whole_frames).tolist():
            for plane in range(self.shape[1]):
                try:
                    labels = np.asarray(self.array[self._index(frame_index, plane)])
                    if self._known(frame_index, plane) in (UNKNOWN, _digest_of(labels)):
                        continue
                    where = f"plane {plane} is not what was written"
                except (OSError, *DAMAGED) as error:
                    where = f"plane {plane} cannot be read ({error})"
                found.append((frame_index, where))
        return found

    def mend(self) -> str | None:
        """Say that time points are not written that are not what was written.

        Returns
        -------
        str or None
            What people should be told; None if all is as it was written.
        """
        frames = sorted({frame for frame, _ in self.damaged()})
        if not frames:
            return None
        with storage_errors(self.path, "check the labels"):
            for frame_index in frames:
                self._whole.remove(frame_index)
        folder = self.path / "labels" / self.name
        numbers = ", ".join(map(str, frames[:SHOWN]))
        more = f" and {len(frames) - SHOWN} more" * (len(frames) > SHOWN)
        return f"{folder}: frames {numbers}{more} are damaged, and are made again"

    def _known(self, frame_index: int, plane: int) -> int:
        if self._digests is None:
            return UNKNOWN
        return int(np.asarray(self._digests[frame_index, plane]))

    def sync_commits(self) -> None:
        """Let `write` and `finish` wait for the disk, so that power may be lost."""
        store = self._group.store
        if isinstance(store, WatchedStore):
            store.sync_from_now_on(self._group.path)

    # --- how it lies on disk

    def _sync(self) -> None:
        store = self._group.store
        if isinstance(store, WatchedStore):
            store.sync()

    @property
    def _axes(self) -> tuple[str, ...]:
        return axis_names(attributes_of(self._group))

    def _index(self, frame_index: int, plane: int) -> tuple[Any, ...]:
        whole = slice(None)
        places = {"t": frame_index, "z": plane, "y": whole, "x": whole}
        return tuple(places.get(name, 0) for name in self._axes)

    def _levels(self) -> list[LabelLevel]:
        axes, geometry, _ = self.placed
        if self._parent.image is None:
            return [LabelLevel(self.array.shape, geometry)]
        return _levels_of_image(self._parent, axes)

    def _say_complete(self, is_complete: bool) -> None:
        attributes = attributes_of(self._run)
        replace_attributes(self._run, {**attributes, "complete": is_complete})

    def _describe(self, level_count: int) -> None:
        attributes = attributes_of(self._group)
        ome = label_attributes(
            self._parent.version,
            self._group.basename,
            ome_metadata(attributes)["multiscales"][0]["axes"],
            [level.geometry for level in self._levels()[:level_count]],
            self.objects,
            has_image=self._parent.image is not None,
        )
        replace_attributes(self._group, {**attributes, **ome})

    def _build(self, number: int, shape: tuple[int, ...]) -> None:
        """Write a coarser level by taking the nearest pixels, plane by plane."""
        spec = label_spec(shape, self.array.dtype, self._axes)
        level = create_array(self._group, str(number), spec)
        nearest = {
            name: np.arange(length) * full // length
            for name, length, full in zip(
                self._axes, shape, self.array.shape, strict=True
            )
        }
        corners = np.ix_(nearest["y"], nearest["x"])
        for frame_index, finest in enumerate(nearest["t"].tolist()):
            for plane, source in enumerate(nearest["z"].tolist()):
                labels = self.read(finest, source)[corners]
                if labels.any():
                    level[self._index(frame_index, plane)] = labels


def _digests_of(run: zarr.Group, grid: tuple[int, int]) -> zarr.Array | None:
    """Return ``(T, Z)`` digests of planes; None of labels that lack them, read-only."""
    array = array_if_any(run, DIGESTS)
    if array is not None or run.read_only:
        return array
    spec = ArraySpec(
        shape=grid,
        chunks=(1, grid[1]),
        dtype=np.uint64,
        fill_value=UNKNOWN,
        dimension_names=("frame", "plane"),
    )
    return create_array(run, DIGESTS, spec)


def _digest_of(labels: np.ndarray) -> int:
    return digest_of(np.ascontiguousarray(labels, DTYPE).tobytes())


def is_of_stacks(path: Path, name: str) -> bool:
    """Return whether a label group of ours holds a movie of stacks.

    Raises
    ------
    OutputError
        If it cannot be read.
    """
    with reading_errors(path, name):
        return is_volume(open_group_of_ours(open_parent(path, "r"), name, "r"))


def _laid_out(
    parent: Parent, spec: VolumeSpec
) -> tuple[list[dict[str, str]], list[LabelLevel]]:
    """Return axes and levels: those of the image, where the folder holds one."""
    axes = volume_axes(spec.calibration, spec.planes)
    if parent.image is None:
        geometry = volume_geometry(spec.calibration, spec.planes)
        return axes, [LabelLevel(spec.shape, geometry)]
    names = parent.image.axes
    order = [AXIS_ORDER.get(name, 1) for name in names]
    lengths = parent.image.levels[0].shape
    is_alike = tuple(lengths.get(name) for name in AXES) == spec.shape
    if not is_alike or set(names) - {*AXES, CHANNEL} or order != sorted(order):
        raise OutputError(
            f"{parent.path}: holds an image of {tuple(lengths.values())} "
            f"({', '.join(names)}), but the movie has {spec.shape} (t, z, y, x); "
            "choose another folder"
        )
    known = {axis["name"]: axis for axis in axes}
    channel = {"name": CHANNEL, "type": "channel"}
    found = [known.get(name, channel) for name in names]
    return found, _levels_of_image(parent, names)


def _levels_of_image(parent: Parent, names: tuple[str, ...]) -> list[LabelLevel]:
    if parent.image is None:
        raise ValueError("there is no image")
    return [
        LabelLevel(
            tuple(1 if name == CHANNEL else level.shape[name] for name in names),
            LevelGeometry(
                tuple(level.scale[name] for name in names),
                tuple(level.translation[name] for name in names),
            ),
        )
        for level in parent.image.levels
    ]


def _fill(
    parent: Parent,
    folder: Path,
    spec: VolumeSpec,
    laid_out: tuple[list[dict[str, str]], list[LabelLevel]],
) -> None:
    axes, levels = laid_out
    objects = [
        LabelledObject(one.object_id, one.name, one.parent) for one in spec.objects
    ]
    group = zarr.create_group(
        WatchedStore(folder),
        zarr_format=ZARR_FORMATS[parent.version],
        attributes=label_attributes(
            parent.version,
            spec.name,
            axes,
            [levels[0].geometry],
            objects,
            has_image=parent.image is not None,
        )
        | {RUN: {"format_version": OF_STACKS}},
    )
    names = tuple(axis["name"] for axis in axes)
    create_array(group, "0", label_spec(levels[0].shape, DTYPE, names))
    run = group.create_group(RUN, attributes={"complete": False})
    WholeFrames.create(run, spec.shape[0])
