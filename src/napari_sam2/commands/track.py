"""`napari-sam2 track`: one movie, prompted objects, OME-Zarr labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_sam2.commands.options import parse_frames, path_argument
from napari_sam2.commands.progress import follow
from napari_sam2.commands.requests import frame_options, model_options
from napari_sam2.errors import InputError
from napari_sam2.paths import user_path
from napari_sam2.session.planning.plan import Direction, MergePolicy, Mode
from napari_sam2.tracking.automatic.mask_options import MaskOptions
from napari_sam2.tracking.automatic.masklet_options import Divisions, MaskletOptions
from napari_sam2.tracking.hard_cases.names import HardCaseName

if TYPE_CHECKING:
    from napari_sam2.batch.job import TrackJob

Option = typer.Option
FINDING = MaskletOptions()
AS_GIVEN = (
    *("movie", "out", "name", "direction", "merge"),
    *("resume", "overwrite", "embed_image", "accept_movie", "sync", "mode"),
)
"""Options that are fields of a job as they are."""
Text = str | None
Movie = Annotated[Path, path_argument("TIFF, (OME-)Zarr or image folder.")]
Prompts = Annotated[
    Path | None,
    Option(
        parser=user_path,
        metavar="PATH",
        help="A .json, label image or points .csv; --auto writes the .json.",
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
Frame = Annotated[
    int,
    Option(help="Frame of a label image of prompts; time point of --auto in stacks."),
]
Name = Annotated[str, Option(help="Name of the label group.")]
Model = Annotated[str, Option(help="A name of `models list`, or a weights file.")]
ImageSize = Annotated[int | None, Option(help="Side of the network's input, pixels.")]
Device = Annotated[str, Option(help="auto, cuda, mps or cpu.")]
Precision = Annotated[str, Option(help="auto, fp32, fp32-fast (CPUs), bf16 or fp16.")]
Towards = Annotated[Direction, Option(help="Where to track from the prompts.")]
Frames = Annotated[Text, Option(help="FIRST:STOP, frames to write; all by default.")]
Axes = Annotated[Text, Option(help="Axes of the file, such as TZCYX (P: position).")]
Files = Annotated[
    Text, Option(help="Of a folder, a pattern of the files that are frames: '*_w1_*'.")
]
Plane = Annotated[int | None, Option(help="z plane of a TZYX movie.")]
Volumes = Annotated[
    Mode,
    Option(
        help="tzyx: stacks over time, along z where they are prompted, then in time."
    ),
]
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
Threads = Annotated[
    Text,
    Option(
        metavar="auto|N",
        help="Threads of a CPU; auto: measured once, and remembered.",
        show_default="as torch has them",
    ),
]
Memory = Annotated[
    Text,
    Option(
        metavar="SIZE",
        help="What tracking may take on the device: 4GB, 500MB.",
        show_default="what is free",
    ),
]
Tiles = Annotated[
    str,
    Option(
        metavar="off|auto|SIZE",
        help="Follow small objects in tiles of SIZE pixels that overlap.",
    ),
]
HardCases = Annotated[
    list[HardCaseName] | None,
    Option(
        "--hard-case",
        help="What makes the movie hard: the picture jumps, or objects come back.",
    ),
]
EmbedImage = Annotated[bool, Option("--embed-image", help="Copy the movie into OUT.")]
Resume = Annotated[bool, Option("--resume", help="Go on with an interrupted run.")]
Overwrite = Annotated[bool, Option("--overwrite", help="Replace the label group.")]
AcceptMovie = Annotated[
    bool,
    Option("--accept-movie", help="Resume or merge though the movie's pixels changed."),
]
Auto = Annotated[bool, Option("--auto", help="Find the objects: nobody prompts them.")]
Every = Annotated[int, Option(help="With --auto: look on every so many frames.")]
Shortest = Annotated[
    int, Option(help="With --auto: objects on fewer frames are dropped.")
]
LeastIou = Annotated[float, Option(help="With --auto: least predicted IoU of a mask.")]
OnDivisions = Annotated[
    Divisions,
    Option(
        help="What a division that is seen is: a proposal, or a fact (with --auto)."
    ),
]
Sync = Annotated[
    bool, Option("--sync", help="Wait for the disk at each commit: power may be lost.")
]
AsJson = Annotated[bool, Option("--json", help="Report on stdout as JSON.")]


def track(  # noqa: PLR0913 - one parameter an option
    movie: Movie,
    out: Out,
    prompts: Prompts = None,
    frame: Frame = 0,
    name: Name = "masklets",
    model: Model = "nano",
    image_size: ImageSize = None,
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = None,
    memory: Memory = None,
    direction: Towards = Direction.BOTH,
    frames: Frames = None,
    mode: Volumes = Mode.FRAMES,
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
    tiles: Tiles = "off",
    hard_cases: HardCases = None,
    embed_image: EmbedImage = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
    accept_movie: AcceptMovie = False,
    auto: Auto = False,
    every: Every = FINDING.every,
    shortest: Shortest = FINDING.shortest,
    minimum_iou: LeastIou = FINDING.masks.minimum_iou,
    divisions: OnDivisions = FINDING.divisions,
    sync: Sync = False,
    as_json: AsJson = False,
) -> None:
    """Track prompted objects through a movie into OME-Zarr labels."""
    given = dict(locals())
    from napari_sam2.batch.job import TrackJob

    finding, beside = _finding(given), _prompts(prompts, out, auto)
    job = TrackJob(
        **{option: given[option] for option in AS_GIVEN},
        prompts=beside,
        prompt_frame=frame,
        frame_options=frame_options(given),
        model_options=model_options(given),
        frames=parse_frames(frames),
    )
    if auto:
        find_first(job, beside, finding)
    run_and_report(job, as_json=as_json)
    if divisions is Divisions.PROPOSE and not auto:
        propose_divisions(job)


def _finding(given: dict[str, Any]) -> MaskletOptions:
    """Return what becomes an object, as it was asked for."""
    if given["divisions"] is Divisions.ACCEPT and not given["auto"]:
        raise InputError(
            "--divisions accept needs --auto: of prompted objects, divisions are only "
            "proposed"
        )
    if given["mode"] is Mode.TZYX and given["divisions"] is not Divisions.IGNORE:
        raise InputError("--mode tzyx sees no divisions: leave out --divisions")
    return MaskletOptions(
        every=given["every"],
        shortest=given["shortest"],
        divisions=given["divisions"],
        masks=MaskOptions(minimum_iou=given["minimum_iou"]),
    )


def _prompts(prompts: Path | None, out: Path, auto: bool) -> Path:
    """Return the prompts file, which lies beside the output where none is named."""
    if prompts is None and not auto:
        raise InputError("give --prompts, or --auto to find the objects")
    return prompts or out.with_name(f"{out.stem}-found.json")


def find_first(job: TrackJob, prompts: Path, options: MaskletOptions) -> None:
    """Find the objects that a job tracks, unless an interrupted run has found them."""
    from napari_sam2.batch.automatic import DiscoveryJob, find_objects
    from napari_sam2.io.prompts.files import refuse_other_prompts

    job.output.check()
    of_stacks = job.mode is Mode.TZYX
    if prompts.exists() and job.resume:
        return
    refuse_other_prompts(prompts, overwrite=job.overwrite)
    search = DiscoveryJob(
        movie=job.movie,
        prompts=prompts,
        frame_options=job.frame_options,
        model_options=job.model_options,
        options=options,
        frames=None if of_stacks else job.frames,
        time_point=job.prompt_frame if of_stacks else None,
    )
    found = follow(find_objects(search), "looking", on_cancel="nothing was kept")
    typer.echo(f"{len(found.objects)} objects found, kept in {prompts}", err=True)
    for one in found.divisions:
        words = _in_words(one.mother, *one.daughters)
        typer.echo(f"frame {one.frame_index}: {words}", err=True)


def propose_divisions(job: TrackJob) -> None:
    """Say which of the tracked objects may divide, by what was scored."""
    from napari_sam2.batch.automatic import divisions_seen

    for one in divisions_seen(job.out, job.name):
        words = _in_words(one.mother, one.mother, one.daughter)
        typer.echo(f"frame {one.frame_index}: {words}", err=True)


def _in_words(mother: int, first: int, second: int) -> str:
    """Say who divides; a proposal, where the mother goes on, is a question."""
    if first != mother:
        return f"object {mother} divides into {first} and {second}"
    partner = f" from object {second}" if second else ""
    return f"does object {mother} divide{partner}?"


def run_and_report(job: TrackJob, *, as_json: bool) -> None:
    """Run a job with progress on stderr, and report on stdout."""
    from napari_sam2.batch.volumes.run import open_job

    with open_job(job) as run:
        typer.echo(run.reading, err=True)
        if run.remark is not None:
            typer.echo(run.remark, err=True)
        follow(run.frames(), "tracking", on_cancel="go on with --resume")
        if run.mended is not None:
            typer.echo(run.mended, err=True)
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
