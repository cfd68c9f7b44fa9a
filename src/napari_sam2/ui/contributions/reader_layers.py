"""The layers of a session on disk: movies that lie there, and the masklets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np

from napari_sam2.engine.movie.axes import LayerAxes, lay_out_layer
from napari_sam2.errors import NapariSam2Error
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.label_store.volume import VolumeLabels, is_of_stacks
from napari_sam2.io.ome_zarr.folder_image import FolderImage, read_images
from napari_sam2.io.ome_zarr.metadata import LabelledObject
from napari_sam2.io.sessions.folder import session_names
from napari_sam2.ui.layers.colors import object_colors
from napari_sam2.ui.layers.labels_in_layer import LabelsInLayer
from napari_sam2.ui.masklets.live_labels import LiveLabels
from napari_sam2.ui.masklets.session_mark import session_metadata

LayerData = tuple[Any, dict[str, Any], str]

OPACITY = 0.5


def read_sessions(path: str) -> list[LayerData]:
    """Return the movies that lie in the folder, and the masklets on them.

    The masklets cannot be painted on until the tracker takes them over.

    Raises
    ------
    OutputError
        If the folder is damaged, or a newer version wrote it.
    """
    folder = Path(path)
    images = read_images(folder)
    layers = [_masklets(folder, name, images) for name in session_names(folder)]
    if len(images) == 1:
        return [_image(images[0], _movie_name(folder)), *layers]
    # Which of several the masklets are of, nobody said: all are shown.
    return [*(_image(one, f"{folder.stem} {one.name}") for one in images), *layers]


def _image(image: FolderImage, name: str) -> LayerData:
    levels: list[Any] = list(image.levels)
    kept = [axis for axis, letter in enumerate(image.axes) if letter != "c"]
    shown: dict[str, Any] = {"name": name}
    if len(kept) < len(image.axes):
        axis = image.axes.index("c")
        lazy: list[da.Array] = [da.from_zarr(level) for level in levels]
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


def _masklets(folder: Path, name: str, images: Sequence[FolderImage]) -> LayerData:
    if is_of_stacks(folder, name):
        return volume_layer(VolumeLabels.open(folder, name, "r"))
    store = OmeZarrLabelStore.open(folder, name, "r")
    shape = (store.frame_count, *store.frame_shape)
    live = LiveLabels(shape, store.array.dtype, store.read_labels)
    image = next((one for one in images if _fits(store, one)), None)
    axes, placed = _placement(store, image)
    shown: dict[str, Any] = {
        "name": name if name != folder.stem else f"{name} masklets",
        **placed,
        "colormap": object_colors(),
        "opacity": OPACITY,
        "metadata": session_metadata(folder, name),
        **_features(store.objects),
    }
    return LabelsInLayer(live, axes), shown, "labels"


def volume_layer(volume: VolumeLabels, array: Any = None) -> LayerData:
    """Return labels of stacks over time, which are looked at only.

    Parameters
    ----------
    array
        ``(t, z, y, x)`` to show instead of what is stored.
    """
    names, geometry, units = volume.placed
    kept = [axis for axis, name in enumerate(names) if name != "c"]
    if array is None:
        array = da.from_zarr(volume.array)
        if "c" in names:
            array = array[(slice(None),) * names.index("c") + (0,)]
    shown: dict[str, Any] = {
        "name": volume.name,
        "scale": tuple(geometry.scale[axis] for axis in kept),
        "translate": tuple(geometry.translation[axis] for axis in kept),
        "axis_labels": tuple(names[axis] for axis in kept),
        "units": tuple(units[axis] or "pixel" for axis in kept),
        "colormap": object_colors(),
        "opacity": OPACITY,
        **_features(volume.objects),
    }
    return array, shown, "labels"


def _features(objects: Sequence[LabelledObject]) -> dict[str, Any]:
    """Return what napari shows of a label beside its number."""
    if not objects:
        return {}
    return {
        "features": {
            "index": [one.object_id for one in objects],
            "name": [one.name or f"object {one.object_id}" for one in objects],
        }
    }


def _fits(store: OmeZarrLabelStore, image: FolderImage) -> bool:
    """Whether masklets may be those of an image, by its size."""
    lengths = dict(zip(image.axes, image.levels[0].shape, strict=True))
    names = (store.calibration.frame_axis, "y", "x")
    shape = [store.frame_count, *store.frame_shape]
    return [lengths.get(name) for name in names] == shape


def _placement(
    store: OmeZarrLabelStore, image: FolderImage | None
) -> tuple[LayerAxes, dict[str, Any]]:
    """Return the dimensions of the masklets' layer, which are those of its image.

    Viewers align layers from the last dimension; labels without the image's planes
    would follow these and stand still in time.
    """
    own = store.calibration
    names: tuple[str, ...] = (own.frame_axis, "y", "x")
    lengths = dict(zip(names, store.array.shape, strict=True))
    scale = dict(zip(names, own.scale, strict=True))
    start = dict(zip(names, own.translation, strict=True))
    units = dict(zip(names, own.units, strict=True))
    if image is not None:
        shape = image.levels[0].shape
        for axis, letter in enumerate(image.axes):
            lengths.setdefault(letter, shape[axis])
            scale.setdefault(letter, image.scale[axis])
            start.setdefault(letter, image.translation[axis])
            units.setdefault(letter, image.units[axis])
        names = tuple(letter for letter in image.axes if letter != "c")
    stay_at = {
        names.index(letter): index
        for letter, index in store.plane.items()
        if letter in names and 0 <= index < lengths[letter]
    }
    axes = lay_out_layer(
        tuple(lengths[letter] for letter in names),
        names,
        names.index(own.frame_axis),
        stay_at,
    )
    return axes, {
        "scale": tuple(scale[letter] for letter in names),
        "translate": tuple(start[letter] for letter in names),
        "axis_labels": names,
        "units": tuple(units[letter] or "pixel" for letter in names),
    }
