"""Commands of napari's menus that need the dock: it opens if it is not there."""

from __future__ import annotations

import napari
from napari.utils.notifications import show_warning

from napari_sam2.ui.dock.dock import TrackerDock
from napari_sam2.ui.dock.help import PLUGIN

DOCK = "SAM 2 Tracker"


def everything() -> None:
    """Show masks of everything on the frame that is shown."""
    viewer = napari.current_viewer()
    if viewer is None:
        show_warning("Open a viewer with a movie first")
        return
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, DOCK)
    if isinstance(dock, TrackerDock):
        dock.find_everything()
