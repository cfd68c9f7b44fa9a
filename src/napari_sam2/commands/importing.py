"""`napari-sam2 import`: masklets of other trackers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_sam2.commands.options import path_argument, path_option


def import_results(  # noqa: PLR0913 - one parameter an option
    source: Annotated[
        Path, path_argument("Folder 01_RES, GEFF, TrackMate's XML, or label images.")
    ],
    movie: Annotated[Path, path_option("The movie that was tracked.")],
    out: Annotated[Path, path_option("OME-Zarr to create, or to add labels to.")],
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format", help="tiff, ctc, geff or trackmate; seen by what lies there."
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the label group.")] = "masklets",
    model: Annotated[str, typer.Option(help="Model that will correct them.")] = "nano",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the label group.")
    ] = False,
) -> None:
    """Take over what another tracker made, with lineage, to correct it here."""
    from napari_sam2.batch.importing import ImportJob, import_masklets

    job = ImportJob(
        source=source,
        movie=movie,
        out=out,
        format_name=format_name,
        name=name,
        model=model,
        overwrite=overwrite,
    )
    found = import_masklets(job)
    if found.remark is not None:
        typer.echo(found.remark, err=True)
    typer.echo(f"{found.labels}: {found.objects} objects, {found.daughters} daughters")
