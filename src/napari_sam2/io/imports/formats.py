"""All formats by name that masklets are read from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari_sam2.errors import InputError
from napari_sam2.io.imports.ctc import TABLES, read_ctc
from napari_sam2.io.imports.geff import read_geff
from napari_sam2.io.imports.tracked_labels import TrackedLabels
from napari_sam2.io.imports.trackmate import read_trackmate
from napari_sam2.io.movies.files.image_stacks import reading
from napari_sam2.io.movies.label_frames import EVERYTHING, cut_label_frames
from napari_sam2.io.movies.label_images import refuse_intensities


def read_label_images(path: Path) -> TrackedLabels:
    """Open label images of any kind whose numbers are objects; there is no lineage."""
    labels = cut_label_frames(path, EVERYTHING)
    try:
        refuse_intensities(labels.read(0), f"{labels.name}, frame 0")
    except InputError:
        labels.close()
        raise
    return TrackedLabels(
        labels.name,
        labels.frame_count,
        labels.frame_shape,
        labels.read,
        close=labels.close,
    )


READERS: dict[str, Callable[[Path], TrackedLabels]] = {
    "tiff": read_label_images,
    "ctc": read_ctc,
    "geff": read_geff,
    "trackmate": read_trackmate,
}


def open_tracked(path: Path, format_name: str | None = None) -> TrackedLabels:
    """Open what another tracker made.

    Parameters
    ----------
    format_name
        A key of `READERS`; None to see it by what lies there.

    Raises
    ------
    InputError
        If there is no such format, or it cannot be read.
    """
    with reading(path, "check its path and who may read it"):
        is_there = path.exists()
        seen = _seen(path)
    if not is_there:
        raise InputError(f"{path}: is not there")
    format_name = format_name or seen
    if format_name not in READERS:
        raise InputError(
            f"there is no format {format_name!r} to import; choose one of "
            f"{', '.join(READERS)}"
        )
    return READERS[format_name](path)


def _seen(path: Path) -> str:
    """Tell the format by what lies there."""
    if any((path / name).exists() for name in TABLES):
        return "ctc"
    if path.suffix.lower() == ".xml":
        return "trackmate"
    return "geff" if path.suffix.lower() == ".geff" else "tiff"
