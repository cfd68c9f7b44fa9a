"""napari's *Save* of a labels layer as OME-Zarr, one frame at a time."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from napari_sam2.errors import InputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.label_store.export import PlainLabels
from napari_sam2.io.label_store.export import write_labels as export
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.movies.calibration import unit_name
from napari_sam2.io.ome_zarr.metadata import LabelledObject
from napari_sam2.ui.masklets.session_mark import marked_session

FRAME_AXES = {"z": "z", "depth": "z", "plane": "z"}
DIMENSIONS = (2, 3)


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a labels layer into a new OME-Zarr, or beside the image of another one.

    Masklets of a session are read from its folder: the viewer holds a part of them.

    Parameters
    ----------
    path
        Folder to be, ending in ``.zarr``.
    data, attributes
        The layer's array, ``(Y, X)`` or ``(T, Y, X)``, and its state.

    Returns
    -------
    What was written.

    Raises
    ------
    InputError
        If the layer has more dimensions, or labels that OME-Zarr cannot hold.
    OutputError
        If labels of that name are there already, or the disk refuses.
    """
    folder = Path(path)
    name = label_name(str(attributes.get("name", "")))
    session = marked_session(data, attributes.get("metadata", {}))
    if session is not None:
        store = OmeZarrLabelStore.open(*session, "r")
        objects = {one.object_id: one for one in store.objects}
        export(folder, name, PlainLabels(store.array, store.calibration, objects))
    else:
        export(folder, name, _plain(data, attributes))
    return [path]


def label_name(layer_name: str) -> str:
    """Return a layer's name as OME-Zarr allows it for a group.

    >>> label_name("[1] Zelle, früh")
    '1- Zelle- fr-h'
    """
    allowed = re.sub(r"[^A-Za-z0-9_. -]", "-", layer_name).lstrip("-_. ")
    return allowed or "labels"


def _plain(data: Any, attributes: dict[str, Any]) -> PlainLabels:
    finest = data[0] if attributes.get("multiscale") else data
    count = len(finest.shape)
    if count not in DIMENSIONS:
        raise InputError(
            f"{attributes.get('name', 'the layer')} has {count} dimensions; labels are "
            "written as frame, y, x: take out one plane and save that"
        )
    is_single = count == 2
    letters = [str(one).lower() for one in attributes.get("axis_labels") or ()]
    first = letters[0] if letters and not is_single else ""
    lead = (1.0,) if is_single else ()
    scale = (*lead, *map(float, attributes.get("scale", (1.0,) * count)))
    origin = (0.0,) if is_single else ()
    start = (*origin, *map(float, attributes.get("translate", (0.0,) * count)))
    words = attributes.get("units") or ("pixel",) * count
    units = ((None,) if is_single else ()) + tuple(unit_name(str(one)) for one in words)
    calibration = Calibration(
        (scale[0], scale[1], scale[2]),
        (start[0], start[1], start[2]),
        (units[0], units[1], units[2]),
        FRAME_AXES.get(first, "t"),
    )
    frames = finest[None] if is_single else finest
    return PlainLabels(frames, calibration, _objects(attributes.get("features")))


def _objects(features: Any) -> dict[int, LabelledObject]:
    """Return the names in a layer's features."""
    if features is None or not {"index", "name"} <= set(features):
        return {}
    pairs = zip(features["index"], features["name"], strict=True)
    return {int(one): LabelledObject(int(one), str(name)) for one, name in pairs}
