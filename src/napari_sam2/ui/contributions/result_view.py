"""Show a finished run: the movie and its masklets in a napari window."""

from __future__ import annotations

from pathlib import Path

import napari


def show_result(path: Path) -> None:
    """Open an OME-Zarr that holds a movie and masklets; return when it is closed."""
    viewer = napari.Viewer(title=f"napari-sam2: {path.name}")
    viewer.open(path, plugin="napari-sam2")
    viewer.dims.set_current_step(0, 0)
    napari.run()
