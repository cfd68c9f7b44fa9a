"""One label group, several runs: what makes its masklets from now on.

A person at a viewer corrects and tracks again; the masklets stay where they are, and
what made them is written anew.
"""

from __future__ import annotations

from pathlib import Path

from napari_sam2.io.label_group import RUN, open_label_group
from napari_sam2.io.ome_zarr_labels import DEFAULT_NAME, OmeZarrLabelStore
from napari_sam2.io.ome_zarr_parent import open_parent
from napari_sam2.io.provenance import Provenance
from napari_sam2.io.zarr_nodes import (
    attributes_of,
    replace_attributes,
    storage_errors,
)


def begin_run(
    path: Path, provenance: Provenance, name: str = DEFAULT_NAME
) -> OmeZarrLabelStore:
    """Record what makes the masklets from now on, and open them.

    Stores of the group that are open already must not be written to any more.

    Raises
    ------
    OutputError
        If there is no such label group, or the disk refuses.
    """
    with storage_errors(path, "record how the masklets are made"):
        group = open_label_group(open_parent(path), name, "r+")
        attributes = attributes_of(group)
        made_by = {**attributes[RUN], "provenance": provenance.model_dump(mode="json")}
        replace_attributes(group, {**attributes, RUN: made_by})
    return OmeZarrLabelStore.open(path, name)
