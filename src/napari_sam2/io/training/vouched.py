"""Masklets of a session that a person vouches for, with their frames, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.label_store.store import DEFAULT_NAME, OmeZarrLabelStore
from napari_sam2.io.sessions.document import SessionDocument
from napari_sam2.io.training.images import LabelledImage
from napari_sam2.io.training.sources import shrunk
from napari_sam2.io.training.tracked_movie import open_movie, tracked_frames
from napari_sam2.session.book.state import ObjectState
from napari_sam2.session.planning.frame_set import FrameSet

MOST_FRAMES = 96
"""Frames of a movie that are read: they stay in memory."""

BLOCK = 8
"""Of a longer movie, blocks of so many neighbouring frames are read."""


class VouchedMasklets(NamedTuple):
    """Frames and masklets, see `napari_sam2.train.fine_tuning.movie.TaughtMovie`.

    Attributes
    ----------
    name
        Of the session.
    numbers
        ``(T,)`` ascending: which frames of the movie these are.
    frames
        ``(T, Y, X, C)`` uint8 as the model sees them, C is 1 (grey) or 3.
    labels
        ``(T, Y, X)`` int32; object ids.
    trusted
        By object id: frames, by their place in these arrays, on which its label is
        true.
    """

    name: str
    numbers: np.ndarray
    frames: np.ndarray
    labels: np.ndarray
    trusted: Mapping[int, FrameSet]


@dataclass(frozen=True, slots=True)
class MaskletSession:
    """Masklets on disk, and the movie if only a viewer has it.

    Attributes
    ----------
    folder
        OME-Zarr with the labels.
    objects
        Ids that teach. Of one without locked or reviewed frames, all tracked frames are
        taken as true. None: all that have locked or reviewed frames.
    array
        Pixels of the movie's layer; None reads them from the disk.
    image
        File or folder of the movie, if it is another one than the session says.
    name
        Of the label group.
    """

    folder: Path
    objects: tuple[int, ...] | None = None
    array: Any = None
    image: Path | None = None
    name: str = DEFAULT_NAME


def read_vouched(session: MaskletSession, *, max_side: int = 0) -> VouchedMasklets:
    """Read the frames on which masklets of a session are trusted.

    Parameters
    ----------
    max_side
        Larger frames are shrunk by a whole factor to at most this; 0 for never.

    Raises
    ------
    InputError
        If no frame is trusted, or the movie cannot be read or has another shape.
    OutputError
        If there are no labels, or they are damaged.
    """
    store = OmeZarrLabelStore.open(session.folder, session.name, "r")
    document = store.read_session()
    trusted = trusted_frames(document, tracked_frames(store), session.objects)
    frames = FrameSet.of(frame for kept in trusted.values() for frame in kept)
    if not frames:
        raise InputError(
            f"{session.folder}: no masklet has locked or reviewed frames: lock or "
            "review what is right, or choose objects"
        )
    given = session.image if session.array is None else session.array
    source = open_movie(store, document.image, given)
    try:
        numbers = spread(sorted(frames))
        pixels = np.stack([source.read(frame) for frame in numbers])
    finally:
        source.close()
    labels = np.stack([store.read_labels(frame) for frame in numbers])
    grey = bool((pixels == pixels[..., :1]).all())
    image = LabelledImage(
        session.folder.name, pixels[..., :1] if grey else pixels, labels
    )
    image = shrunk(image, max_side)
    places = {number: place for place, number in enumerate(numbers)}
    return VouchedMasklets(
        image.name,
        np.array(numbers),
        image.frames,
        image.labels.astype(np.int32),
        {
            one: FrameSet.of(places[frame] for frame in kept if frame in places)
            for one, kept in trusted.items()
        },
    )


def trusted_frames(
    document: SessionDocument,
    tracked: Mapping[int, FrameSet],
    objects: Sequence[int] | None,
) -> dict[int, FrameSet]:
    """Return object → frames on which its mask is taken as true.

    Parameters
    ----------
    tracked
        Object → frames that it was followed to.
    objects
        See `MaskletSession`.

    Raises
    ------
    InputError
        If the session has no such object.
    """
    book = document.book
    if objects is None:
        found = {one.object_id: _vouched(one, tracked) for one in book.objects}
        return {one: frames for one, frames in found.items() if frames}
    chosen = {}
    for one in objects:
        if one not in book:
            known = ", ".join(map(str, book.object_ids))
            raise InputError(f"there is no object {one}: the session has {known}")
        state = book[one]
        followed = tracked.get(one, FrameSet()) - state.stale
        chosen[one] = _vouched(state, tracked) or followed
    return chosen


def _vouched(state: ObjectState, tracked: Mapping[int, FrameSet]) -> FrameSet:
    # Whole movies get locked: where nobody looked for the object, it is not absent.
    return (state.locked | state.reviewed) & tracked.get(state.object_id, FrameSet())


def spread(frames: Sequence[int]) -> list[int]:
    """Return at most `MOST_FRAMES` frames: blocks of neighbours from everywhere."""
    if len(frames) <= MOST_FRAMES:
        return list(frames)
    blocks = [frames[at : at + BLOCK] for at in range(0, len(frames), BLOCK)]
    chosen = np.linspace(0, len(blocks) - 1, MOST_FRAMES // BLOCK).round().astype(int)
    return [frame for index in chosen for frame in blocks[index]]
