"""`napari-sam2 self-check`: which model follows your movie, by what you corrected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_sam2.commands.options import path_argument, path_option
from napari_sam2.commands.progress import follow
from napari_sam2.commands.quality.table import show

if TYPE_CHECKING:
    from napari_sam2.batch.self_check.result import SelfCheck

Option = typer.Option


def self_check(  # noqa: PLR0913 - one parameter an option
    masklets: Annotated[
        Path, path_argument("The OME-Zarr that `track` or the window wrote.")
    ],
    model: Annotated[
        list[str] | None,
        Option(help="Name or file, once for each; by default all on this machine."),
    ] = None,
    name: Annotated[str, Option(help="Label group.")] = "masklets",
    movie: Annotated[
        Path | None, path_option("The movie, if it is not where the session says.")
    ] = None,
    hide: Annotated[int, Option(help="Hidden frames of an object, at most.")] = 5,
    out: Annotated[
        Path | None, path_option("JSON to write; by default beside the masklets.")
    ] = None,
    device: Annotated[str, Option(help="auto, cuda, mps or cpu.")] = "auto",
    as_json: Annotated[bool, Option("--json", help="On stdout as JSON.")] = False,
) -> None:
    """Hide what you corrected, track to it, and say which model is enough."""
    from napari_sam2.batch.self_check.checking import SelfCheckJob, run_self_check
    from napari_sam2.batch.self_check.result import check_writable, kept_path

    out = kept_path(masklets, name) if out is None else out
    check_writable(out)
    job = SelfCheckJob(masklets, name, tuple(model or ()), movie, hide, device)
    found = follow(
        run_self_check(job), "self-check", on_cancel="nothing was written; run it again"
    )
    found.write(out)
    if as_json:
        typer.echo(found.model_dump_json())
        return
    _report(found)
    typer.echo(f"kept in {out}", err=True)


def _report(found: SelfCheck) -> None:
    typer.echo(
        f"{found.frames} trusted masks of {found.objects} objects were hidden and "
        "tracked to"
    )
    show([one.row() for one in found.measured])
    for one in found.models:
        if one.refused:
            typer.echo(f"{one.model}: {one.refused}")
    if found.recommended:
        typer.echo(f"recommended: {found.recommended}; {found.reason}")
    for remark in found.remarks:
        typer.echo(remark)
