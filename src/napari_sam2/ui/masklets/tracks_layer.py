"""Masklets as a napari Tracks layer: trails through time, with divisions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
import numpy as np
from napari.qt.threading import create_worker
from napari.utils.notifications import show_error, show_warning

from napari_sam2.engine.movie.axes import LayerAxes
from napari_sam2.errors import InputError, NapariSam2Error
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.label_store.tracks import TrackTable, tracks_of
from napari_sam2.ui.layers.labels_in_layer import LabelsInLayer
from napari_sam2.ui.layers.placement import placed_like
from napari_sam2.ui.masklets.session_mark import session_of

if TYPE_CHECKING:
    from napari.layers import Labels, Tracks
    from napari.viewer import Viewer

NO_MASKLETS = "Choose a layer of masklets: tracks are made of what was tracked"


def make_tracks() -> None:
    """Show the tracks of the chosen layer of masklets: the command of the menu."""
    viewer = napari.current_viewer()
    layer = None if viewer is None else viewer.layers.selection.active
    session = None if layer is None else session_of(layer)
    if layer is None or session is None or not isinstance(layer.data, LabelsInLayer):
        show_warning(NO_MASKLETS)
        return
    create_worker(
        read_tracks,
        *session,
        _connect={
            "yielded": partial(_on_table, viewer, layer, layer.data.axes),
            "errored": lambda error: show_error(str(error)),
        },
        _progress={"desc": "Reading tracks"},
    )


def read_tracks(folder: Path, name: str) -> Iterator[TrackTable]:
    """Read the tracks of a session, in the worker.

    Raises
    ------
    OutputError
        If the folder cannot be read.
    """
    yield tracks_of(OmeZarrLabelStore.open(folder, name, "r"))


def tracks_arguments(table: TrackTable, axes: LayerAxes) -> dict[str, Any]:
    """Return the keyword arguments of `viewer.add_tracks`.

    Parameters
    ----------
    axes
        Dimensions of the layer that the tracks shall lie on.

    Returns
    -------
    ``data`` is ``(rows, 1 + dimensions)``: the object, and its place in the layer.

    Raises
    ------
    InputError
        If there are no masks, or no frames to go through.
    """
    if len(table.rows) == 0:
        raise InputError("There are no masks to make tracks of: track something first")
    if axes.frame_axis is None:
        raise InputError("A single image has no tracks: choose the frame axis")
    data = np.zeros((len(table.rows), 1 + len(axes.shape)))
    data[:, 0] = table.rows[:, 0]
    for axis, index in axes.fixed:
        data[:, 1 + axis] = index
    data[:, 1 + axes.frame_axis] = table.rows[:, 1]
    data[:, -2:] = table.rows[:, 2:]
    # napari wants times first and ascending in each track; a track is an object.
    ids = table.rows[:, 0].astype(int)
    each, place = np.unique(ids, return_inverse=True)
    founders = np.array([_founder(table, one) for one in each.tolist()], int)
    features = {"object_id": ids, "family": founders[place], **table.features}
    return {
        "data": data,
        "graph": {child: list(mothers) for child, mothers in table.graph.items()},
        "features": features,
        "color_by": "object_id",
    }


def _founder(table: TrackTable, object_id: int) -> int:
    """Return who an object descends from at last."""
    while mothers := table.graph.get(object_id):
        (object_id,) = mothers
    return object_id


def show_tracks(
    viewer: Viewer, masklets: Labels, table: TrackTable, axes: LayerAxes
) -> Tracks:
    """Show tracks on a layer of masklets, in place of those shown before.

    Raises
    ------
    InputError
        As `tracks_arguments`.
    """
    arguments = tracks_arguments(table, axes)
    name = f"{masklets.name} tracks"
    metadata = {"napari-sam2 tracks": str(masklets.unique_id)}
    for layer in list(viewer.layers):
        if layer.metadata == metadata:
            viewer.layers.remove(layer)
    active = viewer.layers.selection.active
    layer = viewer.add_tracks(
        name=name, metadata=metadata, **arguments, **placed_like(masklets)
    )
    viewer.layers.selection.active = active
    return layer


def _on_table(
    viewer: Viewer, layer: Labels, axes: LayerAxes, table: TrackTable
) -> None:
    if layer not in viewer.layers:
        return  # somebody deleted it while its tracks were read
    try:
        show_tracks(viewer, layer, table, axes)
    except NapariSam2Error as error:
        show_warning(str(error))
