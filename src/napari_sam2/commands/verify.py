"""`napari-sam2 verify`: whether masklets on disk are what was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from napari_sam2.commands.options import path_argument
from napari_sam2.errors import OutputError


def verify(
    masklets: Annotated[
        Path, path_argument("The OME-Zarr that `track` or the window wrote.")
    ],
    name: Annotated[
        str | None, typer.Option(help="One label group; all of ours by default.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Report on stdout as JSON.")
    ] = False,
) -> None:
    """Check that masklets are whole: all is what was written. Changes nothing."""
    from napari_sam2.io.label_store.verification import verify as check

    reports = check(masklets, name)
    faults = [fault for report in reports for fault in report.faults]
    if as_json:
        document = {
            "is_whole": not faults,
            "groups": [report.as_json() for report in reports],
        }
        typer.echo(json.dumps(document))
    for report in () if as_json else reports:
        state = "complete" if report.is_complete else "not complete"
        typer.echo(
            f"{report.labels}: {state}, {report.whole_frames} of "
            f"{report.frame_count} frames computed, "
            f"{'whole' if report.is_whole else 'damaged'}"
        )
        for fault in report.faults:
            typer.echo(f"  {fault.part}: {fault}")
    if faults:
        raise typer.Exit(OutputError.exit_code)
