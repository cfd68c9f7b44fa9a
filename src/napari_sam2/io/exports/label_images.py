"""Label images: a TIFF stack, and the folder of the Cell Tracking Challenge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile

from napari_sam2.errors import InputError
from napari_sam2.io.exports.masklets import MaskletMovie
from napari_sam2.io.exports.tracks import Presence, Track, relabelled

CTC_LARGEST = np.iinfo(np.uint16).max
"""Masks of the challenge are 16-bit."""


def write_tiff(masklets: MaskletMovie, path: Path) -> None:
    """Write an OME-TIFF of ``(T, Y, X)`` labels, deflated, as BigTIFF."""
    dtype = masklets.read(0).dtype
    scale, units = masklets.calibration.scale, masklets.calibration.units
    axes = "TYX" if masklets.calibration.frame_axis == "t" else "ZYX"
    metadata: dict[str, object] = {"axes": axes, "Name": masklets.name}
    steps = ("TimeIncrement" if axes[0] == "T" else "PhysicalSizeZ", *_SIZES)
    for key, step, unit in zip(steps, scale, units, strict=True):
        if unit is not None:
            metadata[key] = step
            metadata[f"{key}Unit"] = _OME_UNITS.get(unit, unit)

    def frames() -> Iterator[np.ndarray]:
        for _, labels in masklets.frames():
            yield labels

    tifffile.imwrite(
        path,
        frames(),
        shape=(masklets.frame_count, *masklets.frame_shape),
        dtype=dtype,
        bigtiff=True,
        ome=True,
        photometric="minisblack",
        compression="zlib",
        metadata=metadata,
    )


_SIZES = ("PhysicalSizeY", "PhysicalSizeX")
_OME_UNITS = {
    "micrometer": "µm",
    "nanometer": "nm",
    "millimeter": "mm",
    "second": "s",
    "minute": "min",
    "hour": "h",
    "millisecond": "ms",
}


def write_ctc(masklets: MaskletMovie, folder: Path) -> None:
    """Write ``mask000.tif`` … and ``res_track.txt`` (Cell Tracking Challenge).

    A masklet with gaps becomes several tracks, each with the one before it as parent.

    Raises
    ------
    InputError
        If there are more tracks than 16 bits number.
    """
    presence = Presence()
    for frame_index, labels in masklets.frames():
        presence.note(frame_index, _ids(labels))
    tracks = presence.tracks(masklets.mothers)
    largest = max((track.track_id for track in tracks), default=0)
    if largest > CTC_LARGEST:
        raise InputError(
            f"track {largest}: masks of the Cell Tracking Challenge are 16-bit, so ids "
            f"end at {CTC_LARGEST}; export as TIFF or GEFF instead"
        )
    folder.mkdir()
    digits = max(3, len(str(masklets.frame_count - 1)))
    for frame_index, labels in masklets.frames():
        mask = relabelled(labels, frame_index, tracks).astype(np.uint16)
        file = folder / f"mask{frame_index:0{digits}d}.tif"
        tifffile.imwrite(file, mask, compression="zlib", photometric="minisblack")
    lines = [
        f"{track.track_id} {track.first} {track.last} {track.parent}\n"
        for track in _born_later(tracks)
    ]
    (folder / "res_track.txt").write_text("".join(lines), encoding="ascii")


def _born_later(tracks: list[Track]) -> list[Track]:
    """Return tracks whose parents end before they begin; others stand alone."""
    last = {track.track_id: track.last for track in tracks}
    return [
        track
        if track.parent == 0 or last[track.parent] < track.first
        else replace(track, parent=0)
        for track in tracks
    ]


def _ids(labels: np.ndarray) -> list[int]:
    ids = np.unique(labels)
    found: list[int] = ids[ids > 0].tolist()
    return found
