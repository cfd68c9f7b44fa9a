"""`napari-sam2 plan` and `run`: many movies as one document, and what comes of them."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_sam2.commands.options import (
    parse_channels,
    parse_frames,
    parse_memory,
    parse_numbers,
    path_argument,
    path_option,
)
from napari_sam2.commands.progress import listening_to_signals
from napari_sam2.commands.requests import frame_options, model_options
from napari_sam2.commands.track import (
    Axes,
    Channels,
    Device,
    EmbedImage,
    Files,
    Frames,
    HardCases,
    ImageSize,
    Limits,
    Memory,
    Merge,
    Model,
    Name,
    OneComponent,
    Percentiles,
    Plane,
    Position,
    Precision,
    RawMasks,
    Threads,
    Tiles,
    TimePoint,
    Towards,
    Volumes,
)
from napari_sam2.errors import InputError, NapariSam2Error
from napari_sam2.session.planning.plan import Direction, Mode

if TYPE_CHECKING:
    from napari_sam2.batch.job import FrameOptions
    from napari_sam2.batch.models import ModelOptions
    from napari_sam2.batch.plan.plan import BatchPlan
    from napari_sam2.batch.running.batch import Listener, Shard
    from napari_sam2.batch.running.schedulers import Scheduler

Option = typer.Option
Text = str | None


Movies = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MOVIE…",
        help="Paths, patterns in quotes, plates, or folders of OME-Zarr images.",
    ),
]
Like = Annotated[
    Path | None,
    path_option("A session of the window: its prompts, model and contrast."),
]
PromptsFrom = Annotated[
    Text,
    Option(
        help="automatic, cellpose, stardist, ilastik, a pattern such as "
        "'{stem}.csv', a label group such as labels/nuclei, or one file for all."
    ),
]
PromptFrames = Annotated[
    str, Option(help="Frames that label images are taken of: 0 or 0,50.")
]
OutPattern = Annotated[
    Text, Option(help="Where masklets go; {folder}/{stem}-masklets.zarr.")
]
Exports = Annotated[
    list[str] | None,
    Option("--export", help="FORMAT=PATTERN, such as 'csv={folder}/{stem}.csv'."),
]
EachChannel = Annotated[
    Text, Option(help="Track in each of these channels by itself: 0,2.")
]
Schema = Annotated[
    bool, Option("--schema", help="Print the JSON Schema of plans instead.")
]
Watched = Annotated[
    bool,
    Option(
        "--watched",
        help="For programs: what happens on stdout, a line of JSON each; it ends when "
        "stdin is closed.",
    ),
]


def plan(  # noqa: PLR0913 - one parameter an option
    movies: Movies = None,
    like: Like = None,
    prompts_from: PromptsFrom = None,
    prompt_frames: PromptFrames = "0",
    out: OutPattern = None,
    exports: Exports = None,
    each_channel: EachChannel = None,
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
    merge: Merge = None,
    raw_masks: RawMasks = False,
    one_component: OneComponent = None,
    tiles: Tiles = "off",
    hard_cases: HardCases = None,
    embed_image: EmbedImage = False,
    schema: Schema = False,
) -> None:
    """Plan the tracking of many movies; the plan goes to stdout."""
    given = dict(locals())
    if schema:
        _print_schema()
        return
    changes: dict[str, Any] = {"out": out, "name": name, "merge": merge}
    changes |= {"each_channel": parse_channels(each_channel) or ()}
    changes |= {"frames": parse_frames(frames), "direction": direction}
    changes |= {"exports": _exports(exports or []), "embed_image": embed_image}
    changes |= {"mode": mode}
    prompts = prompts_from, prompt_frames
    made = _planned(tuple(movies or ()), like, prompts, changes)
    typer.echo(_with_options(made, given).to_json(), nl=False)


def _print_schema() -> None:
    from napari_sam2.batch.plan.plan import BatchPlan

    typer.echo(json.dumps(BatchPlan.model_json_schema(), indent=1))


def _planned(
    movies: tuple[str, ...],
    like: Path | None,
    prompts: tuple[str | None, str],
    changes: dict[str, Any],
) -> BatchPlan:
    """Make a plan like a session, or of a policy."""
    from napari_sam2.batch.plan.making import plan_like
    from napari_sam2.batch.plan.plan import BatchPlan
    from napari_sam2.batch.prompting.policies import policy_of

    if not movies:
        raise InputError("there is no movie to plan for: give paths or patterns")
    said, frames = prompts
    usual = {name: field.default for name, field in BatchPlan.model_fields.items()}
    changes = {
        key: value
        for key, value in changes.items()
        if value is not None and value != usual[key]
    }
    if said is not None:
        numbers = parse_numbers(frames, "--prompt-frames")
        changes["prompts"] = policy_of(said, numbers)
    elif like is None:
        raise InputError("say what to track: give --like SESSION or --prompts-from")
    if like is not None:
        made = plan_like(like, movies, **changes)
    else:
        made = BatchPlan(movies=movies, **changes)
    return made.from_folder(Path.cwd())


def _with_options(made: BatchPlan, given: dict[str, Any]) -> BatchPlan:
    """Return a plan with what was said of frames and model, what is auto pinned."""
    from napari_sam2.batch.plan.making import pinned

    said, chosen = _unusual(frame_options(given)), _unusual(model_options(given))
    if {"contrast_limits", "percentiles"} & said.keys():
        said["mapping"] = None
    frames = made.frame_options.model_copy(update=said)
    options = pinned(made.model_options.model_copy(update=chosen))
    made = made.model_copy(update={"frame_options": frames, "model_options": options})
    made.planned()  # what cannot be is told now
    type(frames).model_validate(frames.model_dump())
    return made


def _unusual(options: FrameOptions | ModelOptions) -> dict[str, Any]:
    """Return what is not as it is by default."""
    fields = type(options).model_fields
    return {key: one for key, one in options if one != fields[key].default}


def _exports(texts: list[str]) -> dict[str, str]:
    from napari_sam2.io.exports.formats import FORMATS

    found = {}
    for text in texts:
        name, _, pattern = text.partition("=")
        if name not in FORMATS or not pattern:
            raise InputError(
                f"--export {text}: give FORMAT=PATTERN, such as "
                f"'csv={{folder}}/{{stem}}.csv'; formats are {', '.join(FORMATS)}"
            )
        found[name] = pattern
    return found


def run(  # noqa: PLR0913 - one parameter an option
    plan_file: Annotated[
        Path, path_argument("What `napari-sam2 plan` wrote.", metavar="PLAN")
    ],
    dry_run: Annotated[
        bool, Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    scheduler: Annotated[
        Text,
        Option(
            help="local, the address of a dask scheduler, slurm, lsf or sge; by "
            "default movies run here, one after the other."
        ),
    ] = None,
    workers: Annotated[
        int, Option(min=1, help="Workers of local, slurm, lsf and sge.")
    ] = 1,
    shard: Annotated[
        Text, Option(help="I/N: run the I-th of N parts, for arrays of jobs.")
    ] = None,
    memory: Memory = None,
    report: Annotated[
        Path | None, path_option("Folder of the report; <plan>-report beside the plan.")
    ] = None,
    as_json: Annotated[
        bool, Option("--json", help="Report on stdout as JSON.")
    ] = False,
    watched: Watched = False,
) -> None:
    """Run a plan: whatever is complete already is passed over, the rest is tracked."""
    from napari_sam2.batch.plan.plan import read_plan
    from napari_sam2.batch.running.batch import Shard, run_plan
    from napari_sam2.commands.batch.lines import end_with_stdin

    made = _allowed(read_plan(plan_file), parse_memory(memory))
    part = None if shard is None else Shard.parse(shard)
    if dry_run:
        raise typer.Exit(_dry_run(made, part, watched))
    folder = report or plan_file.with_name(f"{plan_file.stem}-report")
    with listening_to_signals() as stopping, _shown(watched) as listener:
        if watched:
            end_with_stdin(stopping)
        done = run_plan(
            made,
            folder,
            scheduler=_scheduler(scheduler, workers),
            shard=part,
            listener=listener,
            is_cancelled=stopping,
        )
    if not watched:
        _tell(folder, as_json)
    if stopping():
        typer.echo("napari-sam2: cancelled; run it again to go on", err=True)
        raise typer.Exit(stopping.exit_code)
    raise typer.Exit(done.exit_code)


def _allowed(made: BatchPlan, memory: int | None) -> BatchPlan:
    """Return a plan with the memory of the machine that runs it, if that was said."""
    if memory is None:
        return made
    options = made.model_options.model_copy(update={"memory_bytes": memory})
    return made.model_copy(update={"model_options": options})


def _dry_run(made: BatchPlan, part: Shard | None, watched: bool) -> int:
    from napari_sam2.batch.plan.speed import measure_speed
    from napari_sam2.commands.batch.lines import dry_run_lines
    from napari_sam2.commands.batch.table import dry_run_table

    movies = made.planned() if part is None else part.part(made.planned())
    try:
        speed = measure_speed(made.model_options)
    except NapariSam2Error as error:
        typer.echo(f"napari-sam2: {error}", err=True)
        speed = None
    if watched:
        dry_run_lines(movies, speed)
        return 0
    return dry_run_table(movies, speed)


def _shown(watched: bool) -> AbstractContextManager[Listener]:
    """Return who shows how it goes: to a person, or to a program."""
    from napari_sam2.commands.batch.lines import LineTeller
    from napari_sam2.commands.batch.table import LiveTable

    return nullcontext(LineTeller()) if watched else LiveTable()


def _scheduler(text: str | None, workers: int) -> Scheduler | None:
    if text is None:
        return None
    try:
        from napari_sam2.batch.running.cluster import OnWorkers
    except ImportError as error:
        raise InputError(
            f"--scheduler {text}: needs dask.distributed: install it with "
            "pip install 'napari-sam2[cluster]'"
        ) from error
    return OnWorkers(text, workers)


def _tell(folder: Path, as_json: bool) -> None:
    from napari_sam2.batch.report.report import PAGE, REPORT

    if as_json:
        typer.echo((folder / REPORT).read_text(encoding="utf-8"))
    else:
        typer.echo(folder / PAGE)
