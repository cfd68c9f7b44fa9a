"""The layers of a session on disk: the movie, if it lies there, and the masklets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np

from napari_sam2.engine.movie.axes import lay_out_layer
from napari_sam2.errors import NapariSam2Error
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.ome_zarr.folder_image import FolderImage, read_image
from napari_sam2.io.sessions.folder import session_names
from napari_sam2.ui.layers.colors import object_colors
from napari_sam2.ui.layers.labels_in_layer import LabelsInLayer
from napari_sam2.ui.masklets.live_labels import LiveLabels
from napari_sam2.ui.masklets.session_mark import session_metadata

LayerData = tuple[Any, dict[str, Any], str]

OPACITY = 0.5


def read_sessions(path: str) -> list[LayerData]:
    """Return the movie, if it lies in the folder, and the masklets on it.

    The masklets cannot be painted on until the tracker takes them over.

    Raises
    ------
    OutputError
        If the folder is damaged, or a newer version wrote it.
    """
    folder = Path(path)
    layers = [_masklets(folder, name) for name in session_names(folder)]
    image = read_image(folder)
    return layers if image is None else [_image(folder, image), *layers]


def _image(folder: Path, image: FolderImage) -> LayerData:
    levels: list[Any] = list(image.levels)
    kept = [axis for axis, name in enumerate(image.axes) if name != "c"]
    shown: dict[str, Any] = {"name": _movie_name(folder)}
    if len(kept) < len(image.axes):
        axis = image.axes.index("c")
        lazy: list[da.Array] = [da.from_zarr(level) for level in levels]  # type: ignore[no-untyped-call]
        if levels[0].shape[axis] == 3 and levels[0].dtype == np.uint8:
            levels, shown["rgb"] = [da.moveaxis(one, axis, -1) for one in lazy], True
        else:
            levels, shown["channel_axis"] = lazy, axis
    for key, values in (
        ("scale", image.scale),
        ("translate", image.translation),
        ("axis_labels", image.axes),
        ("units", [one or "pixel" for one in image.units]),
    ):
        shown[key] = tuple(values[axis] for axis in kept)
    return (levels if len(levels) > 1 else levels[0]), shown, "image"


def _movie_name(folder: Path) -> str:
    """Return what the movie was called; the tracker finds it by this name."""
    for name in session_names(folder):
        try:
            document = OmeZarrLabelStore.open(folder, name, "r").read_session()
        except NapariSam2Error:
            continue
        if document.image.layer:
            return str(document.image.layer)
    return folder.stem


def _masklets(folder: Path, name: str) -> LayerData:
    store = OmeZarrLabelStore.open(folder, name, "r")
    calibration, objects = store.calibration, store.objects
    axes = (calibration.frame_axis, "y", "x")
    shape = (store.frame_count, *store.frame_shape)
    live = LiveLabels(shape, store.array.dtype, store.read_labels)
    shown: dict[str, Any] = {
        "name": name if name != folder.stem else f"{name} masklets",
        "scale": calibration.scale,
        "translate": calibration.translation,
        "axis_labels": axes,
        "units": tuple(one or "pixel" for one in calibration.units),
        "colormap": object_colors(),
        "opacity": OPACITY,
        "metadata": session_metadata(folder, name),
    }
    if objects:
        shown["features"] = {
            "index": [one.object_id for one in objects],
            "name": [one.name or f"object {one.object_id}" for one in objects],
        }
    return LabelsInLayer(live, lay_out_layer(shape, axes, 0, {})), shown, "labels"
