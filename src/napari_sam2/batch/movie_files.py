"""Simulated movies as files: an OME-Zarr, or TIFFs with the exact truth."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import tifffile

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.movies.files.image_headers import refuse_beyond_memory
from napari_sam2.io.ome_zarr.embedded_image import embed_image
from napari_sam2.synthetic import SimulatedMovie

BYTES_OF_A_PIXEL = 64
"""While a frame is drawn, in some planes of numbers of eight bytes."""

FRAME_INTERVAL = 300.0
PIXEL_SIZE = 0.65
CALIBRATION = Calibration(
    scale=(FRAME_INTERVAL, PIXEL_SIZE, PIXEL_SIZE),
    units=("second", "micrometer", "micrometer"),
)
"""A plausible microscope: five minutes a frame, a 10 × objective."""


def write_movie_zarr(movie: SimulatedMovie, path: Path) -> None:
    """Write a movie as an OME-Zarr image, frame by frame.

    Raises
    ------
    OutputError
        If the folder holds an image already, or the disk refuses.
    """
    _check_memory(movie)
    embed_image(
        path,
        (movie.frame(index) for index in range(movie.frame_count)),
        frame_count=movie.frame_count,
        calibration=CALIBRATION,
        name=movie.config.kind,
    )


def write_movie_tiffs(movie: SimulatedMovie, folder: Path) -> None:
    """Write ``movie.tif``, ``truth.tif`` and ``lineage.json`` into a new folder.

    Raises
    ------
    OutputError
        If the folder exists, or the disk refuses.
    """
    _check_memory(movie)
    try:
        folder.mkdir(parents=True)
        for name, read in (("movie", movie.frame), ("truth", movie.labels)):
            with tifffile.TiffWriter(folder / f"{name}.tif", bigtiff=True) as writer:
                for index in range(movie.frame_count):
                    writer.write(read(index), contiguous=True, compression=None)
        lineage = [asdict(track) for track in movie.lineage]
        (folder / "lineage.json").write_text(json.dumps(lineage, indent=1))
    except FileExistsError as error:
        raise OutputError(f"{folder} exists; choose another folder") from error
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror}") from error


def _check_memory(movie: SimulatedMovie) -> None:
    """Refuse frames that cannot be drawn, before anything is written."""
    height, width = movie.frame_shape
    refuse_beyond_memory(height * width * BYTES_OF_A_PIXEL, "the simulated movie")
