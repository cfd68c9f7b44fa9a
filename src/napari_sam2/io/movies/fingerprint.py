"""A movie is known by its pixels, not by the name of its file.

A few whole frames are hashed, always the same ones of a movie of some length, so that
a hundred gigabytes cost no more than `MOST_FRAMES` frames.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

MOST_FRAMES = 8
NO_PIXELS = ("source", "intensity", "colors")
"""What a provenance says of a movie that does not decide which pixels are read."""


class StoredFrames(Protocol):
    """A frame source that also gives frames as they are stored."""

    @property
    def frame_count(self) -> int:
        """Number of frames."""

    @property
    def provenance(self) -> Mapping[str, object]:
        """JSON-able description: axes, selection."""

    def read_raw(self, frame_index: int) -> np.ndarray:
        """Return the chosen channels as they are stored: ``(channels, Y, X)``."""


class Fingerprint(BaseModel):
    """What tells one movie from another.

    Attributes
    ----------
    selection
        Which part of the file was read: shape, type, axes, planes, channels.
    frames
        SHA-256 of the pixels of a few frames, by their number.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    selection: dict[str, Any]
    frames: dict[int, str]

    def different_frame(self, other: Fingerprint) -> int | None:
        """Return the first frame that differs; None if none does.

        Of other channels or planes nothing is known.
        """
        if self.selection != other.selection:
            return None
        common = sorted(self.frames.keys() & other.frames.keys())
        differing = (one for one in common if self.frames[one] != other.frames[one])
        return next(differing, None)


def hashed_frames(frame_count: int) -> list[int]:
    """Return which frames are hashed: the first, the last, some between them."""
    chosen = {0, frame_count - 1}
    for number in range(MOST_FRAMES - len(chosen)):
        drawn = hashlib.sha256(f"{frame_count}/{number}".encode()).digest()
        chosen.add(int.from_bytes(drawn) % frame_count)
    return sorted(chosen)


def fingerprint_steps(source: StoredFrames) -> Iterator[tuple[int, str]]:
    """Read and hash the frames, one at a time: each may take seconds."""
    for frame_index in hashed_frames(source.frame_count):
        planes = np.ascontiguousarray(source.read_raw(frame_index))
        yield frame_index, hashlib.sha256(planes.data).hexdigest()


def fingerprint_of(
    source: StoredFrames, frames: Mapping[int, str] | None = None
) -> Fingerprint:
    """Return the fingerprint of a movie.

    Parameters
    ----------
    frames
        What `fingerprint_steps` gave; it is asked now unless given.

    Raises
    ------
    InputError
        If a frame cannot be read.
    """
    hashes = dict(fingerprint_steps(source)) if frames is None else dict(frames)
    return Fingerprint(selection=_selection(source.provenance), frames=hashes)


def _selection(provenance: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in provenance.items() if key not in NO_PIXELS}
    if "parts" in kept:
        kept["parts"] = [_selection(part) for part in kept["parts"]]
    return kept
