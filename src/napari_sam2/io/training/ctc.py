"""Cell Tracking Challenge folders, read for training.

A data set holds ``01/t000.tif``, ``01_GT/TRA/man_track000.tif`` with the tracks of all
cells (often only markers), ``man_track.txt`` with their first and last frames, and
whole masks of all frames in ``01_ST/SEG`` (silver truth) or of some in ``01_GT/SEG``.
Neither need hold every cell of a frame.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.training.images import LabelledImage, frames_to_uint8, read_pixels
from napari_sam2.paths import read_text

TRACK_COLUMNS = 4

BLOCK = 16
"""Frames that are read together where some masks of tracked cells are missing."""


@dataclass(frozen=True, slots=True)
class Track:
    """A line of ``man_track.txt``: first and last frame, and the mother, or 0."""

    first: int
    last: int
    parent: int


def read_ctc(folder: Path) -> Iterator[LabelledImage]:
    """Read every run of consecutive frames that has whole masks.

    Parameters
    ----------
    folder
        Of a 2D data set: holds ``01``, ``01_GT``, and so on.

    Yields
    ------
    LabelledImage
        Named ``"01"``, or ``"01 5-9"`` for a part. Ids are those of the tracks. A cell
        that was tracked, but has no mask on one of the frames, is left out of them all,
        lest it be taken for absent there; so are segments without a track.

    Raises
    ------
    InputError
        If there is no sequence, a file is missing or broken, or frames are volumes.
    """
    sequences = sorted(
        path for path in _folders(folder) if re.fullmatch(r"\d\d", path.name)
    )
    if not sequences:
        raise InputError(f"{folder}: holds no sequence called 01, 02, …")
    for sequence in sequences:
        yield from _read_sequence(sequence)


def read_tracks(path: Path) -> dict[int, Track]:
    """Read ``man_track.txt``: id → first frame, last frame, parent.

    Raises
    ------
    InputError
        If it is missing, or a line does not hold four whole numbers in order.
    """
    tracks = {}
    for number, line in enumerate(read_text(path, "tracks").splitlines(), 1):
        if not line.strip():
            continue
        try:
            track_id, first, last, parent = (int(part) for part in line.split())
        except ValueError as error:
            raise InputError(
                f"{path}, line {number}: {line!r} must hold {TRACK_COLUMNS} whole "
                "numbers: track, first frame, last frame, parent"
            ) from error
        if last < first:
            raise InputError(f"{path}, line {number}: track {track_id} ends too early")
        tracks[track_id] = Track(first, last, parent)
    return tracks


def _read_sequence(sequence: Path) -> Iterator[LabelledImage]:
    truth = sequence.with_name(f"{sequence.name}_GT")
    tracks = read_tracks(truth / "TRA" / "man_track.txt")
    markers = _numbered(truth / "TRA", "man_track")
    segments = _numbered(sequence.with_name(f"{sequence.name}_ST") / "SEG", "man_seg")
    segments = segments or _numbered(truth / "SEG", "man_seg") or markers
    images = _numbered(sequence, "t")
    frames = sorted(images.keys() & markers.keys() & segments.keys())
    if not frames:
        raise InputError(f"{sequence}: no frame has an image, tracks and masks")
    for run in _runs(frames):
        pixels = np.stack([_plane(images[frame]) for frame in run])
        shown = frames_to_uint8(pixels[..., None])
        named = [
            _named(segments[frame], markers[frame], frame, tracks) for frame in run
        ]
        are_whole = not any(one.without_mask for one in named)
        step = len(run) if are_whole else BLOCK
        for first in range(0, len(run), step):
            part = run[first : first + step]
            is_all = len(part) == len(frames)
            name = sequence.name if is_all else f"{sequence.name} {part[0]}-{part[-1]}"
            yield _joined(
                name, shown[first : first + step], named[first : first + step]
            )


@dataclass(frozen=True, slots=True, eq=False)
class _Named:
    """A frame's ``(Y, X)`` int32 labels, and what they lack."""

    labels: np.ndarray
    without_mask: frozenset[int] = frozenset()
    has_nameless: bool = False


def _joined(name: str, frames: np.ndarray, named: Sequence[_Named]) -> LabelledImage:
    labels = np.stack([one.labels for one in named])
    unsure = sorted(frozenset().union(*(one.without_mask for one in named)))
    labels[np.isin(labels, unsure)] = 0
    is_complete = not unsure and not any(one.has_nameless for one in named)
    return LabelledImage(name, frames, labels, is_complete)


def _named(
    segment_path: Path, marker_path: Path, frame: int, tracks: Mapping[int, Track]
) -> _Named:
    """Give the segments of a frame the ids of the tracks they overlap most."""
    markers = _plane(marker_path).astype(np.int64)
    alive = [i for i, track in tracks.items() if track.first <= frame <= track.last]
    unknown = np.setdiff1d(markers, [0, *alive])
    if len(unknown):
        raise InputError(
            f"{marker_path}: holds {unknown.tolist()[:3]}, which man_track.txt does "
            f"not list for frame {frame}"
        )
    if segment_path == marker_path:
        return _Named(markers.astype(np.int32))
    segments = _plane(segment_path).astype(np.int64)
    both = (segments > 0) & (markers > 0)
    pairs, counts = np.unique(
        np.stack([segments[both], markers[both]]), axis=1, return_counts=True
    )
    names = np.zeros(int(segments.max()) + 1, np.int32)
    for index in np.argsort(counts, kind="stable"):  # the largest overlap comes last
        segment, track = pairs[:, index]
        names[segment] = track
    nameless = np.unique(segments[(segments > 0) & (names[segments] == 0)])
    without = set(np.unique(markers).tolist()) - {0, *names.tolist()}
    return _Named(names[segments], frozenset(without), len(nameless) > 0)


def _plane(path: Path) -> np.ndarray:
    pixels = read_pixels(path)
    if pixels.ndim != 2:
        raise InputError(
            f"{path}: has shape {pixels.shape}; only sequences of 2D frames can be read"
        )
    return pixels


def _numbered(folder: Path, stem: str) -> dict[int, Path]:
    """Return frame → file of names like ``stem007.tif``; empty without the folder."""
    found = {}
    for path in sorted(folder.glob(f"{stem}*.tif")):
        match = re.fullmatch(rf"{stem}(\d+)\.tif", path.name)
        if match:
            found[int(match.group(1))] = path
    return found


def _runs(frames: list[int]) -> list[list[int]]:
    """Split ascending numbers where one is missing."""
    runs: list[list[int]] = []
    for frame in frames:
        if runs and runs[-1][-1] == frame - 1:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    return runs


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    return [path for path in folder.iterdir() if path.is_dir()]
