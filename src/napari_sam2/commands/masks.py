"""`napari-sam2 masks`: everything on one frame, as a label image."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from napari_sam2.commands.options import path_argument, path_option
from napari_sam2.commands.requests import frame_options, model_options
from napari_sam2.commands.track import (
    Axes,
    Channels,
    Device,
    Files,
    Gamma,
    ImageSize,
    Invert,
    Limits,
    Model,
    Percentiles,
    Plane,
    Position,
    Precision,
    TimePoint,
)
from napari_sam2.tracking.automatic.mask_options import MaskOptions

Option = typer.Option
DEFAULTS = MaskOptions()
Movie = Annotated[Path, path_argument("TIFF, (OME-)Zarr or image folder.")]
Out = Annotated[Path, path_option("Label image to write, a .tif; must be new.")]
Frame = Annotated[int, Option(help="Which frame, from 0.")]
Grid = Annotated[int, Option(help="Points of the grid along each side.")]
LeastIou = Annotated[float, Option(help="Least predicted IoU, 0 to 1.")]
LeastStability = Annotated[float, Option(help="Least stability, 0 to 1.")]
BoxOverlap = Annotated[
    float, Option(help="IoU of boxes above which two masks are the same.")
]
Tiers = Annotated[int, Option(help="Also look at 4, 16, … crops: for small objects.")]
LeastArea = Annotated[int, Option(help="Least area, and of holes and specks, pixels.")]
MostShare = Annotated[
    float, Option(help="Largest share of the frame that a mask may cover.")
]


def masks(  # noqa: PLR0913 - one parameter an option
    movie: Movie,
    out: Out,
    frame: Frame = 0,
    points_per_side: Grid = DEFAULTS.points_per_side,
    minimum_iou: LeastIou = DEFAULTS.minimum_iou,
    minimum_stability: LeastStability = DEFAULTS.minimum_stability,
    box_overlap: BoxOverlap = DEFAULTS.box_overlap,
    crop_tiers: Tiers = DEFAULTS.crop_tiers,
    minimum_area: LeastArea = DEFAULTS.minimum_area,
    maximum_share: MostShare = DEFAULTS.maximum_share,
    model: Model = "nano",
    image_size: ImageSize = None,
    device: Device = "auto",
    precision: Precision = "auto",
    axes: Axes = None,
    files: Files = None,
    t: TimePoint = None,
    z: Plane = None,
    position: Position = None,
    channels: Channels = None,
    contrast_limits: Limits = None,
    percentiles: Percentiles = None,
    gamma: Gamma = 1.0,
    invert: Invert = False,
) -> None:
    """Find everything on one frame, without a prompt, as a label image."""
    given = dict(locals())
    from napari_sam2.batch.frame_masks import FrameMasksJob, write_frame_masks

    asked = {one.name for one in fields(MaskOptions)} & given.keys()
    job = FrameMasksJob(
        movie=movie,
        out=out,
        frame=frame,
        frame_options=frame_options(given),
        model_options=model_options(given),
        mask_options=MaskOptions(**{name: given[name] for name in asked}),
    )
    report = write_frame_masks(job)
    typer.echo(report.reading, err=True)
    typer.echo(f"{report.labels}: {report.objects} objects")
