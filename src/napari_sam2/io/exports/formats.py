"""All formats by name, and the one way to write any of them."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from napari_sam2.errors import InputError, OutputError
from napari_sam2.io.exports.coco import write_coco, write_sav
from napari_sam2.io.exports.geff import write_geff
from napari_sam2.io.exports.label_images import write_ctc, write_tiff
from napari_sam2.io.exports.masklets import MaskletMovie
from napari_sam2.io.exports.rois import write_rois
from napari_sam2.io.exports.tables import write_csv, write_parquet, write_tracks
from napari_sam2.io.exports.trackmate import write_trackmate
from napari_sam2.paths import refuse_taken


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes
    ----------
    title
        What people call it.
    suffix
        Of its file; empty for a folder.
    write
        Writes masklets to a path that does not exist yet.
    measures
        Whether it takes mean intensities, where the movie is at hand.
    volumes
        Whether it holds stacks over time.
    """

    title: str
    suffix: str
    write: Callable[[MaskletMovie, Path], None]
    measures: bool = False
    volumes: bool = False


FORMATS = {
    "tiff": Format("Label images (OME-TIFF)", ".tif", write_tiff, volumes=True),
    "ctc": Format("Cell Tracking Challenge", "", write_ctc, volumes=True),
    "geff": Format("GEFF", ".geff", write_geff, volumes=True),
    "trackmate": Format("TrackMate", ".xml", write_trackmate),
    "coco": Format("COCO", ".json", write_coco),
    "sav": Format("SA-V", ".json", write_sav),
    "tracks": Format("napari tracks", ".csv", write_tracks, volumes=True),
    "rois": Format("ImageJ ROI set", ".zip", write_rois),
    "csv": Format("Measurements (CSV)", ".csv", write_csv, measures=True, volumes=True),
    "parquet": Format(
        "Measurements (Parquet)", ".parquet", write_parquet, measures=True, volumes=True
    ),
}


def with_suffix(path: Path, name: str) -> Path:
    """Return where a format is written: it adds its suffix where that is missing.

    Raises
    ------
    InputError
        If the path is a folder without a name of its own, such as ``.``.
    """
    if path.name in ("", ".."):
        raise InputError(f"{path}: is no name for what is exported; give a new one")
    suffix = FORMATS[name].suffix if name in FORMATS else ""
    has_suffix = path.suffix.lower() == suffix or not suffix
    return path if has_suffix else path.with_name(path.name + suffix)


def no_volumes_in(name: str) -> str:
    """Say why a format is not for stacks over time, and which ones are."""
    *others, last = (other for other, chosen in FORMATS.items() if chosen.volumes)
    return (
        f"{FORMATS[name].title} ({name}) holds masks of single planes, not of stacks "
        f"over time; choose {', '.join(others)} or {last}"
    )


def export(masklets: MaskletMovie, path: Path, name: str) -> Path:
    """Write masklets in a format, whole or not at all; nothing is replaced.

    Parameters
    ----------
    path
        Where; the format's suffix is added if it lacks it.
    name
        A key of `FORMATS`.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    InputError
        If there is no such format, or it cannot hold these masklets.
    OutputError
        If the path exists already, or the disk refuses.
    """
    if name not in FORMATS:
        raise InputError(
            f"there is no format {name!r}; choose one of {', '.join(FORMATS)}"
        )
    chosen, path = FORMATS[name], with_suffix(path, name)
    if masklets.planes is not None and not chosen.volumes:
        raise InputError(no_volumes_in(name))
    refuse_taken(path, "choose another name")
    building = path.with_name(f".{path.stem}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        chosen.write(masklets, building)
        building.rename(path)
    except OSError as error:
        raise OutputError(f"{path}: could not be written: {error}") from error
    finally:
        if building.is_dir():
            shutil.rmtree(building, ignore_errors=True)
        else:
            building.unlink(missing_ok=True)
    return path
