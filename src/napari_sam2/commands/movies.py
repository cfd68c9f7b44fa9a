"""`napari-sam2 simulate`, `evaluate` and `demo`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from napari_sam2.commands.options import (
    parse_channel,
    parse_frames,
    parse_ids,
    path_argument,
    path_option,
)
from napari_sam2.commands.progress import follow

if TYPE_CHECKING:
    from napari_sam2.batch.evaluation import EvaluationJob
    from napari_sam2.metrics import MovieScore

DEMO_FRAMES = 30


def simulate(  # noqa: PLR0913 - one parameter an option
    out: Annotated[Path, path_argument("An OME-Zarr (.zarr), or a folder for TIFFs.")],
    kind: Annotated[str, typer.Option(help="nuclei, phase or bacteria.")] = "nuclei",
    frames: Annotated[int | None, typer.Option(help="Number of frames.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of a frame, pixels.")] = None,
    cells: Annotated[int | None, typer.Option(help="Cells at the start.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another movie.")] = None,
    bits: Annotated[int | None, typer.Option(help="8 or 16.")] = None,
    planes: Annotated[
        int | None, typer.Option(help="Of a movie of stacks: planes of each.")
    ] = None,
) -> None:
    """Simulate a movie with exact truth (the truth only comes with TIFFs)."""
    from napari_sam2.batch.movie_files import (
        write_movie_tiffs,
        write_movie_zarr,
        write_volume_tiffs,
        write_volume_zarr,
    )
    from napari_sam2.synthetic import SimulatedMovie, SimulatedVolume, preset

    wished = {
        "frame_count": frames,
        "frame_shape": None if size is None else (size, size),
        "cell_count": cells,
        "seed": seed,
        "bit_depth": bits,
    }
    changes = {name: value for name, value in wished.items() if value is not None}
    config, is_zarr = preset(kind, **changes), out.suffix == ".zarr"
    if planes is None:
        movie = SimulatedMovie(config)
        (write_movie_zarr if is_zarr else write_movie_tiffs)(movie, out)
    else:
        volume = SimulatedVolume(config, planes)
        (write_volume_zarr if is_zarr else write_volume_tiffs)(volume, out)
    typer.echo(str(out))


def evaluate(  # noqa: PLR0913 - one parameter an option
    labels: Annotated[Path, path_argument("Masklets: our OME-Zarr, TIFF, ….")],
    truth: Annotated[Path, path_argument("True labels, in any such format.")],
    name: Annotated[str, typer.Option(help="Name of the label group.")] = "masklets",
    match: Annotated[
        Path | None,
        path_option("Label image that pairs ids with the truth's by overlap."),
    ] = None,
    match_frame: Annotated[int, typer.Option(help="Frame of --match.")] = 0,
    minimum_overlap: Annotated[float, typer.Option(help="Least IoU of a pair.")] = 0.5,
    objects: Annotated[
        str | None, typer.Option(help="Ids of the truth to score: 1,2,7.")
    ] = None,
    frames: Annotated[str | None, typer.Option(help="FIRST:STOP to score.")] = None,
    axes: Annotated[
        str | None, typer.Option(help="Axes of the truth's file, such as TZCYX.")
    ] = None,
    t: Annotated[
        int | None, typer.Option(help="Time point of the truth; frames run along Z.")
    ] = None,
    z: Annotated[int | None, typer.Option(help="z plane of the truth.")] = None,
    channels: Annotated[
        str | None, typer.Option(help="Channel of the truth that holds the labels.")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Score how well trust finds bad frames.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Score masklets against a truth: J, F and J&F, or the trust in them."""
    from napari_sam2.batch.evaluation import EvaluationJob, run_evaluation

    job = EvaluationJob(
        labels=labels,
        truth=truth,
        truth_axes=axes,
        truth_t=t,
        truth_z=z,
        truth_channel=parse_channel(channels),
        name=name,
        match=match,
        match_frame=match_frame,
        minimum_overlap=minimum_overlap,
        objects=parse_ids(objects),
        frames=parse_frames(frames),
    )
    if trust:
        _show_trust(job, as_json=as_json)
        return
    score = run_evaluation(job)
    if as_json:
        typer.echo(json.dumps(score.to_json()))
        return
    _show_scores(score)


def _show_scores(score: MovieScore) -> None:
    """Print a line for each object, and the means."""
    table = Table("object", "tracked as", "J", "F", "J&F")
    for tracked in score.objects:
        table.add_row(
            str(tracked.object_id),
            "–" if tracked.predicted_id is None else str(tracked.predicted_id),
            *_numbers(tracked.region, tracked.boundary, tracked.region_and_boundary),
        )
    table.add_section()
    means = _numbers(score.region, score.boundary, score.region_and_boundary)
    table.add_row("mean", "", *means)
    Console().print(table)


def _show_trust(job: EvaluationJob, *, as_json: bool) -> None:
    from napari_sam2.batch.trust_evaluation import evaluate_trust

    score = evaluate_trust(job)
    if as_json:
        typer.echo(json.dumps(score.as_json()))
        return
    table = Table("finding masks with J < 0.75, least trusted first", "")
    table.add_row("masks", str(score.object_frames))
    share = score.bad / score.object_frames
    table.add_row("of these bad", f"{score.bad} ({share:.1%})")
    for recall, precision in score.precision_at.items():
        what = f"bad among those looked at when {recall:.0%} of the bad are found"
        table.add_row(what, f"{precision:.1%}")
    chance = f"average precision (by chance {share:.3f})"
    table.add_row(chance, f"{score.average_precision:.3f}")
    table.add_row("area under ROC (by chance 0.5)", f"{score.auroc:.3f}")
    table.add_row("calibration error (best is 0)", f"{score.calibration_error:.3f}")
    Console().print(table)


def demo(
    out: Annotated[
        Path,
        path_option("Folder to make; numbered if it exists."),
    ] = Path("napari-sam2-demo"),
    kind: Annotated[str, typer.Option(help="nuclei, phase or bacteria.")] = "nuclei",
    frames: Annotated[int, typer.Option(help="Number of frames.")] = DEMO_FRAMES,
    model: Annotated[str, typer.Option(help="Model to track with.")] = "nano",
    view: Annotated[
        bool, typer.Option("--view/--no-view", help="Open the result in napari.")
    ] = True,
) -> None:
    """Simulate a movie, click on its cells, track them, and show the result."""
    from napari_sam2.batch.demo import free_folder, run_demo
    from napari_sam2.synthetic import preset

    config = preset(kind, frame_count=frames)
    folder = free_folder(out)
    steps = run_demo(config, folder, model)
    result = follow(steps, "demo", on_cancel=f"what was made is kept in {folder}")
    typer.echo(
        f"{result.report.objects} cells clicked, {frames} frames tracked "
        f"({result.report.frames_per_second:.1f} frames/s)\n"
        f"J against the exact truth: {result.score.region:.3f}\n"
        f"masklets: {result.report.labels}"
    )
    if view and has_display():
        from napari_sam2.ui.contributions.result_view import show_result

        show_result(result.movie)


def has_display() -> bool:
    """Return whether a window can be opened here."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _numbers(*values: float | None) -> list[str]:
    return ["–" if value is None else f"{value:.3f}" for value in values]
