"""Simulated movies as files: an OME-Zarr, or TIFFs with the exact truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_sam2.errors import OutputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.movies.files.image_headers import refuse_beyond_memory
from napari_sam2.io.ome_zarr.embedded_image import embed_image
from napari_sam2.io.ome_zarr.volume_axes import PlaneAxis
from napari_sam2.synthetic import SimulatedMovie, SimulatedVolume, Track
from napari_sam2.synthetic.volume import PLANE_STEP

BYTES_OF_A_PIXEL = 64
"""While a frame is drawn, in some planes of numbers of eight bytes."""

FRAME_INTERVAL = 300.0
PIXEL_SIZE = 0.65
CALIBRATION = Calibration(
    scale=(FRAME_INTERVAL, PIXEL_SIZE, PIXEL_SIZE),
    units=("second", "micrometer", "micrometer"),
)
"""A plausible microscope: five minutes a frame, a 10 × objective."""
PLANE_SIZE = PLANE_STEP * PIXEL_SIZE
OME_AXES: dict[str, Any] = {
    "axes": "TZYX",
    "TimeIncrement": FRAME_INTERVAL,
    "TimeIncrementUnit": "s",
    "PhysicalSizeZ": PLANE_SIZE,
    "PhysicalSizeY": PIXEL_SIZE,
    "PhysicalSizeX": PIXEL_SIZE,
}
"""The same of a movie of stacks, as an OME-TIFF has it; sizes are micrometres."""


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


def write_volume_zarr(volume: SimulatedVolume, path: Path) -> None:
    """Write a movie of stacks as an OME-Zarr image ``(t, z, y, x)``, plane by plane.

    Raises
    ------
    OutputError
        If the folder holds an image already, or the disk refuses.
    """
    _check_memory(volume)
    embed_image(
        path,
        _planes(volume, volume.frame),
        frame_count=volume.frame_count,
        calibration=CALIBRATION,
        name=volume.config.kind,
        planes=PlaneAxis(volume.plane_count, PLANE_SIZE, unit="micrometer"),
    )


def write_movie_tiffs(movie: SimulatedMovie, folder: Path) -> None:
    """Write ``movie.tif``, ``truth.tif`` and ``lineage.json`` into a new folder.

    Raises
    ------
    OutputError
        If the folder exists, or the disk refuses.
    """
    _check_memory(movie)
    with _new_folder(folder):
        for name, read in (("movie", movie.frame), ("truth", movie.labels)):
            with tifffile.TiffWriter(folder / f"{name}.tif", bigtiff=True) as writer:
                for index in range(movie.frame_count):
                    writer.write(read(index), contiguous=True, compression=None)
        _write_lineage(movie.lineage, folder)


def write_volume_tiffs(volume: SimulatedVolume, folder: Path) -> None:
    """Write what `write_movie_tiffs` does, as OME-TIFFs with the axes ``TZYX``.

    Raises
    ------
    OutputError
        If the folder exists, or the disk refuses.
    """
    _check_memory(volume)
    shape = (volume.frame_count, volume.plane_count, *volume.frame_shape)
    with _new_folder(folder):
        for name, read, dtype in (
            ("movie", volume.frame, volume.dtype),
            ("truth", volume.labels, np.dtype(np.uint16)),
        ):
            tifffile.imwrite(
                folder / f"{name}.tif",
                _planes(volume, read),
                shape=shape,
                dtype=dtype,
                photometric="minisblack",
                metadata=OME_AXES,
                ome=True,
                bigtiff=True,
            )
        _write_lineage(volume.lineage, folder)


def _planes(
    volume: SimulatedVolume, read: Callable[[int, int], np.ndarray]
) -> Iterator[np.ndarray]:
    """Yield all planes, those of the first time point first."""
    for frame_index in range(volume.frame_count):
        for plane in range(volume.plane_count):
            yield read(frame_index, plane)


@contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """Make a folder to be filled; what the disk refuses is told in words."""
    try:
        folder.mkdir(parents=True)
        yield
    except FileExistsError as error:
        raise OutputError(f"{folder} exists; choose another folder") from error
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror}") from error


def _write_lineage(tracks: Sequence[Track], folder: Path) -> None:
    lineage = [asdict(track) for track in tracks]
    (folder / "lineage.json").write_text(json.dumps(lineage, indent=1))


def _check_memory(movie: SimulatedMovie | SimulatedVolume) -> None:
    """Refuse frames that cannot be drawn, before anything is written."""
    height, width = movie.frame_shape
    refuse_beyond_memory(height * width * BYTES_OF_A_PIXEL, "the simulated movie")
