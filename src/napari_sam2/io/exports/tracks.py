"""Tracks without gaps, and the links between them: what the formats of tracking hold.

A masklet may be absent for a while. Formats of tracking know only tracks that are there
on each frame from their first to their last, so a masklet with gaps becomes several,
each linked to the one before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, slots=True)
class Track:
    """A stretch of frames on which an object is there.

    Attributes
    ----------
    track_id
        The object's id for its first stretch, an unused number for later ones.
    object_id
        Whose stretch it is.
    first, last
        Frames, inclusive.
    parent
        Track that it goes on from: the same object before a gap, or the mother; 0 if
        none.
    """

    track_id: int
    object_id: int
    first: int
    last: int
    parent: int


class Presence:
    """Collects on which frames each object has pixels."""

    def __init__(self) -> None:
        self._stretches: dict[int, list[list[int]]] = {}

    def note(self, frame_index: int, object_ids: Iterable[int]) -> None:
        """Take note of the objects of a frame; frames come in ascending order."""
        for object_id in object_ids:
            stretches = self._stretches.setdefault(object_id, [])
            if stretches and stretches[-1][1] == frame_index - 1:
                stretches[-1][1] = frame_index
            else:
                stretches.append([frame_index, frame_index])

    def tracks(self, mothers: Mapping[int, int]) -> list[Track]:
        """Return all tracks by id; a mother that has no pixels is nobody's parent."""
        fresh = max(self._stretches, default=0)
        tracks: list[Track] = []
        last_of: dict[int, int] = {}
        daughters: list[tuple[int, int]] = []
        for object_id, stretches in sorted(self._stretches.items()):
            parent, track_id = 0, object_id
            for number, (first, last) in enumerate(stretches):
                if number:
                    fresh += 1
                    parent, track_id = track_id, fresh
                elif object_id in mothers:
                    daughters.append((len(tracks), mothers[object_id]))
                tracks.append(Track(track_id, object_id, first, last, parent))
            last_of[object_id] = track_id
        for place, mother in daughters:
            if mother in last_of:
                tracks[place] = replace(tracks[place], parent=last_of[mother])
        return sorted(tracks, key=lambda track: track.track_id)


def relabelled(
    labels: np.ndarray, frame_index: int, tracks: Iterable[Track]
) -> np.ndarray:
    """Return a label image with the ids of tracks instead of those of objects.

    Parameters
    ----------
    labels
        ``(Y, X)`` labels of objects.
    tracks
        All tracks; pixels of objects without one become background.
    """
    here = {
        track.object_id: track.track_id
        for track in tracks
        if track.first <= frame_index <= track.last
    }
    ids, inverse = np.unique(labels, return_inverse=True)
    values = np.array([here.get(int(value), 0) for value in ids], np.uint32)
    return values[inverse].reshape(labels.shape)
