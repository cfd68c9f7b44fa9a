"""The command line: options in, exit codes out; the work is done elsewhere.

Commands import what they need when they run, so that ``--help`` is quick and does not
load torch. Progress goes to stderr, results to stdout.

Exit codes: 0 done, 2 input, 3 output, 4 model, 130 cancelled.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from napari_sam2 import __version__
from napari_sam2.commands import models, movies
from napari_sam2.commands.options import (
    parse_channels,
    parse_frames,
    parse_limits,
    parse_percentiles,
)
from napari_sam2.commands.progress import follow
from napari_sam2.errors import NapariSam2Error
from napari_sam2.session.plan import Direction, MergePolicy

CANCELLED = 130

app = typer.Typer(
    name="napari-sam2",
    help="Track clicked cells through movies and stacks with SAM 2.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(models.app, name="models")
app.command()(movies.simulate)
app.command()(movies.evaluate)
app.command()(movies.demo)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"napari-sam2 {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Print the version.",
        ),
    ] = False,
) -> None:
    """Track clicked cells through movies and stacks with SAM 2."""


@app.command()
def track(  # noqa: PLR0913 - one parameter an option
    movie: Annotated[Path, typer.Argument(help="TIFF, (OME-)Zarr or image folder.")],
    prompts: Annotated[
        Path, typer.Option(help="Prompts: .json, a label image, or a points .csv.")
    ],
    out: Annotated[Path, typer.Option(help="OME-Zarr to create, or to add labels to.")],
    frame: Annotated[
        int, typer.Option(help="Frame that a label image of prompts belongs to.")
    ] = 0,
    name: Annotated[str, typer.Option(help="Name of the label group.")] = "masklets",
    model: Annotated[
        str, typer.Option(help="A name of `models list`, or a .pt/.safetensors file.")
    ] = "nano",
    image_size: Annotated[
        int | None, typer.Option(help="Side of the network's input in pixels.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16, fp16.")] = "auto",
    direction: Annotated[
        Direction, typer.Option(help="Where to track from the prompts.")
    ] = Direction.BOTH,
    frames: Annotated[
        str | None, typer.Option(help="FIRST:STOP, frames to write; all by default.")
    ] = None,
    axes: Annotated[
        str | None, typer.Option(help="Axes of the file, such as TZCYX.")
    ] = None,
    z: Annotated[int | None, typer.Option(help="z plane of a TZYX movie.")] = None,
    channels: Annotated[
        str | None, typer.Option(help="Channels to show as red, green, blue: 0,1,2.")
    ] = None,
    contrast_limits: Annotated[
        str | None, typer.Option(help="LOW,HIGH, or one pair a channel: 0,900;5,70.")
    ] = None,
    percentiles: Annotated[
        str | None, typer.Option(help="LOW,HIGH of the stretch; 0.1,99.9 by default.")
    ] = None,
    merge: Annotated[
        MergePolicy, typer.Option(help="What happens to labels of others.")
    ] = MergePolicy.KEEP,
    raw_masks: Annotated[
        bool, typer.Option("--raw-masks", help="Masks as predicted, no holes filled.")
    ] = False,
    embed_image: Annotated[
        bool, typer.Option("--embed-image", help="Copy the movie into the OME-Zarr.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the label group.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Report on stdout as JSON.")
    ] = False,
) -> None:
    """Track prompted objects through a movie into OME-Zarr labels."""
    from napari_sam2.batch.job import FrameOptions, ModelOptions, TrackJob, open_run

    job = TrackJob(
        movie=movie,
        prompts=prompts,
        out=out,
        prompt_frame=frame,
        name=name,
        frame_options=FrameOptions(
            axes=axes,
            z=z,
            channels=parse_channels(channels),
            contrast_limits=parse_limits(contrast_limits),
            percentiles=parse_percentiles(percentiles),
        ),
        model_options=ModelOptions(
            model=model,
            image_size=image_size,
            device=device,
            precision=precision,
            raw_masks=raw_masks,
        ),
        frames=parse_frames(frames),
        direction=direction,
        merge=merge,
        resume=resume,
        overwrite=overwrite,
        embed_image=embed_image,
    )
    with open_run(job) as run:
        follow(run.frames(), "tracking")
        report = run.report()
    if as_json:
        typer.echo(json.dumps(report.as_json()))
    else:
        typer.echo(f"{report.objects} objects, {report.frames_computed} frames")
        typer.echo(report.labels)


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="Recipe, a .toml file.")],
    out: Annotated[
        Path, typer.Option(help="Folder for checkpoints, logs and the weights.")
    ] = Path("runs"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint.")
    ] = False,
) -> None:
    """Train a model as a recipe says."""
    from napari_sam2.commands.progress import training_progress
    from napari_sam2.train.run import run_training

    with training_progress() as on_progress:
        run_training(config, folder=out, resume=resume, on_progress=on_progress)
    typer.echo(str(out))


def main() -> None:
    """Run the command line; errors that a person can mend become one line."""
    try:
        app()
    except NapariSam2Error as error:
        typer.echo(f"napari-sam2: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("napari-sam2: cancelled; what was written is kept", err=True)
        sys.exit(CANCELLED)
