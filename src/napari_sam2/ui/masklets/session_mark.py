"""Which session on disk a labels layer shows: the mark in its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Labels

from napari_sam2.ui.layers.labels_in_layer import LabelsInLayer

if TYPE_CHECKING:
    from napari.viewer import Viewer

KEY = "napari-sam2"


def session_metadata(folder: Path, name: str) -> dict[str, Any]:
    """Return the metadata of a layer that shows the masklets of a session.

    Parameters
    ----------
    name
        Label group in it.
    """
    return {KEY: {"folder": str(Path(folder).absolute()), "name": name}}


def session_of(layer: Any) -> tuple[Path, str] | None:
    """Return folder and name of the session that a layer shows; None if it does not."""
    is_labels = isinstance(layer, Labels)
    return marked_session(layer.data, layer.metadata) if is_labels else None


def marked_session(data: Any, metadata: Mapping[str, Any]) -> tuple[Path, str] | None:
    """Return folder and name of the session of a layer's data and metadata.

    A copy of the data is of no session, whatever is said beside it.
    """
    mark = metadata.get(KEY)
    if not isinstance(data, LabelsInLayer) or not isinstance(mark, dict):
        return None
    if not {"folder", "name"} <= mark.keys():
        return None
    return Path(mark["folder"]), str(mark["name"])


def layer_of_session(viewer: Viewer, folder: Path, name: str) -> Labels | None:
    """Return the layer in a viewer that shows a session; None if none does."""
    wanted = Path(folder).absolute(), name
    for layer in viewer.layers:
        if session_of(layer) == wanted:
            return layer
    return None
