"""Masks of everything on one frame, from a movie's path to a label image on disk."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from pydantic import BaseModel, ConfigDict

from napari_sam2.batch.job import FrameOptions, load_predictor
from napari_sam2.batch.models import ModelOptions
from napari_sam2.batch.prompting.policies import UserPath
from napari_sam2.errors import InputError, OutputError
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.paths import refuse_taken, unfinished
from napari_sam2.tracking.automatic.mask_options import MaskOptions

SUFFIXES = (".tif", ".tiff")


class FrameMasksJob(BaseModel):
    """A request for the masks of everything on one frame.

    Attributes
    ----------
    movie, out
        What to look at; the label image (TIFF) to make.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    movie: UserPath
    out: UserPath
    frame: int = 0
    frame_options: FrameOptions = FrameOptions()
    model_options: ModelOptions = ModelOptions()
    mask_options: MaskOptions = MaskOptions()


@dataclass(frozen=True, slots=True)
class FrameMasksReport:
    """What was found: the file, how many objects, and how the movie was read."""

    labels: str
    objects: int
    reading: str


def write_frame_masks(job: FrameMasksJob) -> FrameMasksReport:
    """Find everything on a frame, and write it as a uint16 label image.

    Label 1 is the best mask. The file appears when it is whole, and replaces nothing.

    Raises
    ------
    InputError, ModelError, OutputError
        If movie, frame or model cannot be used, or the file exists.
    """
    _check_out(job.out)
    with closing(open_frames(job.movie, **dict(job.frame_options))) as source:
        if not 0 <= job.frame < source.frame_count:
            raise InputError(
                f"--frame {job.frame}: {job.movie} has frames 0 to "
                f"{source.frame_count - 1}"
            )
        whole_frames = job.model_options.model_copy(update={"tiles": None})
        predictor = load_predictor(whole_frames, source)
        frame = source.read(job.frame)
        reading = source.reading

    from napari_sam2.tracking.automatic.generator import MaskGenerator
    from napari_sam2.tracking.automatic.masks import label_masks

    options = job.mask_options
    found = MaskGenerator(predictor.network, options).find(job.frame, frame)
    labels, kept = label_masks(
        found,
        frame.shape[:2],
        minimum_area=options.minimum_area,
        minimum_visible=options.minimum_visible,
        unsure_visible=options.unsure_visible,
    )
    _write(labels, job.out)
    return FrameMasksReport(str(job.out), len(kept), reading)


def _check_out(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"--out {path}: a label image is a .tif; name it so")
    refuse_taken(path, "choose another --out, or remove it")


def _write(labels: np.ndarray, path: Path) -> None:
    partial = unfinished(path)
    try:
        tifffile.imwrite(partial, labels, compression="zlib")
        partial.rename(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}; choose a folder "
            "that may be written"
        ) from error
