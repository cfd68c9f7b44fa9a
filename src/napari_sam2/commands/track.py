"""`napari-sam2 track`: one movie, prompted objects, OME-Zarr labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam2.commands.options import (
    parse_channels,
    parse_frames,
    parse_limits,
    parse_percentiles,
    path_argument,
)
from napari_sam2.commands.progress import follow
from napari_sam2.paths import user_path
from napari_sam2.session.planning.plan import Direction, MergePolicy

if TYPE_CHECKING:
    from napari_sam2.batch.job import TrackJob

Option = typer.Option
Text = str | None
Movie = Annotated[
    Path,
    path_argument("TIFF, (OME-)Zarr or image folder."),
]
Prompts = Annotated[
    Path,
    Option(
        parser=user_path,
        metavar="PATH",
        help="A .json, a label image, or a points .csv.",
    ),
]
Out = Annotated[
    Path,
    Option(
        parser=user_path,
        metavar="PATH",
        help="OME-Zarr to create, or to add labels to.",
    ),
]
Frame = Annotated[int, Option(help="Frame that a label image of prompts belongs to.")]
Name = Annotated[str, Option(help="Name of the label group.")]
Model = Annotated[str, Option(help="A name of `models list`, or a weights file.")]
ImageSize = Annotated[int | None, Option(help="Side of the network's input, pixels.")]
Device = Annotated[str, Option(help="auto, cuda, mps or cpu.")]
Precision = Annotated[str, Option(help="auto, fp32, bf16 or fp16.")]
Towards = Annotated[Direction, Option(help="Where to track from the prompts.")]
Frames = Annotated[Text, Option(help="FIRST:STOP, frames to write; all by default.")]
Axes = Annotated[Text, Option(help="Axes of the file, such as TZCYX (P: position).")]
Files = Annotated[
    Text, Option(help="Of a folder, a pattern of the files that are frames: '*_w1_*'.")
]
Plane = Annotated[int | None, Option(help="z plane of a TZYX movie.")]
TimePoint = Annotated[
    int | None, Option(help="Time point to stay at; frames run along Z.")
]
Position = Annotated[int | None, Option(help="Stage position, of several.")]
Channels = Annotated[Text, Option(help="Shown as red, green, blue: 0,1,2.")]
Limits = Annotated[Text, Option(help="LOW,HIGH, or a pair a channel: 0,900;5,70.")]
Percentiles = Annotated[Text, Option(help="LOW,HIGH of the stretch, 0.1,99.9.")]
Gamma = Annotated[float, Option(help="Exponent of the stretched intensity.")]
Invert = Annotated[bool, Option("--invert", help="Show dark as bright.")]
Merge = Annotated[
    MergePolicy | None,
    Option(help="Add to the label group: what happens to the labels it holds."),
]
RawMasks = Annotated[bool, Option("--raw-masks", help="Do not fill holes.")]
OneComponent = Annotated[
    bool | None,
    Option(
        "--one-component/--parts",
        help="Objects are in one piece, or have parts.",
        show_default="as the model's weights say",
    ),
]
EmbedImage = Annotated[bool, Option("--embed-image", help="Copy the movie into OUT.")]
Resume = Annotated[bool, Option("--resume", help="Go on with an interrupted run.")]
Overwrite = Annotated[bool, Option("--overwrite", help="Replace the label group.")]
AcceptMovie = Annotated[
    bool,
    Option("--accept-movie", help="Resume or merge though the movie's pixels changed."),
]
AsJson = Annotated[bool, Option("--json", help="Report on stdout as JSON.")]


def track(  # noqa: PLR0913 - one parameter an option
    movie: Movie,
    prompts: Prompts,
    out: Out,
    frame: Frame = 0,
    name: Name = "masklets",
    model: Model = "nano",
    image_size: ImageSize = None,
    device: Device = "auto",
    precision: Precision = "auto",
    direction: Towards = Direction.BOTH,
    frames: Frames = None,
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
    merge: Merge = None,
    raw_masks: RawMasks = False,
    one_component: OneComponent = None,
    embed_image: EmbedImage = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
    accept_movie: AcceptMovie = False,
    as_json: AsJson = False,
) -> None:
    """Track prompted objects through a movie into OME-Zarr labels."""
    from napari_sam2.batch.job import FrameOptions, ModelOptions, TrackJob

    seen = FrameOptions(axes=axes, files=files, t=t, z=z, position=position)
    stretch = {
        "channels": parse_channels(channels),
        "contrast_limits": parse_limits(contrast_limits),
        "percentiles": parse_percentiles(percentiles),
    }
    looks = {"gamma": gamma, "invert": invert}
    network = ModelOptions(model=model, device=device, precision=precision)
    masks = {"raw_masks": raw_masks, "one_component": one_component}
    job = TrackJob(
        movie=movie,
        prompts=prompts,
        out=out,
        prompt_frame=frame,
        name=name,
        frame_options=seen.model_copy(update={**stretch, **looks}),
        model_options=network.model_copy(update={"image_size": image_size, **masks}),
        frames=parse_frames(frames),
        direction=direction,
        merge=merge,
        resume=resume,
        overwrite=overwrite,
        embed_image=embed_image,
        accept_movie=accept_movie,
    )
    run_and_report(job, as_json=as_json)


def run_and_report(job: TrackJob, *, as_json: bool) -> None:
    """Run a job with progress on stderr, and report on stdout."""
    from napari_sam2.batch.job import open_run

    with open_run(job) as run:
        typer.echo(run.reading, err=True)
        if run.remark is not None:
            typer.echo(run.remark, err=True)
        follow(run.frames(), "tracking", on_cancel="go on with --resume")
        remark = run.visibility_remark()
        report = run.report()
    if remark is not None:
        typer.echo(f"{remark} (see --image-size)", err=True)
    if as_json:
        typer.echo(json.dumps(report.as_json()))
    else:
        typer.echo(
            f"{report.objects} objects, {report.frames_computed} frames computed"
        )
        typer.echo(report.labels)
