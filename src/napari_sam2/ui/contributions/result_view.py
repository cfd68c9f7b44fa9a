"""Show a finished run: the movie and its masklets in a napari window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import napari
import zarr

from napari_sam2.io.label_store.store import OmeZarrLabelStore

if TYPE_CHECKING:
    from napari.viewer import Viewer


def show_result(path: Path) -> None:
    """Open an OME-Zarr that holds a movie and masklets; return when it is closed."""
    viewer = napari.Viewer(title=f"napari-sam2: {path.name}")
    add_result(viewer, path)
    napari.run()


def add_result(viewer: Viewer, path: Path) -> None:
    """Add the movie and its masklets as two layers of one scale."""
    store = OmeZarrLabelStore.open(path, mode="r")
    calibration = store.calibration
    geometry = {
        "scale": calibration.scale,
        "translate": calibration.translation,
        "axis_labels": (calibration.frame_axis, "y", "x"),
    }
    image = zarr.open_array(path / "0", mode="r")
    viewer.add_image(image, name="movie", **geometry)
    features = {
        "index": [one.object_id for one in store.objects],
        "name": [one.name for one in store.objects],
    }
    layer = viewer.add_labels(
        store.array, name=store.name, features=features, **geometry
    )
    layer.editable = False
    viewer.dims.set_current_step(0, 0)
