"""`napari-sam2 export`: masklets in the formats of other programs."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from napari_sam2.commands.options import path_argument, path_option


def export(
    masklets: Annotated[
        Path, path_argument("The OME-Zarr that `track` or the window wrote.")
    ],
    out: Annotated[Path, path_option("File or folder to write; must be new.")],
    format_name: Annotated[
        str,
        typer.Option(
            "--format",
            help="tiff, ctc, geff, trackmate, coco, sav, tracks, rois, csv or parquet.",
        ),
    ],
    name: Annotated[
        str, typer.Option(help="Which label group of the OME-Zarr.")
    ] = "masklets",
    movie: Annotated[
        Path | None, path_option("The movie, for mean intensities (csv and parquet).")
    ] = None,
) -> None:
    """Write masklets as label images, tracks, outlines or tables, frame by frame."""
    from napari_sam2.io.exports.formats import export as write
    from napari_sam2.io.exports.masklets import open_masklets, with_intensities

    found = open_masklets(masklets.expanduser(), name)
    with ExitStack() as opened:
        if movie is not None:
            measured = with_intensities(found, movie.expanduser())
            found = opened.enter_context(measured)
        written = write(found, out.expanduser(), format_name)
    typer.echo(f"{written}: {found.frame_count} frames")
