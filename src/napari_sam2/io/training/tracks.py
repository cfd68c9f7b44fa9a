"""Movies with tracks in two stacks, read for training.

A folder holds ``movie.tif`` and ``tracks.tif``, both TYX: an id is one cell over time.
Tracks made by software have gaps, lack cells at the border, and ragged outlines; so
they are read in short parts, of which only what lasts throughout teaches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy import ndimage

from napari_sam2.errors import InputError
from napari_sam2.io.training.images import (
    LabelledImage,
    frames_to_uint8,
    read_picture,
    read_pixels,
)

PART = 24
"""Frames that are read together."""

SHORTEST = 2
"""A last part of fewer frames is left out."""

OPENING = 2
"""Pixels, the radius of the disk that smooths outlines: thinner spurs are cut off."""


def read_tracks_folder(folder: Path, frames: int = 0) -> Iterator[LabelledImage]:
    """Read a movie in parts of `PART` frames.

    Parameters
    ----------
    folder
        Holds ``movie.tif`` and ``tracks.tif``.
    frames
        Only so many frames from the first on are read; 0 for all.

    Yields
    ------
    LabelledImage
        Named after the folder and its frames: ``"cellphe 0-23"``. Cells that are not
        there on all of its frames are not labelled, lest a gap be taken for absence.

    Raises
    ------
    InputError
        If a file is missing or broken, or both do not show the same pixels.
    """
    movie, tracks = open_tracks(folder)
    count = min(frames or len(movie), len(movie))
    shown = frames_to_uint8(movie[:count, ..., None])
    for first in range(0, count, PART):
        last = min(first + PART, count) - 1
        if last - first + 1 >= SHORTEST:
            labels = _lasting(tracks[first : last + 1])
            name = f"{folder.name} {first}-{last}"
            yield LabelledImage(name, shown[first : last + 1], labels, False)


def open_tracks(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return movie and tracks as they are, both ``(T, Y, X)``.

    Raises
    ------
    InputError
        If a file is missing or broken, or both do not show the same pixels.
    """
    movie = _stack(folder / "movie.tif", read_picture)
    tracks = _stack(folder / "tracks.tif", read_pixels)
    if movie.shape != tracks.shape:
        raise InputError(
            f"{folder / 'tracks.tif'}: has shape {tracks.shape}, but movie.tif "
            f"{movie.shape}; both must show the same pixels"
        )
    return movie, tracks


def _stack(path: Path, read: Callable[[Path], np.ndarray]) -> np.ndarray:
    stack = read(path)
    if stack.ndim != 3:
        raise InputError(
            f"{path}: has shape {stack.shape}; frames × rows × columns is needed"
        )
    return stack


def _lasting(tracks: np.ndarray) -> np.ndarray:
    """Return int32 labels, smoothed, of the ids that are there on every frame."""
    lasting = set(np.unique(tracks[0]).tolist()) - {0}
    for frame in tracks[1:]:
        lasting &= set(np.unique(frame).tolist())
    kept = np.where(np.isin(tracks, sorted(lasting)), tracks, 0).astype(np.int32)
    return np.stack([_opened(frame) for frame in kept])


def _opened(labels: np.ndarray) -> np.ndarray:
    """Return labels without spurs; a cell that would vanish stays as it is."""
    y, x = np.ogrid[-OPENING : OPENING + 1, -OPENING : OPENING + 1]
    disk = y**2 + x**2 <= OPENING**2
    smooth = np.zeros_like(labels)
    for object_id, where in enumerate(ndimage.find_objects(labels), 1):
        if where is None:
            continue
        mask = labels[where] == object_id
        opened = ndimage.binary_opening(np.pad(mask, OPENING), disk)
        opened = opened[OPENING:-OPENING, OPENING:-OPENING]
        smooth[where][opened if opened.any() else mask] = object_id
    return smooth
