"""Make the pictures of the user guide anew.

``python tools/with_display.py python docs/make_screenshots.py`` opens the sample movies
in a real viewer, clicks on cells, tracks them, and saves the windows to
``docs/images``. Settings and masklets of the person who runs it are not touched.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_sam2.ui.dock import TrackerDock

IMAGES = Path(__file__).parent / "images"
WINDOW = (1180, 780)
CELLS = 6
"""Cells that are clicked on in each sample movie."""

PATIENCE = 600.0
MOMENT = 0.5
"""Seconds that a window takes to be drawn."""


def main() -> None:
    """Make all pictures."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["NAPARI_CONFIG"] = str(Path(home) / "settings.yaml")
        os.environ["HOME"] = os.environ["USERPROFILE"] = home
        picture_nuclei()
        picture_phase_contrast()


def picture_nuclei() -> None:
    """Clicks on a sample movie, and masklets while they are tracked."""
    viewer, dock = open_sample("nuclei", "dark")
    click_on_cells(viewer, dock)
    save(viewer, "viewer-clicks.png")
    dock.track_panel.track_button.click()
    process_events(PATIENCE, lambda: dock.track_panel.bar.value() > half_full(dock))
    viewer.dims.set_current_step(0, 20)
    process_events(MOMENT)
    save(viewer, "viewer-tracking.png")
    wait_for(dock)
    viewer.close()


def picture_phase_contrast() -> None:
    """Finished masklets on another sample movie, in the light theme."""
    viewer, dock = open_sample("phase_contrast", "light")
    click_on_cells(viewer, dock)
    dock.track_panel.track_button.click()
    wait_for(dock)
    viewer.dims.set_current_step(0, 30)
    process_events(MOMENT)
    save(viewer, "viewer-done.png")
    viewer.close()


def open_sample(name: str, theme: str) -> tuple[Viewer, TrackerDock]:
    """Open a sample movie on its first frame, and the dock beside it."""
    import napari

    viewer = napari.Viewer()
    viewer.theme = theme
    viewer.window.resize(*WINDOW)
    viewer.open_sample("napari-sam2", name)
    _, dock = viewer.window.add_plugin_dock_widget("napari-sam2", "SAM 2 Tracker")
    viewer.dims.set_current_step(0, 0)
    process_events(MOMENT)
    return viewer, dock


def click_on_cells(viewer: Viewer, dock: TrackerDock) -> None:
    """Click into the middle of the largest cells, each an object of its own."""
    truth = np.asarray(viewer.layers[1].data[0])
    ids, areas = np.unique(truth, return_counts=True)
    largest = ids[1:][np.argsort(-areas[1:])][:CELLS]
    dock.prompt_panel.new_points_button.click()
    for number, cell in enumerate(largest):
        if number:
            dock.prompt_panel.new_object_button.click()
        inside = np.argwhere(truth == cell)
        from_middle = np.abs(inside - inside.mean(axis=0)).sum(axis=1)
        dock.prompt_panel.points.add((0, *inside[from_middle.argmin()]))
        wait_for(dock)


def half_full(dock: TrackerDock) -> float:
    """Return where the progress bar is half full."""
    return max(dock.track_panel.bar.maximum() / 2, 1)


def wait_for(dock: TrackerDock) -> None:
    """Wait until clicks are answered and tracking is done."""
    process_events(MOMENT)
    process_events(PATIENCE, lambda: dock.conductor.worker.is_idle)
    process_events(MOMENT)


def process_events(seconds: float, is_done: Callable[[], bool] = lambda: False) -> None:
    """Let the window live for some time, or until something is done."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end and not is_done():
        QApplication.processEvents()
        time.sleep(0.01)


def save(viewer: Viewer, name: str) -> None:
    """Save the whole window as a PNG."""
    pixels = viewer.screenshot(canvas_only=False, flash=False)
    IMAGES.mkdir(exist_ok=True)
    Image.fromarray(pixels[..., :3]).save(IMAGES / name, optimize=True)


if __name__ == "__main__":
    main()
