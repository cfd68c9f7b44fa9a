"""`napari-sam2 benchmark`: a model, measured as SAM 2's authors measure theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam2.commands.options import parse_frames, path_argument
from napari_sam2.commands.quality.table import show

if TYPE_CHECKING:
    from napari_sam2.batch.benchmark.runs import BenchmarkJob, VosScore
    from napari_sam2.metrics import MovieScore

Option = typer.Option


def benchmark(  # noqa: PLR0913 - one parameter an option
    protocol: Annotated[
        str,
        typer.Argument(help="vos, interactive-offline, interactive-online or images."),
    ],
    dataset: Annotated[Path, path_argument("Folder of the data set.", "DATASET")],
    layout: Annotated[
        str,
        Option(help="davis, youtube-vos, lvos, sav-test, sav, ctc, tracks, folder, …"),
    ] = "davis",
    model: Annotated[
        str, Option(help="Of `models list`, a file, or a baseline: first-mask, otsu.")
    ] = "nano",
    prompt: Annotated[
        str, Option(help="Of vos: mask, box, '1 click', '3 clicks' or '5 clicks'.")
    ] = "mask",
    frames: Annotated[
        str | None, Option(help="FIRST:STOP, so much of each video.")
    ] = None,
    cells: Annotated[
        bool, Option("--cells", help="Of vos: SEG, DET, TRA and switches, too.")
    ] = False,
    official: Annotated[
        bool,
        Option("--official", help="Without what we do otherwise than SAM 2's code."),
    ] = False,
    image_size: Annotated[
        int | None, Option(help="Side of the network's input, pixels.")
    ] = None,
    device: Annotated[str, Option(help="auto, cuda, mps or cpu.")] = "auto",
    as_json: Annotated[bool, Option("--json", help="As JSON.")] = False,
) -> None:
    """Measure a model: J&F from prompts, rounds of clicks, or single pictures."""
    from napari_sam2.batch.benchmark.runs import BenchmarkJob

    first, stop = parse_frames(frames) or (None, None)
    job = BenchmarkJob(
        protocol,
        dataset,
        layout,
        model=model,
        prompt=prompt,
        first=first,
        stop=stop,
        cells=cells,
        device=device,
        image_size=image_size,
        official=official,
    )
    rows, found = _measured(job)
    if as_json:
        typer.echo(json.dumps({"protocol": protocol, "model": model, **found}))
        return
    show(rows)


def _measured(
    job: BenchmarkJob,
) -> tuple[Sequence[Mapping[str, object]], dict[str, object]]:
    """Return the lines of the table, and what JSON says."""
    from napari_sam2.batch.benchmark.runs import run_images, run_interactive, run_vos

    if job.protocol == "vos":
        score = run_vos(job)
        return _rows(score), score.to_json()
    if job.protocol == "images":
        clicks = run_images(job)
        return clicks, {"clicks": clicks}
    rounds = run_interactive(job)
    mean = sum(row["J&F"] for row in rounds) / len(rounds)
    return rounds, {"rounds": rounds, "J&F": mean}


def _rows(score: VosScore) -> list[dict[str, object]]:
    """Return a line a video, and one of all."""
    total = {**_measures(score.total), **score.cells}
    rows = [{"video": name, **_measures(video)} for name, video in score.videos.items()]
    return [*rows, {"video": "all", **total}]


def _measures(score: MovieScore) -> dict[str, object]:
    return {
        "objects": len(score.objects),
        "J": score.region,
        "F": score.boundary,
        "J&F": score.region_and_boundary,
    }
