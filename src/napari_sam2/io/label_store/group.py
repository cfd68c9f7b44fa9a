"""The zarr group ``labels/<name>``: created in one step, opened, described, finished.

A new group is built under a hidden name and renamed when it is whole, so that
whatever exists can be opened and resumed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal

import numpy as np
import zarr

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.label_store.anchor_arrays import AnchorArrays
from napari_sam2.io.label_store.mask_logits import LogitArray
from napari_sam2.io.label_store.progress_journal import WholeFrames
from napari_sam2.io.label_store.tables.measurements import (
    EVIDENCE,
    MEASUREMENTS,
    MeasurementArrays,
)
from napari_sam2.io.label_store.tables.rows import TILES, ScoreArrays, TileArray
from napari_sam2.io.ome_zarr.metadata import (
    ZARR_FORMATS,
    LabelledObject,
    axis_names,
    calibrated_axes,
    label_attributes,
    read_calibration,
    read_objects,
)
from napari_sam2.io.ome_zarr.parent import (
    LabelLevel,
    Parent,
    check_fits,
    check_label_name,
    label_levels,
    open_or_create_parent,
)
from napari_sam2.io.ome_zarr.planes import PlaneLayout, label_planes
from napari_sam2.io.ome_zarr.pyramid import build_level, label_spec
from napari_sam2.io.ome_zarr.watched_store import WatchedStore
from napari_sam2.io.ome_zarr.zarr_nodes import (
    PARTIAL,
    array_at,
    attributes_of,
    create_array,
    node_path,
    replace_attributes,
)
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.io.storage import RESTORE
from napari_sam2.prompts import PromptedObject
from napari_sam2.tiles import TileLayout

RUN = "napari-sam2"
"""Group of a run inside its label group, and key of its provenance."""
MOST_FRAMES = 4_000_000
"""Two days at 24 frames a second. What is known of each lies in memory."""
EARLIER = "earlier_provenance"
"""What made masklets before others were added to them, in order."""
FORMAT_VERSION = 3
"""2: masklets may have the axes of their image; 3: logits may be those of tiles.

Those that have neither are written as 1."""
WITH_AXES = 2
OF_STACKS = 4
"""Of groups that hold movies of stacks, see `volume`."""


LEFT = r"\.{}\.([0-9a-f]{{8}}\.)?(new|old)\.partial"
"""Names of what killed writers leave beside a group."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelGroupSpec:
    """All that a new label group is made of.

    Attributes
    ----------
    shape
        ``(T, Y, X)``.
    logits_shape
        ``(h, w)`` of the low-resolution logits.
    objects
        All objects; their columns are given out in order of their ids.
    provenance, calibration
        What makes the labels, and their scale.
    tiles
        Where the tiles lie that logits cover; None where they cover frames.
    """

    name: str
    shape: tuple[int, int, int]
    logits_shape: tuple[int, int]
    objects: tuple[PromptedObject, ...]
    provenance: Provenance
    calibration: Calibration
    dtype: np.dtype
    tiles: TileLayout | None = None

    @property
    def plane(self) -> dict[str, int]:
        """Where the movie stays on its other axes, by their names in OME-Zarr."""
        return plane_of(self.provenance)


def plane_of(provenance: Provenance) -> dict[str, int]:
    """Return where a movie stays on axes that are not frame, row or column."""
    fixed = provenance.frames.get("fixed")
    if not isinstance(fixed, dict):
        return {}
    return {
        str(letter).lower(): index
        for letter, index in fixed.items()
        if isinstance(index, int)
    }


def create_label_group(
    path: Path, spec: LabelGroupSpec, *, overwrite: bool, sweep: bool
) -> Parent:
    """Create the group, and the folder around it where there is none.

    Parameters
    ----------
    path, spec
        Folder of the OME-Zarr, and what to make.
    overwrite
        Whether a group of that name is replaced.
    sweep
        Whether nobody else can be making one, so that what others left is removed.

    Raises
    ------
    OutputError
        If the group exists and is not to be overwritten, or is of another maker, or
        cannot be there.
    """
    check_label_name(spec.name)
    check_length(spec.shape[0])
    for prompted in spec.objects:
        check_range(prompted.object_id, spec.dtype)
    parent = open_or_create_parent(path)
    check_fits(parent, spec.shape, spec.calibration.frame_axis)
    put_label_group(
        parent,
        spec.name,
        lambda folder: _fill(parent, folder, spec),
        overwrite=overwrite,
        sweep=sweep,
    )
    return parent


def put_label_group(
    parent: Parent,
    name: str,
    fill: Callable[[Path], None],
    *,
    overwrite: bool,
    sweep: bool,
) -> None:
    """Build a group aside, and put it into its place in one step.

    Parameters
    ----------
    parent, name
        Where, and its name.
    fill
        Makes the group in a folder.
    overwrite, sweep
        See `create_label_group`.

    Raises
    ------
    OutputError
        If the group exists and is not to be overwritten, or is of another maker.
    """
    folder = parent.labels_folder()
    target = folder / name
    building, replaced = (aside(target, what) for what in ("new", "old"))
    if target.exists() and not overwrite:
        raise OutputError(
            f"{target}: exists already; go on with it, or choose another folder or name"
        )
    if target.exists():
        # Refuses what somebody else made.
        open_group_of_ours(parent, name, "r")
    if sweep:
        parent.sweep(name)
        for stray in folder.glob(f".{name}.*{PARTIAL}"):
            if re.fullmatch(LEFT.format(re.escape(name)), stray.name):
                shutil.rmtree(stray, ignore_errors=True)
    fill(building)
    if target.exists():
        target.rename(replaced)
    building.rename(target)
    shutil.rmtree(replaced, ignore_errors=True)
    parent.list_label(name)


def aside(target: Path, what: Literal["new", "old"]) -> Path:
    """Return the folder beside a group where its writer alone builds or puts away."""
    return target.with_name(f".{target.name}.{token_hex(4)}.{what}{PARTIAL}")


def open_label_group(parent: Parent, name: str, mode: Literal["r", "r+"]) -> zarr.Group:
    """Open a group that `create_label_group` made.

    Raises
    ------
    OutputError
        If it is not there, is of another maker or of a later version, or holds a
        movie of stacks.
    """
    group = open_group_of_ours(parent, name, mode)
    if is_volume(group):
        raise OutputError(
            f"{parent.path}/labels/{name}: holds masklets of stacks over time "
            "(t, z, y, x), which only napari and other readers of OME-Zarr show; "
            "choose the masklets of a movie of single frames"
        )
    return group


def is_volume(group: zarr.Group) -> bool:
    """Return whether a group of ours holds a movie of stacks."""
    return bool(attributes_of(group)[RUN]["format_version"] == OF_STACKS)


def open_group_of_ours(
    parent: Parent, name: str, mode: Literal["r", "r+"]
) -> zarr.Group:
    """Open a label group that this program made, of frames or of stacks.

    Raises
    ------
    OutputError
        If it is not there, is of another maker or of a later version.
    """
    where = f"{parent.path}/labels/{name}"
    if not (parent.labels_folder() / name).is_dir():
        raise OutputError(f"{where}: no such labels; check folder and name")
    group = zarr.open_group(
        WatchedStore(parent.path, read_only=mode == "r"),
        path=f"labels/{name}",
        mode=mode,
        use_consolidated=False,
    )
    version = attributes_of(group).get(RUN, {}).get("format_version")
    if version is None:
        raise OutputError(
            f"{where}: was not written by napari-sam2; choose another name"
        )
    if version > OF_STACKS:
        raise OutputError(
            f"{where}: was written by a newer napari-sam2 (format {version}); update"
        )
    return group


def labels_of(group: zarr.Group) -> zarr.Array:
    """Return the finest label image of a group.

    Raises
    ------
    OutputError
        If it is missing, or its metadata say that it has no pixels.
    """
    array = array_at(group, "0")
    if not array.size:
        where = node_path(group, "0")
        raise OutputError(f"{where}: the label image has no pixels; {RESTORE}")
    return array


def describe(
    group: zarr.Group,
    parent: Parent,
    objects: Iterable[LabelledObject],
    level_count: int,
) -> None:
    """Renew the OME metadata by one atomic write, keeping other attributes."""
    attributes = attributes_of(group)
    layout, levels = _levels_of(group, parent)
    ome = label_attributes(
        parent.version,
        group.basename,
        calibrated_axes(read_calibration(attributes, layout), layout),
        [level.geometry for level in levels[:level_count]],
        objects,
        has_image=parent.image is not None,
    )
    replace_attributes(group, {**attributes, **ome})


def complete(
    group: zarr.Group, parent: Parent, spans: Mapping[int, tuple[int, int]]
) -> None:
    """Write the coarser levels that the image has too, and the objects' frames.

    Metadata name a level only once it is whole.

    Parameters
    ----------
    spans
        First and last frame of each object that has pixels, by id.
    """
    level_count = _build_pyramid(group, parent)
    objects = []
    for labelled in read_objects(attributes_of(group)):
        first, last = spans.get(labelled.object_id, (None, None))
        objects.append(replace(labelled, first_frame=first, last_frame=last))
    describe(group, parent, objects, level_count)
    parent.refresh_consolidated()


def drop_pyramid(group: zarr.Group, parent: Parent) -> None:
    """Go back to a single level, before the finest one changes."""
    describe(group, parent, read_objects(attributes_of(group)), 1)
    level_count = 1 if parent.image is None else len(parent.image.levels)
    for number in range(1, level_count):
        del group[str(number)]


def layout_of(attributes: dict[str, Any]) -> PlaneLayout:
    """Return how the frames of a label group lie in its arrays."""
    return PlaneLayout.read(axis_names(attributes), attributes[RUN].get("plane", {}))


def write_provenance(
    group: zarr.Group, provenance: Provenance, *, is_addition: bool = False
) -> None:
    """Replace the provenance by one atomic write, keeping other attributes.

    What made the masklets that are there stays among the earlier ones where others are
    added to them (``is_addition``).
    """
    attributes = attributes_of(group)
    known = attributes[RUN]
    is_tiled = known["format_version"] == FORMAT_VERSION
    entry = _run_entry(provenance, layout_of(attributes), is_tiled=is_tiled)
    earlier = list(known.get(EARLIER, ()))
    if is_addition and known["provenance"] != entry[RUN]["provenance"]:
        earlier.append(known["provenance"])
    if earlier:
        entry[RUN][EARLIER] = earlier
    replace_attributes(group, attributes | entry)


def check_length(frame_count: int) -> None:
    """Refuse movies that no plan can go through frame by frame.

    Raises
    ------
    OutputError
        If there are more frames than `MOST_FRAMES`.
    """
    if frame_count > MOST_FRAMES:
        raise OutputError(
            f"the movie has {frame_count:,} frames, and masklets have at most "
            f"{MOST_FRAMES:,}; cut it into several"
        )


def check_range(value: int, dtype: np.dtype) -> None:
    """Refuse label values that the label image cannot hold.

    Raises
    ------
    OutputError
        If the value is too large.
    """
    if value > np.iinfo(dtype).max:
        raise OutputError(
            f"object {value}: does not fit into {dtype} labels; use smaller ids or "
            "create the labels as uint32"
        )


def _fill(parent: Parent, folder: Path, spec: LabelGroupSpec) -> None:
    objects = [
        LabelledObject(prompted.object_id, prompted.name, prompted.parent)
        for prompted in spec.objects
    ]
    layout, levels = label_levels(parent, spec.calibration, spec.shape, spec.plane)
    group = zarr.create_group(
        WatchedStore(folder),
        zarr_format=ZARR_FORMATS[parent.version],
        attributes=label_attributes(
            parent.version,
            spec.name,
            calibrated_axes(spec.calibration, layout),
            [levels[0].geometry],
            objects,
            has_image=parent.image is not None,
        )
        | _run_entry(spec.provenance, layout, is_tiled=spec.tiles is not None),
    )
    create_array(group, "0", label_spec(levels[0].shape, spec.dtype, layout.axes))
    _fill_run(group, spec, sorted(prompted.object_id for prompted in spec.objects))


def _fill_run(group: zarr.Group, spec: LabelGroupSpec, ids: list[int]) -> None:
    tiles = {} if spec.tiles is None else {TILES: spec.tiles.as_json()}
    run = group.create_group(
        RUN, attributes={"object_ids": ids, "complete": False, **tiles}
    )
    frame_count = spec.shape[0]
    if spec.tiles is not None:
        TileArray.create(run, (frame_count, len(ids)))
    ScoreArrays.create(run, (frame_count, len(ids)))
    MeasurementArrays(run, (frame_count, len(ids)), (*MEASUREMENTS, *EVIDENCE))
    LogitArray.create(run, (frame_count, len(ids), *spec.logits_shape))
    WholeFrames.create(run, frame_count)
    AnchorArrays.create(
        run.create_group("anchors"),
        ids,
        (frame_count, len(ids), *spec.logits_shape),
        is_tiled=spec.tiles is not None,
    )


def _run_entry(
    provenance: Provenance, layout: PlaneLayout, *, is_tiled: bool
) -> dict[str, Any]:
    facts = provenance.model_dump(mode="json")
    version = 1 if layout.is_plain else WITH_AXES
    if is_tiled:
        version = FORMAT_VERSION
    entry = {"format_version": version, "provenance": facts}
    return {RUN: entry if layout.is_plain else {**entry, "plane": dict(layout.fixed)}}


def _build_pyramid(group: zarr.Group, parent: Parent) -> int:
    if parent.image is None:
        return 1
    layout, levels = _levels_of(group, parent)
    for number, level in enumerate(levels[1:], start=1):
        build_level(group, number, level.shape, layout)
    return len(levels)


def _levels_of(
    group: zarr.Group, parent: Parent
) -> tuple[PlaneLayout, list[LabelLevel]]:
    """Return layout and levels of a group that exists, also one of version 0.2."""
    attributes = attributes_of(group)
    layout = layout_of(attributes)
    calibration = read_calibration(attributes, layout)
    stored = array_at(group, "0")
    shape = tuple(label_planes(stored, layout).shape)
    if layout.is_plain:
        parent = parent.without_other_axes(calibration.frame_axis)
    lengths = dict(zip(layout.axes, stored.shape, strict=True))
    plane = {name: at for name, at in layout.fixed.items() if lengths[name] > 1}
    _, levels = label_levels(parent, calibration, shape, plane)
    return layout, levels
