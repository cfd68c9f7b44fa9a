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
    """Write an OME-TIFF of ``(T, Y, X)`` or ``(T, Z, Y, X)`` labels, as BigTIFF."""
    dtype = next(masklets.sections(0)).dtype
    axes = "".join(masklets.axes).upper()
    metadata: dict[str, object] = {"axes": axes, "Name": masklets.name}
    for axis, step, unit in zip(
        axes, masklets.geometry.scale, masklets.units, strict=True
    ):
        if unit is not None:
            metadata[_STEPS[axis]] = step
            metadata[f"{_STEPS[axis]}Unit"] = _OME_UNITS.get(unit, unit)

    def sections() -> Iterator[np.ndarray]:
        for frame_index in range(masklets.frame_count):
            yield from masklets.sections(frame_index)

    tifffile.imwrite(
        path,
        sections(),
        shape=(masklets.frame_count, *masklets.stack_shape),
        dtype=dtype,
        bigtiff=True,
        ome=True,
        photometric="minisblack",
        compression="zlib",
        metadata=metadata,
    )


_STEPS = {"T": "TimeIncrement", **{axis: f"PhysicalSize{axis}" for axis in "ZYX"}}
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

    The masks of stacks are ``(Z, Y, X)``. A masklet with gaps becomes several tracks,
    each with the one before it as parent.

    Raises
    ------
    InputError
        If there are more tracks than 16 bits number.
    """
    presence = Presence()
    for frame_index in range(masklets.frame_count):
        here = (
            {*np.unique(labels).tolist()} - {0}
            for labels in masklets.sections(frame_index)
        )
        presence.note(frame_index, set().union(*here))
    tracks = presence.tracks(masklets.mothers)
    largest = max((track.track_id for track in tracks), default=0)
    if largest > CTC_LARGEST:
        raise InputError(
            f"track {largest}: masks of the Cell Tracking Challenge are 16-bit, so ids "
            f"end at {CTC_LARGEST}; export as TIFF or GEFF instead"
        )
    folder.mkdir()
    digits = max(3, len(str(masklets.frame_count - 1)))
    for frame_index in range(masklets.frame_count):
        sections = (
            relabelled(labels, frame_index, tracks).astype(np.uint16)
            for labels in masklets.sections(frame_index)
        )
        tifffile.imwrite(
            folder / f"mask{frame_index:0{digits}d}.tif",
            sections,
            shape=masklets.stack_shape,
            dtype=np.uint16,
            compression="zlib",
            photometric="minisblack",
        )
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
